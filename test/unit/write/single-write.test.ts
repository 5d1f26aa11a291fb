import { describe, expect, it } from 'vitest';
import { packStamp, unpackStamp } from '../../../src/coordination/stamp.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import type { WriteDeps } from '../../../src/proxy/write/index.ts';
import { fakeClient } from '../../support/write-client.ts';
import { bulkAnswer, fencedAnswer, Member, type Script, written } from './member.ts';

const put = { method: 'PUT', path: '/products/_doc/1', body: '{"x":1.0}' };
const accept: Script = () => ({ status: 201, body: written() });
const never = new Promise<never>(() => undefined);

describe('a write of one document', () => {
  it('goes through the epoch alias and is copied with the stamp of the authority’s order', async () => {
    const member = new Member(accept);
    expect(await member.sender.send(put)).toMatchObject({ status: 201, json: written() });
    expect(member.writes).toEqual([
      { side: 'source', method: 'PUT', path: '/crossfade-products-e1/_doc/1?require_alias=true', body: put.body },
    ]);
    await member.time.settle();
    expect(member.offered).toMatchObject([{ slug: 'products', ordinal: 0, id: '1', op: 'index', epoch: 1, reign: 1 }]);
    expect(unpackStamp('narrow', member.offered[0]?.stamp as bigint)).toEqual({ reign: 1, term: 1, seq: 7 });
  });

  it.each(['observe', 'final'] as const)('makes no copy in %s', async (phase) => {
    const member = new Member(accept, [{ phase }]);
    await member.sender.send(put);
    expect(member.offered).toEqual([]);
    expect(member.writes).toMatchObject([{ side: phase === 'final' ? 'target' : 'source' }]);
  });

  it('goes to the target after the switch and is answered in the source’s words', async () => {
    const member = new Member(
      () => ({ status: 201, headers: { location: '/products_v2/_doc/1' }, body: written({ _index: 'products_v2' }) }),
      [{ phase: 'target' }],
    );
    member.learn({ reign: 2, epoch: 2 });
    const got = await member.sender.send(put);
    expect(got.json).toMatchObject({ _index: 'products_v1', _primary_term: 2 ** 32 + 1 });
    expect(got.headers['location']).toBe('/products_v1/_doc/1');
    expect(member.writes).toMatchObject([{ side: 'target', path: '/crossfade-products-e2/_doc/1?require_alias=true' }]);
  });

  it('passes a conflict token of this reign on and makes one of another reign impossible', async () => {
    const member = new Member(accept, [{ phase: 'target' }]);
    member.learn({ reign: 2 });
    await member.sender.send({ ...put, path: `/products/_doc/1?if_seq_no=3&if_primary_term=${2 ** 32 + 9}` });
    await member.sender.send({ ...put, path: '/products/_doc/1?if_seq_no=3&if_primary_term=9' });
    expect(member.writes.map(({ path }) => /if_primary_term=(\d+)/.exec(path)?.[1])).toEqual(['9', String(2 ** 52)]);
  });
});

describe('an update with a conflict token in its body', () => {
  const update = (body: string, headers?: Record<string, string>) => ({
    method: 'POST',
    path: '/products/_update/1',
    body,
    ...(headers === undefined ? {} : { headers }),
  });
  const inReign = (reign: number) => {
    const member = new Member(accept, [{ phase: 'target' }]);
    member.learn({ reign });
    return member;
  };

  it('is sent with the authority’s own term, or with one that cannot match', async () => {
    const member = inReign(2);
    await member.sender.send(
      update(`{"if_seq_no":3, "if_primary_term" : ${2 ** 32 + 9} ,"doc":{"if_primary_term":1}}`),
    );
    await member.sender.send(update('{"doc":{},"if_seq_no":3,"if_primary_term":"9"}'));
    expect(member.writes.map(({ body }) => body)).toEqual([
      '{"if_seq_no":3, "if_primary_term" : 9 ,"doc":{"if_primary_term":1}}',
      `{"doc":{},"if_seq_no":3,"if_primary_term":${2 ** 52}}`,
    ]);
  });

  it('is refused when the body cannot be read and there was a switch', async () => {
    const yaml = update('doc: {}\nif_seq_no: 3\nif_primary_term: 9\n', { 'content-type': 'application/yaml' });
    const member = inReign(2);
    expect(await member.sender.send(yaml)).toMatchObject({
      status: 400,
      headers: { 'x-crossfade-error': 'UNSUPPORTED' },
    });
    expect([member.writes, member.events, member.drained()]).toEqual([[], [], true]);
    const before = inReign(1);
    expect((await before.sender.send(yaml)).status).toBe(201);
  });
});

