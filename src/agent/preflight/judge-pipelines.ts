/**
 * What the pipelines of a pair's indices do to a migration. Copies skip a default pipeline, and no request can skip a
 * final one: on a follower it would change every copy, and each side is the follower some day. A default pipeline moves with
 * the authority, so the target's has to be there before the first write comes; that of searches before the first read. Pure.
 */
import { canonicalText, type Json } from '../../compare/json-value.ts';
import { type Side, sides } from '../../coordination/records.ts';
import type { RouteSpec } from '../../coordination/route-spec.ts';
import { settingsOfTarget } from './difference.ts';
import type { Finding, PairFacts, PreflightFacts } from './facts.ts';
import { about } from './finding.ts';
import { type PipelineKind, pipelineKinds } from './pipeline-kind.ts';

type Settings = Record<string, unknown> | undefined;

const pipelineIn = (settings: Settings, name: string): string | undefined => {
  const value = settings?.[name] ?? '_none';
  return value === '_none' ? undefined : String(value);
};

/** How an index names the pipeline of its writes or searches, and what becomes of these after the cutover. */
type Words = { setting: string; pipeline: string; each: string; through: string; without: string };
const wordsOf: Readonly<Record<PipelineKind, Words>> = {
  ingest: {
    setting: 'default_pipeline',
    pipeline: 'default pipeline',
    each: 'write',
    through: 'documents written after the cutover go through',
    without: 'documents written after the cutover are stored as sent',
  },
  search: {
    setting: 'search.default_pipeline',
    pipeline: 'default search pipeline',
    each: 'search',
    through: 'searches that the target answers go through',
    without: 'searches that the target answers go through none',
  },
};

/** The final pipeline of an index, which changes every copy that comes to it. */
export const finalPipeline = (settings: Settings): string | undefined => pipelineIn(settings, 'index.final_pipeline');

const settingsOf = (spec: RouteSpec, pair: PairFacts, side: Side): Settings =>
  side === 'source' ? pair.source?.settings : settingsOfTarget(spec, pair);

const defaultIn = (settings: Settings, kind: PipelineKind): string | undefined =>
  pipelineIn(settings, `index.${wordsOf[kind].setting}`);

/** Which pipelines have to be looked at on a side, each once. */
export const defaultPipelines = (
  spec: RouteSpec,
  pairs: readonly PairFacts[],
  { side, kind }: { side: Side; kind: PipelineKind },
): string[] => {
  const named = pairs.map((pair) => defaultIn(settingsOf(spec, pair, side), kind));
  return [...new Set(named.filter((id) => id !== undefined))];
};

type Pair = { spec: RouteSpec; names: Record<Side, string>; pair: PairFacts };

const finalFindings = ({ spec, names, pair }: Pair): Finding[] =>
  sides.flatMap((side) => {
    const id = finalPipeline(settingsOf(spec, pair, side));
    const when = side === 'source' ? 'after the cutover it' : 'it';
    const todo = 'make it the default pipeline, or remove it, until the migration is over';
    return id === undefined
      ? []
      : [
          about('pipelines', names[side])(
            'refuse',
            `has the final pipeline ${id}: ${when} would change every copy`,
            todo,
          ),
        ];
  });

const readBack = (name: string, id: string): Finding =>
  about('pipelines', name)(
    'warn',
    `index.default_pipeline is ${id}: each write is read back before it is copied`,
    'expect one more request per write; a pipeline that reads _index finds the alias that members write through',
  );

const same = (left: unknown, right: unknown): boolean => canonicalText(left as Json) === canonicalText(right as Json);

type Known = { kind: PipelineKind; known: PreflightFacts['pipelines'] };
type Ids = { source: string | undefined; target: string };

/** Of a pipeline that nobody could read, the missing right is told. */
const targetFindings = (name: string, { source, target }: Ids, { kind, known }: Known): Finding[] => {
  const say = about('pipelines', name);
  const { setting, pipeline, each, through } = wordsOf[kind];
  if (!known.target[kind].has(target)) return [];
  const found = known.target[kind].get(target);
  if (found === undefined)
    return [
      say(
        'refuse',
        `the ${pipeline} ${target} does not exist on the target: after the cutover each ${each} would be refused`,
        `create it there, or set ${setting} of ${name} to _none`,
      ),
    ];
  if (source === undefined) return [say('warn', `${through} ${target}`, 'make sure that this is meant')];
  if (!known.source[kind].has(source)) return [];
  return same(known.source[kind].get(source), found)
    ? [say('ok', `${target} is the same on both sides`)]
    : [say('warn', `${source} on the source and ${target} here differ`, 'make sure that each difference is meant')];
};

const defaultFindings = ({ spec, names, pair }: Pair, { kind, known }: Known): Finding[] => {
  const source = defaultIn(pair.source?.settings, kind);
  const settings = settingsOfTarget(spec, pair);
  const target = defaultIn(settings, kind);
  const findings = source === undefined || kind === 'search' ? [] : [readBack(names.source, source)];
  if (target !== undefined) return [...findings, ...targetFindings(names.target, { source, target }, { kind, known })];
  if (source === undefined || settings === undefined) return findings;
  const { pipeline, without } = wordsOf[kind];
  const reason = `has no ${pipeline}, the source has ${source}: ${without}`;
  const todo = 'give the target such a pipeline too, or make sure that this is meant';
  return [...findings, about('pipelines', names.target)('warn', reason, todo)];
};

export const pipelineFindings = ({ spec, pipelines }: PreflightFacts, ordinal: number, pair: PairFacts): Finding[] => {
  const names = spec.indices[ordinal] ?? { source: '', target: '' };
  const ofKind = (kind: PipelineKind) => defaultFindings({ spec, names, pair }, { kind, known: pipelines });
  return [...finalFindings({ spec, names, pair }), ...pipelineKinds.flatMap(ofKind)];
};
