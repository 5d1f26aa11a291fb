/** A kept mismatch as text for a terminal: what was asked, what differs and why, both answers side by side. Pure. */
import { curlCommand } from '../compare/curl.ts';
import { diffRows } from '../compare/diff-view.ts';
import { kindMeanings, severityMeanings } from '../compare/explain.ts';
import { parseText } from '../compare/json-value.ts';
import { pathText } from '../compare/rules.ts';
import type { ReplayRecord, SampleRecord } from '../compare/sample-record.ts';
import { unknownText } from './format.ts';
import { alignRows, table } from './table.ts';

type Differences = SampleRecord['differences'];
type Answers = SampleRecord['answers'];

const differenceTable = (differences: Differences): string =>
  table(
    ['severity', 'kind', 'path', 'authority', 'other', 'why'],
    differences.map(({ severity, kind, path, authority = unknownText, other = unknownText }) => [
      severity,
      kind,
      pathText(path),
      authority,
      other,
      kindMeanings[kind],
    ]),
  );

const outcome = ({ status, failure, shards }: Answers['source']): string =>
  [failure ?? String(status), ...(shards === undefined ? [] : [`${shards} shards`])].join(', ');

const maxCellChars = 60;

/** Rows of both answers that are not the same. */
const sideBySide = (
  { authority, other }: { authority: Answers['source']; other: Answers['source'] },
  maxRows: number,
): string => {
  const [a, b] = [authority, other].map(({ body }) => (body === undefined ? undefined : parseText(body)));
  if (a === undefined || b === undefined) return 'not both answers were kept; see the differences above';
  const rows = diffRows(a, b, { maxRows: maxRows + 1, maxChars: maxCellChars, onlyDifferent: true });
  const shown = rows.slice(0, maxRows).map((row) => [row.path, row.authority ?? unknownText, row.other ?? unknownText]);
  const more = rows.length > maxRows ? `\nand more; --rows ${maxRows * 4} shows them` : '';
  return shown.length === 0
    ? 'the kept answers hold the same values'
    : `${table(['path', 'authority', 'other'], shown)}${more}`;
};

/** Literals are hashes, unless their fields are on the route's allow list: to be put back by who knows them. */
const curls = ({ request }: SampleRecord): string[] =>
  ['SOURCE_URL', 'TARGET_URL'].map((name) => curlCommand({ url: '$URL', ...request }).replace("'$URL", `"$${name}"'`));

const facts = (sample: SampleRecord): string[] => {
  const other = sample.authority === 'source' ? 'target' : 'source';
  return alignRows([
    ['  at', `${sample.at} by ${sample.member}`],
    ['  query', `${sample.shapeLabel} (${sample.shape})`],
    [
      '  request',
      `${sample.request.method} ${sample.request.path}${sample.request.query && `?${sample.request.query}`}`,
    ],
    ...(sample.request.body === undefined ? [] : [['  body', sample.request.body]]),
    [
      '  authority',
      `${sample.authority}: ${outcome(sample.answers[sample.authority])}, ${sample.authorityMs.toFixed(1)} ms`,
    ],
    ['  other', `${other}: ${outcome(sample.answers[other])}, ${sample.otherMs.toFixed(1)} ms`],
    ['  baseline', sample.baseline === undefined ? 'not asked' : `the authority against itself: ${sample.baseline}`],
  ]);
};

export const renderSample = (sample: SampleRecord, { curl, rows }: { curl: boolean; rows: number }): string => {
  const { id, route, severity, authority, answers } = sample;
  const other = authority === 'source' ? 'target' : 'source';
  return [
    `${id}  ${route}  ${severity}: ${severityMeanings[severity]}`,
    ...facts(sample),
    '',
    differenceTable(sample.differences),
    '',
    sideBySide({ authority: answers[authority], other: answers[other] }, rows),
    ...(curl ? ['', ...curls(sample)] : []),
  ].join('\n');
};

export const renderReplay = (replay: ReplayRecord, { rows }: { rows: number }): string => {
  if (replay.skipped !== undefined) return `${replay.id}: nothing could be compared: ${replay.skipped}`;
  if (replay.severity === 'none') return `${replay.id}: equal now`;
  const parts = [
    `${replay.id}: still ${replay.severity}, ${severityMeanings[replay.severity]}`,
    '',
    differenceTable(replay.differences),
  ];
  const { answers } = replay;
  return (
    answers === undefined
      ? parts
      : [...parts, '', sideBySide({ authority: answers.source, other: answers.target }, rows)]
  ).join('\n');
};