it('an update that found nothing keeps the `get` that says so', async () => {
  const body = '{"_index":"products_v1","_id":"1","_version":-1,"result":"noop","get":{"found":false}}';
  const member = new Member(() => ({ status: 200, body }));
  const got = await member.sender.send({ method: 'POST', path: '/products/_update/1', body: '{"script":"x"}' });
  expect(got.text).toBe(body);
});

describe('a write that meets the fence', () => {
  it('is sent again under the newer phase, once that is known', async () => {
    const member = new Member(({ side }) => (side === 'source' ? fencedAnswer : { status: 201, body: written() }));
    const answer = member.sender.send(put);
    await member.time.settle();
    expect(member.writes).toHaveLength(1);
    expect(member.drained()).toBe(true);
    member.learn({ phase: 'target', epoch: 2, reign: 2 });
    expect((await answer).status).toBe(201);
    expect(member.writes.map(({ side, path }) => [side, path])).toEqual([
      ['source', '/crossfade-products-e1/_doc/1?require_alias=true'],
      ['target', '/crossfade-products-e2/_doc/1?require_alias=true'],
    ]);
    await member.time.settle();
    expect(member.offered).toMatchObject([{ epoch: 2, reign: 2 }]);
    expect(member.events).toEqual([
      { kind: 'fenced', slug: 'products', epoch: 1 },
      { kind: 'fence_passed', slug: 'products' },
    ]);
  });

  it('ends with a safe refusal when no newer phase comes in time', async () => {
    const member = new Member(() => fencedAnswer);
    const answer = member.sender.send(put);
    await member.time.advance(4_999);
    expect(member.writes).toHaveLength(1);
    await member.time.advance(2);
    const { status, headers } = await answer;
    expect({ status, headers }).toMatchObject({
      status: 503,
      headers: { 'x-crossfade-error': 'FENCED', 'x-crossfade-not-sent': 'true' },
    });
    expect([member.unknown, member.offered, member.drained()]).toEqual([[], [], true]);
  });

  it('waits out a hold on the way', async () => {
    const member = new Member(({ path }) => (path.includes('-e1/') ? fencedAnswer : { status: 201, body: written() }));
    const answer = member.sender.send(put);
    await member.time.settle();
    member.learn({ epoch: 2, hold: { to: 'target', rehearsal: false, budgetMs: 2000, graceMs: 3000 } });
    await member.time.advance(1000);
    expect(member.writes).toHaveLength(1);
    member.learn({ phase: 'target', epoch: 3, reign: 2, hold: undefined as never });
    expect((await answer).status).toBe(201);
  });

  it('is told from any other refusal', async () => {
    const reason = 'index [products_v1] blocked by: [FORBIDDEN/8/index write (api)];';
    const member = new Member(() => ({
      status: 403,
      body: { error: { type: 'cluster_block_exception', reason }, status: 403 },
    }));
    expect((await member.sender.send(put)).status).toBe(403);
    expect(member.writes).toHaveLength(1);
  });

  it('is not a missing index, which is answered in the client’s words', async () => {
    const error = {
      type: 'index_not_found_exception',
      reason: 'no such index [crossfade-products-e1]',
      index: 'crossfade-products-e1',
    };
    const member = new Member(() => ({ status: 404, body: { error, status: 404 } }));
    const answer = member.sender.send(put);
    await member.time.advance(1);
    expect(await answer).toMatchObject({
      status: 404,
      json: { error: { reason: 'no such index [products]', index: 'products' } },
    });
  });

  it('was a missing alias of an old epoch when a newer phase is known', async () => {
    const error = { type: 'index_not_found_exception', reason: 'no such index [crossfade-products-e1]' };
    const member: Member = new Member(({ path }) => {
      if (!path.includes('-e1/')) return { status: 201, body: written() };
      member.learn({ epoch: 2 });
      return { status: 404, body: { error, status: 404 } };
    });
    expect((await member.sender.send(put)).status).toBe(201);
  });
});

