/** Optimistic concurrency by clients of the follower, on a document that was repaired over what a foreign writer left there. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { OneAgent, request, send } from '../../support/one-agent.ts';

const one = new OneAgent('tokens');
const { slug, source, target } = one;

type Doc = { _seq_no: number; _primary_term: number; _version: number; _source?: { n: number } };
const told = async (method: string, url: string, body?: unknown) => {
  const { side, status, text } = await send(method, url, body);
  return { side, status, doc: JSON.parse(text) as Doc };
};
const onTarget = (method: string, query = '', body?: unknown) =>
  told(method, `${one.urls.targetUrl}/${target}/_doc/1${query}`, body);
const read = () => told('GET', `${one.agent.url}/${slug}/_doc/1`);
const write = ({ _seq_no, _primary_term }: Doc, n: number) =>
  told('PUT', `${one.agent.url}/${slug}/_doc/1?if_seq_no=${_seq_no}&if_primary_term=${_primary_term}`, { n });

beforeAll(async () => {
  await one.createSource();
  await request('PUT', `${one.urls.sourceUrl}/${source}/_doc/1`, { n: 1 });
  // A version that is free: numbers up to here have been given out.
  for (let i = 0; i < 20; i++) await request('PUT', `${one.urls.sourceUrl}/${source}/_doc/other`, { i });
  await one.start();
  await one.apply();
  await one.must('phase', slug, 'dual', '--wait');
  await one.untilReady();
}, 120_000);

afterAll(() => one.close());

test('a client that reads again after a conflict gets a token that fits, and the follower tells fitting ones from then on', async () => {
  const { doc: copied } = await onTarget('GET');
  const foreign = `version_type=external&version=${copied._version + 2}`;
  expect((await onTarget('PUT', `?${foreign}`, { n: -1 })).status).toBe(200);
  await one.must('repair', slug, '--id', '1', '--force', '--wait', '--yes');
  await one.must('route', 'set', `${slug}.pct.read`, '100');
  await eventually(async () => (await read()).side === 'target', { what: 'reads on the target' });
  const stale = await read();
  expect([stale.side, stale.doc._source]).toEqual(['target', { n: 1 }]);
  expect((await write(stale.doc, 2)).status).toBe(409);
  const again = await read();
  expect(again.side).toBe('source');
  expect((await write(again.doc, 3)).status).toBe(200);
  const copy = await onTarget('GET');
  expect(copy.doc._source).toEqual({ n: 3 });
  expect((await write((await read()).doc, 4)).status).toBe(200);
}, 120_000);
