import { describe, expect, it } from 'vitest';
import type { DocKey } from '../../../src/coordination/ports.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import { oneClusterTableOf, routeState } from '../../support/routes.ts';
import { Member, type Script } from './member.ts';

const counts = (total: number, deleted = 0) => ({
  took: 1,
  timed_out: false,
  total,
  deleted,
  updated: total - deleted,
  failures: [],
});
const hit = (id: string) => ({ _index: 'products_v1', _id: id, _routing: `r${id}` });
const found = (ids: string[], total = ids.length) => ({
  body: {
    timed_out: false,
    _shards: { failed: 0 },
    hits: { total: { value: total, relation: 'eq' }, hits: ids.map(hit) },
  },
});

/** A shard without any copy is not told as failed. */
const foundByHalf = (ids: string[]): ReturnType<typeof found> => {
  const { body } = found(ids);
  return { body: { ...body, _shards: { total: 2, successful: 1, failed: 0 } as { failed: number } } };
};

const script =
  (answers: { enumerated?: ReturnType<typeof found>; done: unknown; fenced?: boolean }): Script =>
  ({ method, path }) => {
    if (method === 'HEAD') return { status: answers.fenced === true && path.includes('-e1') ? 200 : 404, body: '' };
    if (path.includes('_search')) return answers.enumerated ?? { status: 400, body: {} };
    return { body: answers.done };
  };

/** `present`: of the documents that were found before, how many the authority still has. */
const repairing = (present = 0) => {
  const repaired: DocKey[][] = [];
  return {
    repaired,
    deps: {
      repairIds: async (_: unknown, keys: readonly DocKey[]) => {
        repaired.push([...keys]);
        return keys.length - present;
      },
    },
  };
};

const deleteByQuery = {
  method: 'POST',
  path: '/products/_delete_by_query?q=x&filter_path=deleted',
  body: '{"query": {"range":{"n":{"gt":1.0}}} ,"max_docs":5}',
};

const intoProducts = '{"source":{"index":"other"},"dest":{"index":"products"}}';
const update = { method: 'POST', path: '/products_v1/_update_by_query', body: '{}' };