describe('a write whose outcome is unknown', () => {
  it.each([
    ['UPSTREAM_RESET', 502, put, [false]],
    ['UPSTREAM_TIMEOUT', 504, { method: 'DELETE', path: '/products/_doc/1' }, [true]],
    ['UPSTREAM_TIMEOUT', 504, { ...put, method: 'POST', path: '/products/_update/1', body: '{"doc":{}}' }, [false]],
    ['UPSTREAM_TIMEOUT', 504, { ...put, method: 'POST', path: '/products/_update/1', body: '{"script":{}}' }, [true]],
    ['UPSTREAM_UNREACHABLE', 503, put, []],
  ] as const)('%s is answered %i and put on record', async (code, status, sent, unknown) => {
    const member = new Member(() => new CrossfadeError(code));
    expect((await member.sender.send(sent)).status).toBe(status);
    expect(member.unknown).toEqual(unknown);
    expect(member.drained()).toBe(true);
  });

  it.each([
    [500, 'x', [false]],
    [503, 'unavailable_shards_exception', [false]],
    [500, 'security_exception', []],
    [429, 'rejected_execution_exception', []],
  ])('a %i of type %s is passed on', async (status, type, unknown) => {
    const member = new Member(() => ({ status, body: { error: { type, reason: 'r' }, status } }));
    expect(await member.sender.send(put)).toMatchObject({ status, json: { error: { type } } });
    expect(member.unknown).toEqual(unknown);
  });
});

describe('a client that leaves', () => {
  const hold = { to: 'target', rehearsal: false, budgetMs: 2000, graceMs: 3000 } as const;

  it('while its write is held takes it back', async () => {
    const member = new Member(accept);
    member.learn({ hold });
    const client = fakeClient(put);
    const answer = member.sender.execute(client);
    await member.time.settle();
    client.leave();
    expect((await answer).headers['x-crossfade-error']).toBe('CLIENT_CLOSED');
    expect(member.seen).toEqual([]);
  });

  it('after its write was sent does not undo the copy', async () => {
    let answerNow: (answer: { status: number; body: unknown }) => void = () => undefined;
    const member = new Member(() => new Promise((resolve) => (answerNow = resolve)));
    const client = fakeClient(put);
    const answer = member.sender.execute(client);
    await member.time.settle();
    client.leave();
    answerNow({ status: 201, body: written() });
    await answer;
    await member.time.settle();
    expect(member.offered).toHaveLength(1);
  });
});

