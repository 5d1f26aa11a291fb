/**
 * Clusters with users: a client's rights are looked at before the block of the fence, and may show it less than there is.
 */
import { describe, expect, it } from 'vitest';
import { ndjson } from '../../support/ndjson.ts';
import { bulkAnswer, Member, type Script, written } from './member.ts';

const denied = {
  type: 'security_exception',
  reason: 'no permissions for [indices:data/write/index] and User [name=shop, backend_roles=[], requestedTenant=null]',
};
const deniedAnswer = { status: 403, body: { error: { root_cause: [denied], ...denied }, status: 403 } };
const deniedItem = { index: { _index: 'crossfade-products-e1', _id: '1', status: 403, error: denied } };
const failure = { index: 'crossfade-products-e1', id: '1', cause: denied, status: 403 };
const counts = { took: 1, timed_out: false, total: 1, updated: 0, deleted: 0, failures: [failure] };

const put = { method: 'PUT', path: '/products/_doc/1', body: '{"x":1}' };
const bulk = {
  method: 'POST',
  path: '/products/_bulk',
  body: ndjson([{ index: { _id: '1' } }, { x: 1 }, { index: { _id: '2' } }, { x: 2 }]),
};
const byQuery = { method: 'POST', path: '/products/_update_by_query', body: '{}' };
const reindex = { method: 'POST', path: '/_reindex', body: '{"source":{"index":"o"},"dest":{"index":"products"}}' };

/** Everything through the first epoch is denied; `fenced`: because its alias points at the fence. */
const denying =
  (answer: unknown, { fenced, later }: { fenced: boolean; later: unknown }): Script =>
  ({ method, path, body }) => {
    if (method === 'HEAD') return { status: fenced ? 200 : 404, body: '' };
    if (path.includes('_search')) return { status: 403, body: {} };
    return (path + body).includes('-e1') ? (answer as { body: unknown }) : (later as { body: unknown });
  };

const item = { index: { ...written(), status: 201 } };
const rows = [
  ['a write', put, deniedAnswer, { status: 201, body: written() }],
  ['a bulk', bulk, bulkAnswer(deniedItem, deniedItem), bulkAnswer(item, item)],
  ['a by-query', byQuery, deniedAnswer, { body: { ...counts, failures: [] } }],
  ['a reindex', reindex, { body: counts }, { body: { ...counts, failures: [] } }],
] as const;

describe('a cluster that denies a client what goes to the fence', () => {
  it.each(rows)('is asked where the alias points, and %s goes on under the newer phase', async (_, sent, no, later) => {
    const member = new Member(denying(no, { fenced: true, later }));
    const answer = member.sender.send(sent);
    await member.time.advance(1);
    expect(member.writes).toHaveLength(1);
    member.learn({ epoch: 2 });
    await member.time.advance(1);
    const { status, text } = await answer;
    expect([status < 300, text.includes('security_exception')]).toEqual([true, false]);
    expect(member.writes).toHaveLength(2);
    const asked = member.seen.filter(({ method }) => method === 'HEAD');
    expect(asked).toEqual([
      expect.objectContaining({ path: '/crossfade-fence/_alias/crossfade-products-e1', ownAccount: true }),
    ]);
  });

  it.each(rows)('is the one to say no to %s when there is no fence', async (_, sent, no) => {
    const member = new Member(denying(no, { fenced: false, later: {} }));
    const sending = member.sender.send(sent);
    await member.time.advance(1);
    const answer = await sending;
    expect([answer.status, answer.text.includes(denied.reason)]).toEqual(['status' in no ? no.status : 200, true]);
    expect([member.writes.length, member.unknown, member.drained()]).toEqual([1, [], true]);
  });
});

describe('a client that may not see everything', () => {
  it('is not the one that asks for pipelines and reads documents back', async () => {
    const doc = { ...written(), found: true, _source: { x: 1, hidden: 2 } };
    const member = new Member(({ path }) => ({ body: path.includes('_mget') ? { docs: [doc] } : written() }));
    await member.sender.send({ ...put, path: '/products/_doc/1?pipeline=p' });
    await member.sender.send(put);
    await member.time.settle();
    const asked = member.seen.filter(({ path }) => /_mget|_settings/.test(path));
    expect(asked.map(({ ownAccount }) => ownAccount)).toEqual([true, true]);
  });

  it('may be refused an update with 500, and nothing is unknown then', async () => {
    const reason = 'Update is not supported when FLS or DLS or Fieldmasking is activated';
    const refused = { error: { type: 'security_exception', reason }, status: 500 };
    const member = new Member(() => ({ status: 500, body: refused }));
    const answer = await member.sender.send({ method: 'POST', path: '/products/_update/1', body: '{"doc":{}}' });
    await member.time.settle();
    expect([answer.status, answer.json, member.unknown]).toEqual([500, refused, []]);
  });
});