describe('delete by query', () => {
  it('finds the ids first, runs on the authority and repairs them', async () => {
    const { repaired, deps } = repairing();
    const member = new Member(script({ enumerated: found(['1', '2']), done: counts(2, 2) }), [{}], deps);
    const got = await member.sender.send(deleteByQuery);
    await member.time.settle();
    expect(got.text).toBe('{"deleted":2}');
    expect(member.seen).toEqual([
      {
        side: 'source',
        method: 'POST',
        path: '/products_v1/_search?q=x',
        body: '{"query":{"range":{"n":{"gt":1.0}}},"_source":false,"size":10000,"track_total_hits":10001}',
      },
      { side: 'source', method: 'POST', path: '/crossfade-products-e1/_delete_by_query?q=x', body: deleteByQuery.body },
    ]);
    expect(repaired).toEqual([
      [
        { slug: 'products', ordinal: 0, id: '1', routing: 'r1' },
        { slug: 'products', ordinal: 0, id: '2', routing: 'r2' },
      ],
    ]);
    expect([member.sweeps, member.drained()]).toEqual([[], true]);
  });

  it.each([
    ['there were more than could be listed', { enumerated: found(['1'], 2), done: counts(1, 1) }],
    ['the query matched other documents than the search', { enumerated: found(['1']), done: counts(2, 2) }],
    ['the search was refused', { done: counts(1, 1) }],
    ['the search missed a shard', { enumerated: foundByHalf(['1']), done: counts(1, 1) }],
    ['the answer tells no counts', { enumerated: found(['1']), done: {} }],
  ])('leaves a sweep to do when %s', async (_title, answers) => {
    const member = new Member(script(answers), [{}], repairing().deps);
    const answer = member.sender.send(deleteByQuery);
    await member.time.advance(1);
    await answer;
    await member.time.settle();
    expect(member.sweeps).toEqual(['by_query']);
  });

  it('leaves a sweep to do when what it deleted was not what was found before', async () => {
    const member = new Member(script({ enumerated: found(['1', '2']), done: counts(2, 2) }), [{}], repairing(1).deps);
    await member.sender.send(deleteByQuery);
    await member.time.settle();
    expect(member.sweeps).toEqual(['by_query']);
  });

  it('leaves nothing to do when nothing was deleted', async () => {
    const { repaired, deps } = repairing();
    const member = new Member(script({ enumerated: found([]), done: counts(0) }), [{}], deps);
    const answer = member.sender.send(deleteByQuery);
    await member.time.advance(1);
    await answer;
    expect([repaired, member.sweeps]).toEqual([[], []]);
  });

  it('leaves a sweep to do when the repair fails', async () => {
    const deps = { repairIds: () => Promise.reject(new CrossfadeError('UPSTREAM_UNREACHABLE')) };
    const member = new Member(script({ enumerated: found(['1']), done: counts(1, 1) }), [{}], deps);
    await member.sender.send(deleteByQuery);
    await member.time.settle();
    expect([member.sweeps, member.drained()]).toEqual([['by_query'], true]);
  });

  it.each([
    ['all were listed', found(['1', '2']), 2, []],
    ['more than can be listed', found(['1'], 20_000), 20_000, ['products']],
    ['a shard did not list its own', foundByHalf(['1']), 2, ['products']],
    ['it deleted nothing', found(['1'], 20_000), 0, []],
  ])(
    'says that only a sweep finds what it deleted unless it can be named: %s',
    async (_t, enumerated, deleted, told) => {
      const unlisted: string[] = [];
      const deps = { ...repairing().deps, onUnlistedDeletes: ({ slug }: { slug: string }) => void unlisted.push(slug) };
      const member = new Member(script({ enumerated, done: counts(deleted, deleted) }), [{}], deps);
      const answer = member.sender.send(deleteByQuery);
      await member.time.advance(1);
      await answer;
      expect(unlisted).toEqual(told);
    },
  );

  it('needs no search while no copies are made', async () => {
    const member = new Member(script({ done: counts(1, 1) }), [{ phase: 'observe' }], repairing().deps);
    await member.sender.send(deleteByQuery);
    expect(member.seen).toHaveLength(1);
    expect(member.sweeps).toEqual([]);
  });

  it('tells how many numbers of the authority it took, which no copy will', async () => {
    const member = new Member(script({ done: counts(7, 3) }), [{}], repairing().deps);
    await member.sender.send(deleteByQuery);
    await member.time.settle();
    expect(member.left).toEqual([{ reign: 1, ordinal: 0, writes: 7 }]);
    const off = new Member(script({ done: counts(7, 3) }), [{ phase: 'observe' }]);
    await off.sender.send(deleteByQuery);
    expect(off.left).toEqual([]);
  });

  it('whose counts cannot be read is put on record, and one that was refused is not', async () => {
    const member = new Member(script({ done: '---' }));
    const answer = member.sender.send(deleteByQuery);
    await member.time.advance(1);
    await answer;
    await member.time.settle();
    expect([member.unknown, member.left]).toEqual([[false], []]);
    const refused = new Member(({ path }) => (path.includes('_search') ? found([]) : { status: 400, body: {} }));
    await refused.sender.send(deleteByQuery);
    await refused.time.settle();
    expect([refused.unknown, refused.sweeps]).toEqual([[], []]);
  });

  it('whose answer is lost is put on record', async () => {
    const member = new Member(({ path }) =>
      path.includes('_search') ? found([]) : new CrossfadeError('UPSTREAM_RESET'),
    );
    expect((await member.sender.send(deleteByQuery)).status).toBe(502);
    expect([member.unknown, member.drained()]).toEqual([[true], true]);
  });
});

describe('an answer that is no JSON', () => {
  it.each([
    ['/products/_update_by_query', '{}'],
    ['/_reindex', intoProducts],
  ])('of %s is filtered by the cluster, which alone can', async (path, body) => {
    const member = new Member(script({ done: 'total: 0\n' }));
    const sent = member.sender.send({ method: 'POST', path: `${path}?format=yaml&filter_path=total`, body });
    await member.time.advance(1_000);
    await sent;
    expect(member.writes[0]?.path).toMatch(/[?&]filter_path=total(&|$)/);
  });
});