describe('acknowledging', () => {
  it('does not wait for a follower that hangs, but the ticket does', async () => {
    const member = new Member(accept);
    member.outcome = never;
    expect((await member.sender.send(put)).status).toBe(201);
    expect(member.drained()).toBe(false);
  });

  it.each([
    ['the policy is both', { percent: {} }, { ackPolicy: 'both' as const }],
    ['the follower serves reads', { percent: { read: 1 } }, {}],
  ])('waits for the copy while %s, up to a deadline', async (_title, options, spec) => {
    const member = new Member(accept, [options]);
    const state = { spec: { ...member.state().spec, ...spec } };
    member.learn({}, 'products', state as never);
    let settleCopy: (outcome: 'applied') => void = () => undefined;
    member.outcome = new Promise((resolve) => (settleCopy = resolve));
    let answered = false;
    const answer = member.sender.send(put).then(() => (answered = true));
    await member.time.advance(1_999);
    expect(answered).toBe(false);
    settleCopy('applied');
    await answer;
    member.outcome = never;
    const late = member.sender.send(put);
    await member.time.advance(2_001);
    expect((await late).status).toBe(201);
    expect(member.events).toContainEqual({ kind: 'ack_timeout', slug: 'products' });
  });

  it.each([
    ['a write', { ...put, path: '/products/_doc/1?refresh=true' }, written()],
    [
      'a bulk',
      { method: 'POST', path: '/products/_bulk?refresh=true', body: '{"index":{"_id":"1"}}\n{}\n' },
      { took: 1, errors: false, items: [{ index: { ...written(), status: 201 } }] },
    ],
  ])(
    'of %s under way when reads of the follower begin waits for the copy, which is refreshed',
    async (_t, sent, body) => {
      let answerNow: (answer: { status: number; body: unknown }) => void = () => undefined;
      const member = new Member(() => new Promise((resolve) => (answerNow = resolve)));
      let settleCopy: (outcome: 'applied') => void = () => undefined;
      member.outcome = new Promise((resolve) => (settleCopy = resolve));
      let answered = false;
      const answer = member.sender.send(sent).then(() => (answered = true));
      await member.time.settle();
      member.learn({}, 'products', { percent: { ...member.state().percent, read: 5 } });
      answerNow({ status: 200, body });
      await member.time.settle();
      expect([member.offered.map(({ refresh }) => refresh), answered]).toEqual([['true'], false]);
      settleCopy('applied');
      await answer;
    },
  );

  it('passes a refresh on to the follower only while it serves reads', async () => {
    const refresh = { ...put, path: '/products/_doc/1?refresh=wait_for' };
    const quiet = new Member(accept);
    await quiet.sender.send(refresh);
    const serving = new Member(accept, [{ percent: { read: 5 } }]);
    await serving.sender.send(refresh);
    expect([quiet.offered[0]?.refresh, serving.offered[0]?.refresh]).toEqual([undefined, 'wait_for']);
  });
});

