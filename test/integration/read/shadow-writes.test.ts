import { afterEach, describe, expect, it } from 'vitest';
import { packStamp } from '../../../src/coordination/stamp.ts';
import { isBalanced } from '../../../src/proxy/shadow/tally.ts';
import { eventually } from '../../support/eventually.ts';
import { content, useRoute } from './fixture.ts';

const route = useRoute({ shadow: { settleMs: [50, 500, 2500], refreshIntervalMs: 100 } });
let writing: Promise<void> | undefined;
let isWriting = false;
const endWrites = async (): Promise<void> => {
  isWriting = false;
  await writing;
};
afterEach(endWrites);

const writtenAt = (json: { _seq_no: number; _primary_term: number }): string => {
  const version = packStamp('narrow', { reign: 1, term: json._primary_term, seq: json._seq_no });
  return `version=${version}&version_type=external`;
};

/** Writes and deletes forty documents in turn, each copied as soon as the source has answered; two thousand at most. */
const writeOn = async (): Promise<void> => {
  for (let n = 0; isWriting && n < 2000; n++) {
    const [id, isDelete] = [String(100 + (n % 40)), n % 7 === 6];
    const [method, body] = isDelete ? ['DELETE', undefined] : ['PUT', { ...content(id), turn: n }];
    const { json } = await route.on('source', method, `/${route.source}/_doc/${id}`, body);
    await route.on('target', method, `/${route.target}/_doc/${id}?${writtenAt(json)}`, body);
  }
};
const beginWrites = (): void => {
  isWriting = true;
  writing = writeOn();
};

const search = () =>
  route.send('POST', `/${route.slug}/_search`, {
    body: {
      query: { match: { text: 'document' } },
      sort: [{ n: 'desc' }],
      aggs: { turns: { sum: { field: 'turn' } } },
    },
  });
const counts = () => route.stack.shadow.counts(route.slug);
const atRest = () => eventually(() => counts().underWay === 0, { timeoutMs: 60_000, what: 'all samples settled' });

describe('while documents are written all the time', () => {
  it('what differs only by writes under way counts as no mismatch', async () => {
    route.set({ percent: { shadow: 100 }, spec: { shadow: { baselinePercent: 20 } } });
    beginWrites();
    for (let i = 0; i < 25; i++) await search();
    await route.send('GET', `/${route.slug}/_doc/105`);
    await atRest();
    expect(isBalanced(counts())).toBe(true);
    const { sampled, mismatched } = counts();
    expect([sampled, mismatched]).toEqual([26, 0]);
  }, 120_000);

  it('a document that is missing for good is found', async () => {
    route.set({ percent: { shadow: 100 }, spec: { shadow: { baselinePercent: 0 } } });
    await route.on('target', 'DELETE', `/${route.target}/_doc/5?version=${2n ** 52n}&version_type=external`);
    beginWrites();
    const found = () => route.stack.reports.filter(({ observation }) => observation.severity === 'S3');
    await eventually(
      async () => {
        await search();
        return found().length > 0;
      },
      { timeoutMs: 60_000, everyMs: 200, what: 'the missing document shows' },
    );
    await endWrites();
    await atRest();
    const [report] = found();
    expect(report).toMatchObject({ authority: 'source', settled: false });
    expect(report?.shape.label).toContain('match(text)');
  }, 120_000);
});