describe('update by query', () => {
  it('is left to the tail, unless its script deleted', async () => {
    const member = new Member(script({ done: counts(3) }));
    await member.sender.send(update);
    await member.time.settle();
    expect(member.sweeps).toEqual([]);
    const deleting = new Member(script({ done: counts(3, 1) }));
    await deleting.sender.send(update);
    await deleting.time.settle();
    expect(deleting.sweeps).toEqual(['by_query']);
  });

  it.each([
    ['that found nothing because of the fence', counts(0)],
    ['whose answer is no JSON, and may have found nothing,', '---\ntotal: 0\n'],
  ])('%s is run again under the newer phase', async (_title, done) => {
    const member = new Member(script({ done, fenced: true }));
    const answer = member.sender.send(update);
    await member.time.advance(1);
    expect(member.writes).toHaveLength(1);
    member.learn({ phase: 'target', epoch: 2 });
    await member.time.advance(1);
    expect((await answer).status).toBe(200);
    expect(member.writes.map(({ side, path }) => [side, path])).toEqual([
      ['source', '/crossfade-products-e1/_update_by_query'],
      ['target', '/crossfade-products-e2/_update_by_query'],
    ]);
  });

  /** A newer phase comes while the first run is under way. */
  const overtaken = (answering: Script): Member => {
    const member: Member = new Member((request, n) => {
      if (request.path.includes('-e1/_update_by_query')) member.learn({ epoch: 2 });
      return answering(request, n);
    });
    return member;
  };
  it('is not run twice when a newer phase comes while its answer tells no counts', async () => {
    const member = overtaken(script({ done: '---\ntotal: 3\n' }));
    const answer = member.sender.send(update);
    await member.time.advance(1);
    expect([(await answer).status, member.writes.length]).toEqual([200, 1]);
  });

  const asTask =
    (fenced: boolean, total: number): Script =>
    ({ method, path }) => {
      if (method === 'HEAD') return { status: fenced ? 200 : 404, body: '' };
      return path.includes('_tasks')
        ? { body: { completed: true, response: counts(total) } }
        : { body: { task: 'n:7' } };
    };
  it.each([
    ['its alias is open', false, 3, 1],
    ['its alias is closed and it had begun before', true, 3, 1],
    ['its alias is closed and it reached nothing', true, 0, 2],
  ])('as a task, when a newer phase comes and %s, is run so often', async (_title, fenced, total, times) => {
    const member = overtaken(asTask(fenced, total));
    const answer = member.sender.send({ ...update, path: `${update.path}?wait_for_completion=false` });
    for (let i = 0; i < 4; i++) await member.time.advance(300);
    expect(member.writes).toHaveLength(times);
    void answer;
  });

  it('as a task keeps its ticket until the task has ended, and names the side in its id', async () => {
    let completed = false;
    const member = new Member(
      ({ method, path }) => {
        if (method === 'HEAD') return { status: 404, body: '' };
        if (path.includes('_tasks')) return { body: { completed, ...(completed ? { response: counts(2, 1) } : {}) } };
        return { body: { task: 'node:7' } };
      },
      [{}],
      { wrapTaskId: (task, { side, reign }) => `${side}${reign}.${task}` },
    );
    const answer = member.sender.send({ ...update, path: `${update.path}?wait_for_completion=false` });
    await member.time.advance(1);
    expect((await answer).json).toEqual({ task: 'source1.node:7' });
    await member.time.advance(60_000);
    expect([member.drained(), member.sweeps]).toEqual([false, []]);
    completed = true;
    await member.time.advance(5_001);
    expect([member.drained(), member.sweeps, member.left]).toMatchObject([true, ['by_query'], [{ writes: 2 }]]);
    expect(member.seen.find(({ path }) => path.includes('_tasks'))?.path).toBe('/_tasks/node%3A7');
  });

  it('names other indices as the target does, once that has the authority', async () => {
    const query = (index: string) => `{"query":{"terms":{"id":{"index":"${index}","id":"1","path":"ids"}}}}`;
    const member = new Member(script({ done: counts(1) }), [{ phase: 'target' }]);
    await member.sender.send({ ...update, body: query('products_v1') });
    expect(member.writes).toMatchObject([{ side: 'target', body: query('products_v2') }]);
    for (const body of [query('elsewhere'), '{"query":{"wildcard":{"_index":"products_*"}}}'])
      expect((await member.sender.send({ ...update, body })).status).toBe(400);
    expect((await member.sender.send({ ...update, path: `${update.path}?q=_index:products*` })).status).toBe(400);
    expect([member.writes.length, member.drained()]).toEqual([1, true]);
    const word = '{"query":{"term":{"name":"products_index"}}}';
    expect((await member.sender.send({ ...update, body: word })).status).toBe(200);
  });

  describe('looks up documents of a route that has moved', () => {
    const query = (index: string) => `{"query":{"terms":{"id":{"index":"${index}","id":"1","path":"ids"}}}}`;
    const moved = { slug: 'moved', phase: 'target', indices: [{ source: 'm1', target: 'm2' }], aliases: [] } as const;

    it('not from the source, which is not current any more', async () => {
      const member = new Member(script({ done: counts(1) }), [{}, moved]);
      expect(await member.sender.send({ ...update, body: query('m1') })).toMatchObject({
        status: 400,
        headers: { 'x-crossfade-error': 'MIXED_ROUTES' },
      });
      expect([member.writes, member.drained()]).toEqual([[], true]);
    });

    it('by its new name within one cluster', async () => {
      const member = new Member(script({ done: counts(1) }), [{}, moved], { sameCluster: true });
      await member.sender.send({ ...update, body: query('m1') });
      expect(member.writes).toMatchObject([{ side: 'source', body: query('m2') }]);
    });

    it('and does not guess at names in YAML', async () => {
      const member = new Member(script({ done: counts(1) }), [{ phase: 'target' }]);
      const yaml = { 'content-type': 'application/yaml' };
      const got = await member.sender.send({ ...update, headers: yaml, body: 'query: {terms: {id: {index: m1}}}' });
      expect(got.headers['x-crossfade-error']).toBe('UNSUPPORTED');
    });
  });

  it('through an alias with routing takes no other routing', async () => {
    const routes = [{ aliases: [{ name: 'eu', routing: 'r' }] }];
    const member = new Member(script({ done: counts(1) }), routes);
    await member.sender.send({ ...update, path: '/eu/_update_by_query' });
    expect(member.writes[0]?.path).toBe('/crossfade-products-e1/_update_by_query?routing=r');
    expect((await member.sender.send({ ...update, path: '/eu/_update_by_query?routing=q' })).status).toBe(400);
  });
});