describe('a post-image that the request does not hold', () => {
  const readBack =
    (doc: unknown): Script =>
    ({ path }) =>
      path.includes('_mget') ? { body: { docs: [doc] } } : { status: 201, body: written() };
  const found = { _index: 'products_v1', _id: '1', _seq_no: 7, _primary_term: 1, found: true, _source: { stored: 1 } };

  it('is read back in real time, with its stamp', async () => {
    const member = new Member(readBack(found));
    await member.sender.send({ ...put, path: '/products/_doc/1?pipeline=p&routing=r' });
    await member.time.settle();
    expect(member.seen.find(({ path }) => path.includes('_mget'))).toMatchObject({
      path: '/products_v1/_mget?realtime=true',
      body: '{"docs":[{"_id":"1","routing":"r"}]}',
    });
    const [copy] = member.offered;
    expect(unpackStamp('narrow', copy?.stamp as bigint)).toEqual({ reign: 1, term: 1, seq: 7 });
    expect(copy?.op === 'index' && Buffer.from(copy.source).toString()).toBe('{"stored":1}');
    expect(member.left).toEqual([]);
  });

  describe('when it shows another write, which may be on the primary alone', () => {
    const stampOf = (seq: number): string => packStamp('narrow', { reign: 1, term: 1, seq }).toString();
    const told = { reign: 1, ordinal: 0 };
    /** What the authority shows, and what the follower shows at each look at it. */
    const overtaken = async (over: object, ...follower: object[]): Promise<Member> => {
      let looks = 0;
      const member = new Member((request, n) => {
        if (request.side === 'source' || !request.path.includes('_mget'))
          return readBack({ ...found, ...over })(request, n);
        return { body: { docs: [follower[Math.min(looks++, follower.length - 1)]] } };
      });
      await member.sender.send({ ...put, path: '/products/_doc/1?pipeline=p' });
      for (let i = 0; i < 4; i++) await member.time.advance(200);
      expect([member.offered, member.unknown, member.drained()]).toEqual([[], [], true]);
      return member;
    };
    const shows = (seq: number) => ({ ...found, _version: Number(stampOf(seq)) });
    const absent = { ...found, found: false };

    it.each([
      ['a later one of the same primary', { _seq_no: 8 }],
      ['one under another primary', { _primary_term: 2 }],
    ])('is left to the tail if the follower never shows it: %s', async (_, over) => {
      for (const follower of [absent, shows(6), { error: 'no' }])
        expect(await overtaken(over, follower)).toMatchObject({
          left: [{ ...told, writes: 1 }],
          arrived: [],
          notCopied: [{ slug: 'products', ...told, id: '1', routing: undefined, stamp: BigInt(stampOf(7)) }],
        });
    });

    it.each([7, 8])('counts as copied once the follower shows number %i', async (seq) => {
      expect(await overtaken({ _seq_no: 8 }, absent, shows(6), shows(seq))).toMatchObject({
        left: [],
        arrived: [told],
        notCopied: [],
      });
    });
  });

  it.each<[string, unknown, boolean]>([
    ['cannot be read', { error: { type: 'x' } }, true],
    ['is shown without its content', { ...found, _source: undefined }, true],
    ['is gone, which is told by whoever deleted it', { ...found, found: false }, false],
  ])('is left to the tail, and is not on the follower, when it %s', async (_how, doc, isMarked) => {
    const member = new Member(readBack(doc));
    await member.sender.send({ ...put, path: '/products/_doc/1?pipeline=p&routing=r' });
    await member.time.settle();
    const stamp = packStamp('narrow', { reign: 1, term: 1, seq: 7 });
    expect(member.left).toEqual([{ reign: 1, ordinal: 0, writes: 1 }]);
    expect(member.notCopied).toEqual(
      isMarked ? [{ slug: 'products', ordinal: 0, id: '1', routing: 'r', reign: 1, stamp }] : [],
    );
  });

  it('is read back under the routing it is stored with, which a pipeline may have set', async () => {
    const member = new Member(readBack({ ...found, _routing: 'set by a pipeline' }));
    await member.sender.send({ ...put, path: '/products/_doc/1?pipeline=p' });
    await member.time.settle();
    expect(member.offered).toMatchObject([{ id: '1', routing: 'set by a pipeline' }]);
  });

  it('is read back for a body that is not JSON', async () => {
    const member = new Member(readBack(found));
    const headers = { 'content-type': 'application/yaml', accept: 'application/json' };
    await member.sender.send({ ...put, body: 'x: 1', headers });
    await member.time.settle();
    expect(member.offered).toHaveLength(1);
  });

  it.each<[string, { method: string; path: string; body?: string }, boolean, string]>([
    ['a write', { method: 'POST', path: '/products/_doc', body: 'x: 1' }, false, 'created'],
    [
      'an update that may have done nothing',
      { method: 'POST', path: '/products/_update/1', body: 'doc: {}' },
      true,
      'noop',
    ],
    ['a delete', { method: 'DELETE', path: '/products/_doc/1' }, true, 'deleted'],
  ])(
    'is left to the tail for %s whose answer is not JSON: no number of it is known',
    async (_, sent, mayDelete, result) => {
      const member = new Member(() => ({ status: 200, body: `---\nresult: "${result}"\n` }));
      const got = await member.sender.send({ ...sent, headers: { 'content-type': 'application/yaml' } });
      await member.time.settle();
      expect(got.text).toBe(`---\nresult: "${result}"\n`);
      expect(member.seen).toHaveLength(1);
      expect(member.offered).toEqual([]);
      expect([member.left, member.unknown]).toEqual([[{ reign: 1, ordinal: 0, writes: 1 }], [mayDelete]]);
    },
  );

  it('is awaited from the tail by a client whose reads the follower may serve', async () => {
    let pass = (): void => undefined;
    const tailPassed = () => new Promise<void>((resolve) => void (pass = resolve));
    const member = new Member(() => ({ status: 201, body: '---\nresult: "created"\n' }), [{ percent: { read: 50 } }], {
      tailPassed,
    });
    let answered = false;
    const answer = member.sender.send({
      ...put,
      headers: { accept: 'application/yaml', 'content-type': 'application/json' },
    });
    void answer.then(() => (answered = true));
    await member.time.settle();
    expect(answered).toBe(false);
    pass();
    expect((await answer).status).toBe(201);
  });

  it('is asked of the primary when a replica does not show the write yet', async () => {
    const member = new Member(({ path }) => {
      if (!path.includes('_mget')) return { status: 201, body: written() };
      return { body: { docs: [path.includes('preference=_primary') ? found : { ...found, _seq_no: 6 }] } };
    });
    await member.sender.send({ ...put, path: '/products/_doc/1?pipeline=p' });
    await member.time.settle();
    expect(unpackStamp('narrow', member.offered[0]?.stamp as bigint)).toMatchObject({ seq: 7 });
  });

  it('is never taken from a replica that lags behind', async () => {
    const member = new Member(({ path }) => {
      if (!path.includes('_mget')) return { status: 201, body: written() };
      return path.includes('preference') ? { status: 400, body: {} } : { body: { docs: [{ ...found, _seq_no: 6 }] } };
    });
    await member.sender.send({ ...put, path: '/products/_doc/1?pipeline=p' });
    await member.time.settle();
    expect([member.offered, member.unknown]).toEqual([[], [false]]);
  });

  it('leaves a sweep to do when the document is gone meanwhile', async () => {
    const member = new Member(readBack({ _index: 'products_v1', _id: '1', found: false }));
    await member.sender.send({ ...put, path: '/products/_doc/1?pipeline=p' });
    await member.time.settle();
    expect([member.sweeps, member.offered, member.drained()]).toEqual([['unknown_delete'], [], true]);
  });

  it('is an unknown outcome when it cannot be read', async () => {
    const member = new Member(({ path }) => (path.includes('_mget') ? { status: 403, body: {} } : { body: written() }));
    await member.sender.send({ ...put, path: '/products/_doc/1?pipeline=p' });
    await member.time.settle();
    expect([member.unknown, member.offered]).toEqual([[false], []]);
  });

  it('is an unknown outcome when no stamp has room for it', async () => {
    const member = new Member(() => ({ body: written({ _primary_term: 5000 }) }));
    await member.sender.send(put);
    await member.time.settle();
    expect([member.unknown, member.offered]).toEqual([[false], []]);
    expect(member.events).toContainEqual({ kind: 'stamp_overflow', slug: 'products' });
    expect(member.notCopied).toMatchObject([{ id: '1', reign: 1, stamp: undefined }]);
  });

  it('asks for the index’s own pipelines once, once more for what it copied on the answer’s word, and again later', async () => {
    const member = new Member(accept);
    const asked = () => member.seen.filter(({ path }) => path.includes('_settings')).length;
    await member.sender.send(put);
    await member.sender.send(put);
    expect(asked()).toBe(1);
    await member.time.advance(30_001);
    expect(asked()).toBe(2);
    await member.sender.send(put);
    expect(asked()).toBe(3);
    await member.sender.send({ method: 'DELETE', path: '/products/_doc/1' });
    expect(asked()).toBe(3);
  });
});

describe('an index that is given a pipeline', () => {
  const given = { products_v1: { settings: { 'index.default_pipeline': 'p' } } };
  const doc = { ...written(), found: true, _source: { made: 1 } };
  const script: Script = ({ path }) => {
    if (path.includes('_mget')) return { body: { docs: [doc] } };
    if (path.includes('_bulk')) {
      const items = [{ index: { ...written(), status: 201 } }];
      return { body: { took: 1, ingest_took: 1, errors: false, items } };
    }
    return { body: written({ _id: /_doc\/(\w+)/.exec(path)?.[1] }) };
  };
  /** `failing`: so many repairs fail first. */
  const repairing = (failing = 0) => {
    const repaired: [string[], string | undefined][] = [];
    const repairIds: WriteDeps['repairIds'] = async (_state, keys, overwrite) => {
      repaired.push([keys.map(({ id }) => id), overwrite]);
      if (repaired.length <= failing) throw new CrossfadeError('UPSTREAM_TIMEOUT');
      return 0;
    };
    const member = new Member(script, [{}], { repairIds });
    const write = async (id: string) => {
      await member.sender.send({ ...put, path: `/products/_doc/${id}` });
      await member.time.settle();
    };
    return { member, repaired, write };
  };

  it('has those documents copied anew that were copied as sent since it was last asked', async () => {
    const { member, repaired, write } = repairing();
    await write('first');
    await write('a');
    await write('b');
    member.settings = given;
    await member.time.advance(1_001);
    await write('c');
    expect(repaired).toEqual([[['a', 'b'], 'same_stamp']]);
    expect(member.offered.map((copy) => copy.op === 'index' && Buffer.from(copy.source).toString()).at(-1)).toBe(
      '{"made":1}',
    );
    await member.time.advance(1_001);
    await write('d');
    expect(repaired).toHaveLength(1);
  });

  it('has none copied anew after an answer that it still has none', async () => {
    const { member, repaired, write } = repairing();
    for (const id of ['a', 'b']) await write(id);
    await member.time.advance(1_001);
    member.settings = given;
    await member.time.advance(1_001);
    await write('c');
    expect(repaired).toEqual([]);
  });

  it('keeps them in mind while it cannot be asked', async () => {
    const { member, repaired, write } = repairing();
    for (const id of ['a', 'b']) await write(id);
    member.settings = undefined;
    await member.time.advance(1_001);
    await write('c');
    expect(repaired).toEqual([]);
    member.settings = given;
    await member.time.advance(1_001);
    await write('d');
    expect(repaired).toEqual([[['b'], 'same_stamp']]);
  });

  it('has them copied anew within a second though nobody writes to it any more', async () => {
    const { member, repaired, write } = repairing();
    for (const id of ['first', 'a', 'b']) await write(id);
    member.settings = given;
    await member.time.advance(1_001);
    expect(repaired).toEqual([[['a', 'b'], 'same_stamp']]);
    await member.time.advance(60_000);
    expect([repaired.length, member.time.pending]).toEqual([1, 0]);
  });

  it('has them copied anew before its member has drained, on the word of the authority that took them', async () => {
    const { member, repaired, write } = repairing();
    for (const id of ['first', 'a', 'b']) await write(id);
    member.settings = given;
    expect(member.admission.report('products')).toMatchObject({ inFlight: 0, drained: true });
    member.learn({ phase: 'target', reign: 2, epoch: 2 });
    expect(member.admission.report('products')).toMatchObject({ inFlight: 0, drained: false });
    await member.time.settle();
    expect(member.seen.at(-1)).toMatchObject({ side: 'source', path: expect.stringContaining('_settings') });
    expect(repaired).toEqual([[['a', 'b'], 'same_stamp']]);
    expect(member.admission.report('products')?.drained).toBe(true);
  });

  it('has those copied anew that were written while it was asked', async () => {
    const { member, repaired, write } = repairing();
    let answer = (_: Record<string, unknown>): void => undefined;
    member.settings = new Promise((resolve) => {
      answer = resolve;
    });
    for (const id of ['first', 'a']) await write(id);
    member.settings = given;
    answer({});
    await member.time.settle();
    expect(member.offered.map(({ id }) => id)).toEqual(['first', 'a']);
    await member.time.advance(1_001);
    expect(repaired).toEqual([[['a'], 'same_stamp']]);
  });

  it('has them copied anew once the follower can be reached again', async () => {
    const { member, repaired, write } = repairing(2);
    for (const id of ['first', 'a']) await write(id);
    member.settings = given;
    await member.time.advance(3_100);
    expect(repaired).toHaveLength(3);
    await member.time.advance(60_000);
    expect(repaired).toHaveLength(3);
  });

  it('has them copied anew on suspicion once it could not be asked before the phase ended', async () => {
    const { member, repaired, write } = repairing();
    for (const id of ['first', 'a']) await write(id);
    member.settings = undefined;
    await member.time.advance(2_500);
    expect(repaired).toEqual([]);
    member.learn({ epoch: 2 });
    await member.time.settle();
    expect(repaired).toEqual([[['a'], 'same_stamp']]);
    expect([member.admission.report('products')?.drained, member.time.pending]).toEqual([true, 0]);
  });

  it.each([
    ['an answer that differs from the one before', [{}, given], [true]],
    ['the same answer', [{}, {}], []],
    ['no answer, and then the same as before', [{}, undefined, {}], []],
    ['no answer, and then another one', [{}, undefined, given], [true]],
    ['a first answer after none', [undefined, given], []],
  ])('is put on record by %s', async (_title, answers, changes) => {
    const { member, write } = repairing();
    for (const answer of answers) {
      member.settings = answer;
      await write('a');
      await member.time.advance(1_001);
    }
    expect(member.events.flatMap((one) => (one.kind === 'pipeline_changed' ? [one.pipeline] : []))).toEqual(changes);
  });

  it('shows it in the answer of a bulk', async () => {
    const { member, repaired, write } = repairing();
    for (const id of ['a', 'b']) await write(id);
    const body = '{"index":{"_id":"1"}}\n{}\n';
    await member.sender.send({ method: 'POST', path: '/products/_bulk', body });
    await member.time.settle();
    expect(repaired).toEqual([[['b'], 'same_stamp']]);
  });
});