describe('while reads may be served by the follower', () => {
  const serving = [{ percent: { read: 5 } }];
  const refreshes = ({ seen }: Member) =>
    seen.filter(({ path }) => path.includes('_refresh')).map(({ side, path }) => [side, path]);

  it.each([
    ['an update', update, counts(2)],
    ['a delete', deleteByQuery, counts(2, 2)],
  ])(
    '%s by query is repaired, and refreshed when the client asks for it, before the answer',
    async (_t, sent, done) => {
      const { repaired, deps } = repairing();
      const member = new Member(script({ enumerated: found(['1', '2']), done }), serving, deps);
      const path = `${sent.path}${sent.path.includes('?') ? '&' : '?'}refresh=true`;
      expect((await member.sender.send({ ...sent, path })).status).toBe(200);
      expect(repaired.map((keys) => keys.map(({ id }) => id))).toEqual([['1', '2']]);
      expect(refreshes(member)).toEqual([['target', '/products_v2/_refresh?ignore_unavailable=true']]);
      expect(member.sweeps).toEqual([]);
    },
  );

  it.each([
    [200, true],
    [503, false],
  ])('a refresh that the follower answers with %i is noted as carried out: %s', async (status, isDone) => {
    const { deps } = repairing();
    const answer = script({ enumerated: found(['1']), done: counts(1) });
    const noted: boolean[] = [];
    const member = new Member((seen, n) => (seen.side === 'target' ? { status, body: {} } : answer(seen, n)), serving, {
      ...deps,
      refreshes: { begin: () => (done) => void noted.push(done) },
    });
    await member.sender.send({ ...update, path: `${update.path}?refresh` });
    expect(noted).toEqual([isDone]);
  });

  it('an update of more than can be listed is left to the tail, without a sweep', async () => {
    const { repaired, deps } = repairing();
    const member = new Member(script({ enumerated: found(['1'], 2), done: counts(2) }), serving, deps);
    await member.sender.send(update);
    expect([repaired.length, member.sweeps, refreshes(member)]).toEqual([1, [], []]);
  });

  const changes: [string, () => Parameters<Member['sender']['send']>[0], ReturnType<typeof found> | undefined][] = [
    ['a reindex', () => ({ method: 'POST', path: '/_reindex?refresh', body: intoProducts }), undefined],
    ['an update of more than can be listed', () => ({ ...update, path: `${update.path}?refresh` }), found(['1'], 2)],
  ];

  it.each(changes)(
    '%s is answered when the tail has been there, and the follower refreshed',
    async (_t, sent, enumerated) => {
      let pass: (() => void) | undefined;
      const tailPassed = () => new Promise<void>((resolve) => void (pass = resolve));
      const { deps } = repairing();
      const member = new Member(script({ ...(enumerated && { enumerated }), done: counts(2) }), serving, {
        ...deps,
        tailPassed,
      });
      let status: number | undefined;
      const answered = member.sender.send(sent()).then((got) => void (status = got.status));
      await member.time.settle();
      expect([status, refreshes(member).length, member.drained()]).toEqual([
        undefined,
        enumerated === undefined ? 0 : 1,
        true,
      ]);
      pass?.();
      await answered;
      expect([status, refreshes(member).at(-1)]).toEqual([
        200,
        ['target', '/products_v2/_refresh?ignore_unavailable=true'],
      ]);
    },
  );

  it.each(changes)('%s is answered all the same when the tail does not come', async (_t, sent, enumerated) => {
    let waiting: AbortSignal | undefined;
    const tailPassed = (_: unknown, signal: AbortSignal) => new Promise<void>(() => void (waiting = signal));
    const { deps } = repairing();
    const member = new Member(script({ ...(enumerated && { enumerated }), done: counts(2) }), serving, {
      ...deps,
      tailPassed,
    });
    const answered = member.sender.send(sent());
    await member.time.advance(4000);
    expect((await answered).status).toBe(200);
    expect([waiting?.aborted, member.events.at(-1)?.kind]).toEqual([true, 'ack_timeout']);
  });

  it('a reindex that was refused, or one whose follower nobody reads, waits for no tail', async () => {
    const tailPassed = () => Promise.reject(new Error('asked'));
    const sent = changes[0]?.[1]() as Parameters<Member['sender']['send']>[0];
    const refused = new Member(() => ({ status: 400, body: { error: { type: 'x' }, status: 400 } }), serving, {
      tailPassed,
    });
    expect((await refused.sender.send(sent)).status).toBe(400);
    const unread = new Member(script({ done: counts(1) }), [{}], { tailPassed });
    expect((await unread.sender.send(sent)).status).toBe(200);
  });

  it('a failed repair of an update needs no sweep', async () => {
    const deps = { repairIds: () => Promise.reject(new CrossfadeError('UPSTREAM_UNREACHABLE')) };
    const member = new Member(script({ enumerated: found(['1']), done: counts(1) }), serving, deps);
    await member.sender.send(update);
    expect(member.sweeps).toEqual([]);
  });
});