describe('refusals', () => {
  it('an index where an alias is required is the server’s own 404, and nothing is sent', async () => {
    const member = new Member(accept);
    const got = await member.sender.send({ ...put, path: '/products_v1/_doc/1?require_alias' });
    expect(got).toMatchObject({
      status: 404,
      json: { error: { type: 'index_not_found_exception', index: 'products_v1' } },
    });
    expect([member.seen, member.drained()]).toEqual([[], true]);
  });

  it('an external version on a route of internal versions', async () => {
    const member = new Member(accept);
    const got = await member.sender.send({ ...put, path: '/products/_doc/1?version=3&version_type=external' });
    expect(got).toMatchObject({ status: 400, headers: { 'x-crossfade-error': 'UNSUPPORTED' } });
    expect(member.seen).toEqual([]);
  });

  it('a write whose route went off while it was held is the source’s, under its own name', async () => {
    const member = new Member(accept);
    member.learn({ hold: { to: 'target', rehearsal: false, budgetMs: 2000, graceMs: 3000 } });
    const answer = member.sender.send(put);
    await member.time.settle();
    member.learn({ phase: 'off', hold: undefined as never });
    expect((await answer).status).toBe(201);
    expect(member.writes).toMatchObject([{ side: 'source', path: '/products/_doc/1' }]);
    expect([member.offered, member.drained()]).toEqual([[], true]);
  });
});

describe('a conflict, after which the client reads again', () => {
  const conflict = { status: 409, body: { error: { type: 'version_conflict_engine_exception' }, status: 409 } };
  const noted = async (path: string, percent: number, script: Script = () => conflict) => {
    const keys: unknown[] = [];
    const member = new Member(script, [{ percent: { read: percent } }], { onConflict: (key) => void keys.push(key) });
    const body = path.includes('_bulk') ? bulk : path.includes('_update') ? '{"doc":{}}' : put.body;
    await member.sender.send({ method: 'POST', path, body });
    return keys;
  };
  const bulk = [
    '{"index":{"_id":"a","routing":"r","if_seq_no":1,"if_primary_term":1}}\n{}\n',
    '{"create":{"_id":"b"}}\n{}\n',
    '{"index":{"_id":"c"}}\n{}\n',
  ].join('');
  const bulkConflicts: Script = () =>
    bulkAnswer(
      { index: { _index: 'products_v1', _id: 'a', status: 409, error: conflict.body.error } },
      { create: { _index: 'products_v1', _id: 'b', status: 409, error: conflict.body.error } },
      { index: { ...written({ _id: 'c' }), status: 201 } },
    );
  const key = (id: string, routing?: string) => ({ slug: 'products', ordinal: 0, id, routing });

  it.each<[string, string, number, unknown[]]>([
    ['an index', '/products/_doc/1?routing=r&if_seq_no=1&if_primary_term=1', 50, [key('1', 'r')]],
    ['an update', '/products/_update/1?if_seq_no=1&if_primary_term=1', 50, [key('1')]],
    ['a create, which has read nothing', '/products/_create/1', 50, []],
    ['an index while nobody reads from the follower', '/products/_doc/1?if_seq_no=1&if_primary_term=1', 0, []],
  ])('is told of %s', async (_what, path, percent, told) => {
    expect(await noted(path, percent)).toEqual(told);
  });

  it('is told of each such item of a bulk', async () => {
    expect(await noted('/products/_bulk', 50, bulkConflicts)).toEqual([key('a', 'r')]);
  });

  it('is not told of a write that was taken', async () => {
    expect(await noted('/products/_doc/1', 50, accept)).toEqual([]);
  });
});