it('an update by query needs no ids while nobody reads from the follower', async () => {
  const { repaired, deps } = repairing();
  const member = new Member(script({ enumerated: found(['1']), done: counts(1) }), [{}], deps);
  await member.sender.send(update);
  expect([repaired, member.seen.filter(({ path }) => path.includes('_search'))]).toEqual([[], []]);
});

describe('reindex', () => {
  const reindex = (source: string, dest: string, more = '') => ({
    method: 'POST',
    path: '/_reindex',
    body: `{"source":{"index":${JSON.stringify(source)}${more}}, "dest":{"index":"${dest}"}}`,
  });
  const moved = { slug: 'moved', phase: 'target', indices: [{ source: 'm1', target: 'm2' }], aliases: [] } as const;
  const run = async (sent: ReturnType<typeof reindex>, done: unknown = counts(3), deps = {}) => {
    const member = new Member(script({ done }), [{}, moved], deps);
    const answer = member.sender.send(sent);
    await member.time.advance(1);
    return { member, got: await answer };
  };

  it.each([
    ['other', 'products', 'source', '"other"}, "dest":{"index":"crossfade-products-e1"'],
    ['products', 'other', 'source', '"products"}, "dest":{"index":"other"'],
    ['m1', 'm1-copy', undefined, ''],
    ['other', 'm1', undefined, ''],
    ['m1', 'products', undefined, ''],
    ['products,m1', 'other', undefined, ''],
  ])('from %s into %s runs on %s', async (source, dest, side, body) => {
    const { member, got } = await run(reindex(source, dest));
    if (side === undefined) expect(got).toMatchObject({ status: 400, headers: { 'x-crossfade-error': 'UNSUPPORTED' } });
    else expect(member.writes).toMatchObject([{ side, body: expect.stringContaining(body) }]);
    expect([member.drained(), member.drained('moved')]).toEqual([true, true]);
  });

  it('within one cluster may read from a moved route', async () => {
    const { member } = await run(reindex('m1', 'products'), counts(1), { sameCluster: true });
    expect(member.writes[0]?.body).toBe('{"source":{"index":["m2"]}, "dest":{"index":"crossfade-products-e1"}}');
  });

  it.each([
    ['products_v2', '["products_v1"]'],
    [['products_v2', 'products'], '["products_v1"]'],
    ['products', '"products"'],
    ['products_v1', '"products_v1"'],
  ])('within one cluster reads %j from the authority while the follower is being filled', async (source, read) => {
    const sent = reindex('x', 'other');
    const body = sent.body.replace('"x"', JSON.stringify(source));
    const deps = { table: () => oneClusterTableOf(routeState()) };
    const { member } = await run({ ...sent, body }, counts(1), { ...deps, sameCluster: true });
    expect(member.writes[0]?.body).toBe(`{"source":{"index":${read}}, "dest":{"index":"other"}}`);
  });

  describe('whose query names a route that has moved', () => {
    const terms = (index: string) => `{"terms":{"id":{"index":"${index}","id":"1","path":"ids"}}}`;
    const ofIndex = (index: string) => `{"term":{"_index":"${index}"}}`;
    const withQuery = (source: string, dest: string, query: string) => reindex(source, dest, `,"query":${query}`);
    const refused = (code: string) => ({ status: 400, headers: { 'x-crossfade-error': code } });

    it.each([
      ['into a route', 'products'],
      ['between indices without one', 'elsewhere'],
    ])('%s does not look documents up where they are stale', async (_title, dest) => {
      const { got, member } = await run(withQuery('other', dest, terms('m1')));
      expect(got).toMatchObject(refused('MIXED_ROUTES'));
      expect([member.writes, member.drained()]).toEqual([[], true]);
    });

    it.each([
      ['looks documents up', terms],
      ['selects by the index', ofIndex],
    ])('within one cluster %s by the name it has there', async (_title, query) => {
      const { member } = await run(withQuery('m1', 'products', query('m1')), counts(1), { sameCluster: true });
      const [source, dest] = ['{"source":{"index":["m2"],"query":', '}, "dest":{"index":"crossfade-products-e1"}}'];
      expect(member.writes.map(({ body }) => body)).toEqual([`${source}${query('m2')}${dest}`]);
    });

    it('within one cluster selects an index that has not moved by its own name', async () => {
      const sent = withQuery('products_v1', 'm1', ofIndex('products_v1'));
      const { member } = await run(sent, counts(1), { sameCluster: true });
      expect(member.writes).toMatchObject([{ side: 'target', body: expect.stringContaining(ofIndex('products_v1')) }]);
    });

    it('in words that mean something else under its new name is refused', async () => {
      const query = '{"wildcard":{"_index":"m1*"}}';
      const { got } = await run(withQuery('m1', 'products', query), counts(1), { sameCluster: true });
      expect(got).toMatchObject(refused('UNSUPPORTED'));
    });

    it('of another cluster is left as it is', async () => {
      const body = `{"source":{"remote":{"host":"http://x"},"index":"m1","query":${terms('m1')}},"dest":{"index":"products"}}`;
      const { member } = await run({ method: 'POST', path: '/_reindex', body });
      expect(member.writes[0]?.body).toBe(body.replace('"products"', '"crossfade-products-e1"'));
    });
  });

  it('from an alias with routing is refused once its index has another name, which has none', async () => {
    const eu = { name: 'eu', routing: 'r' };
    const into = async (phase: 'dual' | 'target') => {
      const routes = [{}, { ...moved, phase, aliases: [eu] }];
      const member = new Member(script({ done: counts(1) }), routes, { sameCluster: true });
      const answer = member.sender.send(reindex('eu', 'products'));
      await member.time.advance(1);
      return answer;
    };
    expect((await into('dual')).status).toBe(200);
    expect(await into('target')).toMatchObject({ status: 400, headers: { 'x-crossfade-error': 'UNSUPPORTED' } });
  });

  it('never lets an index come into being in the place of a missing alias', async () => {
    const { member } = await run(reindex('other', 'products'));
    expect(member.writes[0]?.path).toBe('/_reindex?require_alias=true');
  });

  it('tells how many numbers of the authority it took', async () => {
    const { member } = await run(reindex('other', 'products'), { ...counts(9, 1), created: 4, updated: 2 });
    expect(member.left).toEqual([{ reign: 1, ordinal: 0, writes: 7 }]);
  });

  it('that deleted leaves a sweep to do', async () => {
    const unlisted: string[] = [];
    const onUnlistedDeletes = ({ slug }: { slug: string }) => void unlisted.push(slug);
    const { member } = await run(reindex('other', 'products'), counts(3, 1), { onUnlistedDeletes });
    expect([member.sweeps, unlisted]).toEqual([['by_query'], ['products']]);
  });

  describe('that sets versions of its own', () => {
    const versioned = (type: string, dest = 'products') => {
      const sent = reindex('other', dest);
      return { ...sent, body: sent.body.replace(/}}$/, `,"version_type":"${type}"}}`) };
    };
    const declared = (phase: 'observe' | 'dual', versions: 'internal' | 'external') => {
      const member = new Member(script({ done: counts(1) }), [{ phase }]);
      const { spec } = member.state();
      member.learn({}, 'products', { spec: { ...spec, versions } });
      return member;
    };

    it.each(['external', 'external_gt', 'external_gte'])('as %s is refused and counted', async (type) => {
      const member = declared('dual', 'internal');
      expect(await member.sender.send(versioned(type))).toMatchObject({
        status: 400,
        headers: { 'x-crossfade-error': 'UNSUPPORTED' },
      });
      expect([member.seen, member.events.map(({ kind }) => kind)]).toEqual([[], ['version_mode_mismatch']]);
      expect(member.drained()).toBe(true);
    });

    it.each([
      ['dual', 'internal', 'internal', 'products'],
      ['dual', 'internal', 'external', 'other'],
      ['dual', 'external', 'external', 'products'],
      ['observe', 'internal', 'external', 'products'],
    ] as const)('in %s on a route of %s versions goes on as %s into %s', async (phase, versions, type, dest) => {
      const member = declared(phase, versions);
      const answer = member.sender.send(versioned(type, dest));
      await member.time.advance(1);
      expect((await answer).status).toBe(200);
    });
  });

  it('whose script chooses the index is refused when a route is concerned', async () => {
    const sent = reindex('other', 'products');
    const body = sent.body.replace(/}$/, ',"script":{"source":"ctx._index = \'x\'"}}');
    expect((await run({ ...sent, body })).got.status).toBe(400);
  });

  it('into a fenced route runs again under the newer phase', async () => {
    const cause = {
      type: 'cluster_block_exception',
      reason: 'index [crossfade-fence] blocked by: [FORBIDDEN/8/index write (api)];',
    };
    const failures = [{ index: 'crossfade-fence', id: '1', cause, status: 403 }];
    const member = new Member(({ body }) => ({ body: body.includes('-e1') ? { ...counts(1), failures } : counts(1) }));
    const answer = member.sender.send(reindex('other', 'products'));
    await member.time.settle();
    member.learn({ epoch: 2 });
    expect((await answer).json).toMatchObject({ failures: [] });
    expect(member.writes).toHaveLength(2);
  });

  it('into a fenced route runs again though its filtered YAML does not tell', async () => {
    const yaml = { ...reindex('other', 'products'), path: '/_reindex?format=yaml&filter_path=total' };
    const member = new Member(script({ done: 'total: 1\n', fenced: true }));
    const answer = member.sender.send(yaml);
    await member.time.settle();
    member.learn({ epoch: 2 });
    await member.time.advance(1_000);
    expect((await answer).text).toBe('total: 1\n');
    expect(member.writes).toHaveLength(2);
  });

  it.each(['{"source":', 'source: {}'])('with the body %j is refused, because it could name a route', async (body) => {
    const { got, member } = await run({ method: 'POST', path: '/_reindex', body });
    expect(got).toMatchObject({ status: 400, headers: { 'x-crossfade-error': 'BAD_BODY' } });
    expect(member.seen).toEqual([]);
  });
});
