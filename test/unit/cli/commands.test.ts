import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { keys } from '../../../src/coordination/keys.ts';
import { Ask, initialPhase } from '../../../src/coordination/records.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import { exitTable } from '../../../src/exit-codes.ts';
import { heartbeatOf, memberLine } from '../../support/heartbeats.ts';
import { answerAsk, type Harness, harness, products, putReport, withAgent, withLeader, withRoute } from './harness.ts';

const hasZsh = spawnSync('zsh', ['--version']).error === undefined;

const routeFile = JSON.stringify(products);
const storedAt = async (
  made: { store: { config: { get(key: string): Promise<{ value: string } | undefined> } } },
  key: string,
) => (await made.store.config.get(key))?.value;

describe('apply', () => {
  test('puts a route into the store and suggests the first phase', async () => {
    const made = harness();
    const ran = await made.run('apply -f -', { stdin: routeFile });
    expect(ran).toMatchObject({
      exit: 0,
      out: 'products: applied (new route)\n',
      err: 'next: crossfade phase products observe\n',
    });
    expect(JSON.parse((await storedAt(made, keys.config('products'))) ?? '')).toEqual(products);
    expect(made.store.closed).toBe(true);
  });

  test('is the only command that begins a store; whoever looks, or tries, leaves no trace of a new one', async () => {
    const made = harness();
    for (const line of ['status', 'members', 'doctor', 'pause products', 'route set products.pct.read 5'])
      await made.run(line);
    await made.run('apply -f - --dry-run', { stdin: routeFile });
    expect(made.begun).toEqual([false, false, false, false, false, false]);
    await made.run('apply -f -', { stdin: routeFile });
    expect(made.begun.at(-1)).toBe(true);
  });

  test('reads YAML with several documents', async () => {
    const made = harness();
    const ran = await made.run('apply -f - --json', {
      stdin: 'route: a\nindices: [{ source: a1, target: a2 }]\n---\nroute: b\nindices: [{ source: b1, target: b2 }]\n',
    });
    expect(ran.json()).toMatchObject({ applied: [{ route: 'a' }, { route: 'b' }] });
  });

  test('with --dry-run changes nothing', async () => {
    const made = harness();
    const ran = await made.run('apply -f - --dry-run', { stdin: routeFile });
    expect(ran.out).toBe('products: would apply (new route)\n');
    expect(await storedAt(made, keys.config('products'))).toBeUndefined();
  });

  test('says that nothing changed when nothing did', async () => {
    const made = await withRoute();
    expect((await made.run('apply -f -', { stdin: routeFile })).out).toBe('products: unchanged\n');
  });

  test('changes settings of a running route, and names them', async () => {
    const made = await withRoute({ phase: 'dual', epoch: 1 });
    const ran = await made.run('apply -f -', { stdin: JSON.stringify({ ...products, ackPolicy: 'both' }) });
    expect(ran.out).toBe('products: applied (ackPolicy)\n');
  });

  test('refuses to change the indices of a route that is not off', async () => {
    const made = await withRoute({ phase: 'dual', epoch: 1 });
    const ran = await made.run('apply -f -', {
      stdin: JSON.stringify({ ...products, indices: [{ source: 'products_v1', target: 'products_v3' }] }),
    });
    expect(ran.exit).toBe(exitTable.refused.code);
    expect(ran.err).toContain('indices can change in phase off only; the route is in dual');
  });

  const shop = { name: 'shop', indices: ['products_v1'], writeIndex: 'products_v1', routing: 'eu' };
  const listing = (...aliases: unknown[]) => ({ ...products, aliases });
  const { indices: _i, ...everywhere } = shop;
  const { writeIndex: _w, ...unwritten } = shop;
  const aliasChanges: [string, unknown, string | undefined][] = [
    ['an alias is taken away', listing('products'), 'alias shop'],
    ['all aliases are taken away', listing(), 'alias products, alias shop'],
    ['an alias is called otherwise', listing('store', shop), 'alias products'],
    ['the indices of an alias change', listing('products', everywhere), 'alias shop'],
    ['the write index of an alias changes', listing('products', unwritten), 'alias shop'],
    ['the routing of an alias changes', listing('products', { ...shop, routing: 'us' }), 'alias shop'],
    ['an alias is listed twice', listing('products', shop, { name: 'products', routing: 'eu' }), 'alias products'],
    ['an alias is added', listing('products', shop, 'store'), undefined],
    ['the aliases are listed in another order', listing(shop, 'products'), undefined],
  ];
  const away = ['observe', 'dual', 'target', 'final'] as const;
  test.each(away.flatMap((phase) => aliasChanges.map((change) => [phase, ...change] as const)))(
    'in %s, where members tell the requests of a route by its aliases, %s: refuses what is there already',
    async (phase, _, spec, refused) => {
      const made = await withRoute({ phase, epoch: 1 });
      await made.store.config.put(keys.config('products'), JSON.stringify(listing('products', shop)));
      const ran = await made.run('apply -f -', { stdin: JSON.stringify(spec) });
      if (refused === undefined) expect(ran).toMatchObject({ exit: 0, out: 'products: applied (aliases)\n' });
      else
        expect(ran).toMatchObject({
          exit: exitTable.refused.code,
          err: expect.stringContaining(`${refused} can change in phase off only; the route is in ${phase}`),
        });
    },
  );

  test('changes and takes away aliases of a route in off', async () => {
    const made = await withRoute();
    const ran = await made.run('apply -f -', { stdin: JSON.stringify(listing({ ...shop, name: 'store' })) });
    expect(ran).toMatchObject({ exit: 0, out: 'products: applied (aliases)\n' });
  });

  const moved = { ...products, indices: [{ source: 'products_v1', target: 'products_v3' }] };
  test.each<[string, (made: Harness) => Promise<unknown>, keyof typeof exitTable]>([
    [
      'the route has left off',
      ({ store }) => store.config.put(keys.phase('products'), JSON.stringify({ ...initialPhase, phase: 'observe' })),
      'refused',
    ],
    [
      'somebody else has applied another spec',
      ({ store }) => store.config.put(keys.config('products'), JSON.stringify({ ...products, ackPolicy: 'both' })),
      'conflict',
    ],
  ])('writes nothing when %s between its look and its write', async (_, meanwhile, exit) => {
    const made = await withRoute();
    const { config } = made.store;
    const list = config.list.bind(config);
    let looks = 0;
    vi.spyOn(config, 'list').mockImplementation(async (prefix) => {
      // Its first look judges the whole file, the second one what it is about to write.
      if (exit === 'refused' && ++looks === 2) await meanwhile(made);
      const found = await list(prefix);
      if (exit === 'conflict' && ++looks === 2) await meanwhile(made);
      return found;
    });
    expect((await made.run('apply -f -', { stdin: JSON.stringify(moved) })).exit).toBe(exitTable[exit].code);
    expect(await storedAt(made, keys.config('products'))).not.toContain('products_v3');
  });

  const restricted = { ...products, aliases: [{ name: 'products', routing: 'eu' }] };
  const underWay: [string, boolean, unknown, string | undefined][] = [
    ['and changes indices', true, moved, 'indices cannot change now: phase asked by ann'],
    ['and changes an alias', true, restricted, 'alias products cannot change now: phase asked by ann'],
    ['and changes another setting', true, { ...products, ackPolicy: 'both' }, undefined],
    ['that no agent will take up, and changes indices', false, moved, undefined],
  ];
  test.each(underWay)(
    'meets a request without an answer %s: is refused where a move may rest on what it changes',
    async (_, hasAgent, spec, refused) => {
      const made = hasAgent ? await withAgent() : await withRoute();
      await made.run('phase products observe --no-wait');
      const before = await storedAt(made, keys.config('products'));
      const ran = await made.run('apply -f -', { stdin: JSON.stringify(spec) });
      const exit = refused === undefined ? 0 : exitTable.refused.code;
      expect(ran).toMatchObject({ exit, err: expect.stringContaining(refused ?? '') });
      expect((await storedAt(made, keys.config('products'))) === before).toBe(refused !== undefined);
    },
  );

  test('refuses an index or alias that belongs to another route', async () => {
    const made = await withRoute();
    const other = { route: 'other', indices: [{ source: 'x', target: 'y' }], aliases: ['products'] };
    const ran = await made.run('apply -f -', { stdin: JSON.stringify(other) });
    expect(ran).toMatchObject({ exit: 64, err: expect.stringContaining('products belongs to route products already') });
  });

  const asRoute = (route: string, source: string, target: string): string =>
    JSON.stringify({ route, indices: [{ source, target }] });
  const other = asRoute('other', 'x', 'y');

  test.each([
    ['another route has it in the store', asRoute('other', 'x', 'products_v2'), 'is the target of route products'],
    ['another document has it', `${other}\n---\n${asRoute('third', 'z', 'y')}`, 'y is the target of route'],
    ['a source of another document', `${other}\n---\n${asRoute('third', 'x', 'z')}`, 'x belongs to route'],
    ['a route stands in the file twice', `${other}\n---\n${asRoute('other', 'x', 'z')}`, 'stands in the file twice'],
  ])('refuses a target or source that is taken, and applies nothing: %s', async (_, stdin, message) => {
    const made = await withRoute();
    const ran = await made.run('apply -f -', { stdin });
    expect(ran).toMatchObject({ exit: 64, err: expect.stringContaining(message) });
    expect(await made.store.config.get(keys.config('other'))).toBeUndefined();
  });

  test.each([
    ['goes on from the target of a route that is final', asRoute('next', 'products_v2', 'products_v3')],
    [
      'takes what another document of the file lets go',
      `${asRoute('other', 'x', 'products_v2')}\n---\n${asRoute('products', 'z', 'products_v3')}`,
    ],
  ])('takes a route that %s', async (_, stdin) => {
    const made = await withRoute({ phase: stdin.includes('next') ? 'final' : 'off' });
    expect(await made.run('apply -f -', { stdin })).toMatchObject({ exit: 0 });
  });

  test('reports every mistake of the file and writes nothing', async () => {
    const made = harness();
    const ran = await made.run('apply -f -', { stdin: 'route: P\nindices: []\nackPolcy: both\n' });
    expect(ran.exit).toBe(64);
    for (const part of ['route is "P"', 'indices is a list of 0', 'did you mean ackPolicy?'])
      expect(ran.err).toContain(part);
    expect(await made.store.config.list('rt.')).toEqual([]);
  });

  test('advises no variable for what only the file can say', async () => {
    const ran = await harness().run('apply -f -', { stdin: 'route: products\n' });
    expect(ran).toMatchObject({ exit: 64, err: expect.stringContaining('indices not set; expected') });
    expect(ran.err).not.toContain('CROSSFADE_');
  });

  test('names a file that cannot be read', async () => {
    expect(await harness().run('apply -f /does/not/exist.yaml')).toMatchObject({
      exit: 64,
      err: expect.stringContaining('/does/not/exist.yaml'),
    });
  });
});

describe('route set', () => {
  test.each([
    ['products.pct.read 25', keys.percent('products', 'read'), '25'],
    ['products.pct.shadow 0.125', keys.percent('products', 'shadow'), '0.125'],
    ['products.pct.write 100%', keys.percent('products', 'write'), '100'],
    ['products.stop ON', keys.stop('products'), 'on'],
    ['products.rate 5000', keys.rate('products'), '5000'],
    ['products.rate pause', keys.rate('products'), 'pause'],
  ])('%s writes the bare value', async (words, key, value) => {
    const made = await withRoute({ phase: 'dual', epoch: 1 });
    expect((await made.run(`route set ${words}`)).exit).toBe(0);
    expect(await storedAt(made, key)).toBe(value);
  });

  test.each([
    ['products.pct.read 101', 'percentage from 0 to 100'],
    ['products.pct.reed 1', 'pct.reed is no setting of a route; did you mean pct.read?'],
    ['products.speed 1', 'speed is no setting of a route; there are pct.read'],
    ['products 25', 'products names no setting; write for example products.pct.read'],
    ['products.stop maybe', 'on or off'],
  ])('%s is refused and writes nothing', async (words, message) => {
    const made = await withRoute();
    expect(await made.run(`route set ${words}`)).toMatchObject({ exit: 2, err: expect.stringContaining(message) });
    expect((await made.store.config.list('rt.')).length).toBe(2);
  });

  test('of a route that does not exist suggests the one that was meant', async () => {
    const made = await withRoute();
    const ran = await made.run('route set product.pct.read 25');
    expect(ran).toMatchObject({
      exit: exitTable.unknown_route.code,
      err: expect.stringContaining('did you mean products?'),
    });
  });

  test('says when a value takes no effect yet', async () => {
    const made = await withRoute();
    expect((await made.run('route set products.pct.read 25')).err).toContain(
      'The route is in off: percentages take effect in dual.',
    );
  });

  test('with --dry-run writes nothing', async () => {
    const made = await withRoute();
    expect((await made.run('route set products.pct.read 25 --dry-run')).out).toBe('products.pct.read would be 25\n');
    expect(await storedAt(made, keys.percent('products', 'read'))).toBeUndefined();
  });
});

describe('route reset', () => {
  test('deletes the percentages and the brake, the brake last', async () => {
    const made = await withRoute({ phase: 'dual', epoch: 1 });
    const gone: string[] = [];
    await made.run('route set products.pct.read 25');
    await made.run('route set products.stop on');
    made.store.config.subscribe(({ key }) => key.startsWith('rt.') && gone.push(key));
    expect((await made.run('route reset products')).exit).toBe(0);
    expect(await storedAt(made, keys.percent('products', 'read'))).toBeUndefined();
    expect(gone.at(-1)).toBe(keys.stop('products'));
  });
});

describe('route delete', () => {
  test.each(['observe', 'dual', 'target', 'final'] as const)('is refused while the route is in %s', async (phase) => {
    const made = await withRoute({ phase, epoch: 1 });
    expect((await made.run('route delete products --yes')).exit).toBe(exitTable.refused.code);
  });

  test('removes everything but audit, phase record and the list of processes, so that epochs are never reused', async () => {
    const made = await withRoute({ phase: 'off', epoch: 4 });
    await made.run('route set products.pct.read 25');
    expect((await made.run('route delete products --yes')).exit).toBe(0);
    const left = (await made.store.config.list('')).map(({ key }) => key).filter((key) => !key.startsWith('audit.'));
    expect(left).toEqual([keys.phase('products')]);
  });

  test('keeps the list of processes, so that one that was lost in off still bars copies once the route is applied again', async () => {
    const made = await withRoute({ phase: 'off', epoch: 4 });
    await made.store.config.put(keys.boot('products', 'b1'), JSON.stringify({ member: 'lost' }));
    await made.store.config.put(keys.job('products', 'state'), '{}');
    expect((await made.run('route delete products --yes')).exit).toBe(0);
    expect((await made.store.config.list('job.products.')).map(({ key }) => key)).toEqual([
      keys.boot('products', 'b1'),
    ]);
  });

  const changes: [string, (made: Harness) => Promise<unknown>, keyof typeof exitTable][] = [
    [
      'somebody moved it on',
      ({ store }) => store.config.put(keys.phase('products'), JSON.stringify({ ...initialPhase, phase: 'observe' })),
      'refused',
    ],
    ['a request has no answer yet', (made) => made.run('phase products observe --no-wait'), 'conflict'],
  ];
  test.each(changes)('deletes nothing when %s while the question stood', async (_, onAsk, exit) => {
    const made = await withAgent();
    const ran = await made.run('route delete products', { interactive: true, answer: 'y', onAsk: () => onAsk(made) });
    expect(ran.exit).toBe(exitTable[exit].code);
    expect(await storedAt(made, keys.config('products'))).toBeDefined();
  });

  test('deletes nothing when the route was applied anew in the same moment', async () => {
    const made = await withRoute();
    const { config, live } = made.store;
    const list = live.list.bind(live);
    vi.spyOn(live, 'list')
      .mockImplementationOnce(list)
      .mockImplementationOnce(async (prefix) => {
        await config.put(keys.config('products'), JSON.stringify({ ...products, ackPolicy: 'both' }));
        return list(prefix);
      });
    expect((await made.run('route delete products --yes')).exit).not.toBe(0);
    expect(await storedAt(made, keys.config('products'))).toContain('both');
  });

  test('minds no request that nobody will take up, as no agent runs', async () => {
    const made = await withRoute();
    await made.run('phase products observe --no-wait');
    expect((await made.run('route delete products --yes')).exit).toBe(0);
  });

  test('without a terminal and without --yes does nothing', async () => {
    const made = await withRoute();
    expect(await made.run('route delete products')).toMatchObject({
      exit: exitTable.unconfirmed.code,
      err: expect.stringContaining('--yes'),
    });
    expect(await storedAt(made, keys.config('products'))).toBeDefined();
  });

  test.each([
    ['y', 0],
    ['Yes', 0],
    ['', exitTable.unconfirmed.code],
    ['n', exitTable.unconfirmed.code],
  ])('on a terminal asks, and the answer %j ends with %d', async (answer, exit) => {
    const made = await withRoute();
    const ran = await made.run('route delete products', { interactive: true, answer });
    expect(ran).toMatchObject({ exit, err: expect.stringContaining('Delete route products? [y/N]') });
  });
});

describe('a command for the leader', () => {
  test('without --wait leaves the request with actor and reason and returns', async () => {
    const made = await withAgent({ phase: 'dual', epoch: 1 });
    const ran = await made.run('advance products --yes --reason because');
    expect(ran).toMatchObject({
      exit: 0,
      out: 'asked: advance products\n',
      err: 'next: crossfade status products --watch\n',
    });
    const ask = Ask.parse(JSON.parse((await storedAt(made, keys.ask('products'))) ?? ''));
    expect(ask).toMatchObject({ action: 'advance', by: 'ann', reason: 'because' });
  });

  test('an advance says from where, so that it cannot become another step', async () => {
    const made = await withAgent({ phase: 'observe', epoch: 1 });
    const onAsk = () =>
      made.store.config.put(keys.phase('products'), JSON.stringify({ ...initialPhase, phase: 'dual', epoch: 1 }));
    const ran = await made.run('advance products', { interactive: true, answer: 'y', onAsk });
    expect(ran.out).toBe('asked: advance products\n');
    expect(JSON.parse((await storedAt(made, keys.ask('products'))) ?? '')).toMatchObject({ phase: 'observe' });
  });

  test('names the actor of the environment in the request', async () => {
    const made = await withAgent({ phase: 'dual', epoch: 1 });
    await made.run('pause products', { env: { CROSSFADE_ACTOR: 'deploy-bot' } });
    expect(JSON.parse((await storedAt(made, keys.ask('products'))) ?? '').by).toBe('deploy-bot');
  });

  test.each([
    ['done', undefined, 'done'],
    ['refused', 'GATE_REFUSED', 'refused'],
    ['aborted', 'CUTOVER_ABORTED', 'aborted'],
    ['failed', 'STORE_UNAVAILABLE', 'store'],
    ['failed', 'UPSTREAM_UNREACHABLE', 'agent'],
    ['failed', undefined, 'failed'],
  ] as const)('with --wait ends by the result %s %s as %s', async (state, code, exit) => {
    const made = await withAgent({ phase: 'dual', epoch: 1 });
    const ran = await made.run('advance products --wait --yes', {
      onSleep: async () => {
        await answerAsk(made, { state, message: 'as the leader says', ...(code === undefined ? {} : { code }) });
      },
    });
    expect(ran.exit).toBe(exitTable[exit].code);
    expect(ran.out).toContain(`advance products: ${state}. as the leader says`);
  });

  test('verify ends with a code of its own when it found differences, and lists them', async () => {
    const made = await withAgent({ phase: 'dual', epoch: 1 });
    const findings = Array.from({ length: 25 }, (_, i) => ({ kind: 'missing', id: `doc-${i}` }));
    const ran = await made.run('verify products --mode full --wait', {
      onSleep: async () => {
        await answerAsk(made, {
          state: 'done',
          message: '25 wrong',
          details: { equal: false, checked: 100, findings },
        });
      },
    });
    expect(ran.exit).toBe(exitTable.different.code);
    expect(ran.out).toMatch(/checked +100\n/);
    expect(ran.out).toMatch(/kind +id\nmissing +doc-0\n/);
    expect(ran.out).toContain('and 5 more');
  });

  test('repair tells the leader the routing of an id, and refuses one of no id', async () => {
    const made = await withAgent({ phase: 'dual', epoch: 1 });
    expect((await made.run('repair products --routing r1')).exit).toBe(exitTable.usage.code);
    expect(await storedAt(made, keys.ask('products'))).toBeUndefined();
    expect((await made.run('repair products --id 7 --routing r1')).exit).toBe(0);
    const ask = Ask.parse(JSON.parse((await storedAt(made, keys.ask('products'))) ?? ''));
    expect(ask.args).toEqual({ ids: ['7'], routing: 'r1' });
  });

  test('tells what the leader is doing while it waits', async () => {
    const made = await withAgent({ phase: 'dual', epoch: 1 });
    const ran = await made.run('advance products --wait --yes', {
      onSleep: async (slept) => {
        await answerAsk(
          made,
          slept < 1000 ? { state: 'running', message: 'waiting for members' } : { state: 'done', message: '' },
        );
      },
    });
    expect(ran.err.match(/waiting for members/g)).toHaveLength(1);
    expect(ran.exit).toBe(0);
  });

  test('that nobody takes up is withdrawn, so that no later agent carries it out', async () => {
    const made = await withAgent({ phase: 'dual', epoch: 1 });
    const ran = await made.run('advance products --wait --yes');
    expect(ran.exit).toBe(exitTable.no_leader.code);
    expect(made.slept()).toBeGreaterThanOrEqual(30_000);
    expect(await storedAt(made, keys.ask('products'))).toBeUndefined();
  });

  test('that cannot be withdrawn is said to be one that may still be carried out', async () => {
    const made = await withRoute({ phase: 'dual', epoch: 1 });
    vi.spyOn(made.store.config, 'delete').mockRejectedValue(new CrossfadeError('STORE_UNAVAILABLE'));
    const ran = await made.run('advance products --wait --yes');
    expect(ran.err).toContain('an agent may still carry it out');
  });

  test('is answered though a later request of somebody else was answered since', async () => {
    const made = await withAgent({ phase: 'dual', epoch: 1 });
    const earlier = (id: string) => [{ id, state: 'aborted' as const, message: 'given up', at: '' }];
    const ran = await made.run('advance products --wait --yes', {
      onSleep: async () => {
        const { id } = JSON.parse((await storedAt(made, keys.ask('products'))) ?? '');
        await answerAsk(made, { state: 'done', message: 'paused', id: 'of-somebody', earlier: earlier(id) });
      },
    });
    expect(ran).toMatchObject({ exit: exitTable.aborted.code, out: expect.stringContaining('given up') });
  });

  test('in whose place somebody put another before it was taken up says so, and leaves the other', async () => {
    const made = await withAgent({ phase: 'dual', epoch: 1 });
    const other = JSON.stringify({ schema: 1, id: 'other', action: 'pause', by: 'bob', reason: '', at: '' });
    const ran = await made.run('advance products --wait --yes', {
      onSleep: async () => void (await made.store.config.put(keys.ask('products'), other)),
    });
    expect(ran).toMatchObject({ exit: exitTable.conflict.code, err: expect.stringContaining('Somebody else asked') });
    expect(made.slept()).toBeLessThan(10_000);
    expect(await storedAt(made, keys.ask('products'))).toBe(other);
  });

  test('that outlasts --timeout goes on, and says so', async () => {
    const made = await withAgent({ phase: 'dual', epoch: 1 });
    const ran = await made.run('advance products --wait --yes --timeout 5', {
      onSleep: async () => {
        await answerAsk(made, { state: 'running', message: 'backfill' });
      },
    });
    expect(ran.exit).toBe(exitTable.waiting.code);
    expect(await storedAt(made, keys.ask('products'))).toBeDefined();
  });

  test('ends its waits by the clock although every look at the store takes long', async () => {
    const made = await withAgent({ phase: 'dual', epoch: 1 });
    let clockMs = 0;
    const get = made.store.config.get.bind(made.store.config);
    made.store.config.get = (key) => {
      clockMs += 3_000;
      return get(key);
    };
    const ran = await made.run('advance products --wait --yes --timeout 60', { now: () => clockMs });
    expect(ran.exit).toBe(exitTable.no_leader.code);
    expect(clockMs).toBeLessThan(60_000);
  });

  test('waits its turn while an earlier request is carried out, then is refused as a conflict', async () => {
    const made = await withAgent({ phase: 'dual', epoch: 1 });
    await made.run('verify products');
    await answerAsk(made, { state: 'running', message: 'verifying' });
    const ran = await made.run('advance products --yes');
    expect(ran).toMatchObject({ exit: exitTable.conflict.code, err: expect.stringContaining('verify asked by ann') });
  });

  test('waits no longer for its turn than --timeout allows', async () => {
    const made = await withAgent({ phase: 'dual', epoch: 1 });
    await made.run('advance products --yes');
    await made.run('verify products --wait --timeout 2');
    expect(made.slept()).toBeLessThan(5_000);
  });

  test('goes on once the earlier request has ended', async () => {
    const made = await withAgent({ phase: 'dual', epoch: 1 });
    await made.run('verify products');
    await answerAsk(made, { state: 'running', message: 'verifying' });
    const ran = await made.run('advance products --yes', {
      onSleep: async () => {
        await answerAsk(made, { state: 'done', message: '' });
      },
    });
    expect(ran.exit).toBe(0);
  });

  test.each(['abort', 'pause'])('%s does not wait for what it is meant to end', async (name) => {
    const made = await withAgent({ phase: 'dual', epoch: 1 });
    await made.run('advance products --yes');
    await answerAsk(made, { state: 'running', message: 'cutting over' });
    expect(await made.run(`${name} products`)).toMatchObject({ exit: 0 });
    expect(JSON.parse((await storedAt(made, keys.ask('products'))) ?? '').action).toBe(name);
  });

  test.each(['advance', 'rollback', 'finalize'])('%s asks for confirmation', async (name) => {
    const made = await withAgent({ phase: 'dual', epoch: 1 });
    expect((await made.run(`${name} products`)).exit).toBe(exitTable.unconfirmed.code);
    expect(await storedAt(made, keys.ask('products'))).toBeUndefined();
  });

  test('advance from dual says what it means before it asks', async () => {
    const made = await withAgent({ phase: 'dual', epoch: 1 });
    expect((await made.run('advance products')).err).toContain('This is the cutover');
  });

  test.each([
    ['advance', 'target', 'finalize ends the migration', 'next: crossfade finalize products'],
    ['advance', 'final', 'the migration is complete', 'next: crossfade status products'],
    ['advance --rehearse', 'observe', 'no switch of authority starts from observe', 'next: crossfade status products'],
  ] as const)('%s in %s is refused as the leader would refuse it', async (command, phase, words, next) => {
    const made = await withAgent({ phase, epoch: 1 });
    await putReport(made, { phase, safeToAdvance: { ok: true, reasons: [] } });
    const [name, ...options] = command.split(' ');
    const line = [name, 'products', ...options].join(' ');
    const ran = await made.run(line);
    expect(ran.exit).toBe(exitTable.refused.code);
    for (const part of [words, next]) expect(ran.err).toContain(part);
    expect((await made.run(`${line} --dry-run`)).out).toMatch(new RegExp(`refused now:\n.*${words}`));
    expect(await storedAt(made, keys.ask('products'))).toBeUndefined();
  });

  test.each([
    ['dual', { ok: true, reasons: [] }, { ok: false, reasons: ['x'] }],
    ['target', { ok: false, reasons: ['x'] }, { ok: true, reasons: [] }],
  ] as const)('a rehearsal in %s is judged by the switch that leads out of it', async (phase, advance, back) => {
    const made = await withAgent({ phase, epoch: 1 });
    await putReport(made, { phase, safeToAdvance: advance, safeToRollBack: back });
    expect((await made.run('advance products --rehearse --dry-run')).out).toContain('its conditions hold now');
  });

  test.each(['advance', 'advance --rehearse', 'rollback', 'finalize'])(
    '%s is not left behind for an agent of another day',
    async (command) => {
      const made = await withRoute({ phase: 'dual', epoch: 1 });
      const ran = await made.run(command.replace(/^\w+/, '$& products --yes'));
      expect(ran).toMatchObject({ exit: exitTable.no_leader.code, err: expect.stringContaining('nothing was asked') });
      expect(await storedAt(made, keys.ask('products'))).toBeUndefined();
    },
  );

  test('advance --rehearse asks the leader for a rehearsal', async () => {
    const made = await withAgent({ phase: 'dual', epoch: 1 });
    expect((await made.run('advance products --rehearse')).out).toBe('asked: rehearse products\n');
  });

  test('verify and repair pass their arguments on', async () => {
    const made = await withAgent({ phase: 'dual', epoch: 1 });
    await made.run('verify products --mode hash --sample 100');
    expect(JSON.parse((await storedAt(made, keys.ask('products'))) ?? '').args).toEqual({ mode: 'hash', sample: 100 });
    await answerAsk(made, { state: 'done', message: '' });
    await made.run('repair products --id a --id b');
    expect(JSON.parse((await storedAt(made, keys.ask('products'))) ?? '').args).toEqual({ ids: ['a', 'b'] });
  });
});

describe('phase', () => {
  test('waits for the leader while agents run, also without --wait', async () => {
    const made = await withRoute();
    await withLeader(made);
    const asked: unknown[] = [];
    const ran = await made.run('phase products dual', {
      onSleep: async () => {
        asked.push((await answerAsk(made, { state: 'done', message: 'phase dual' }))?.phase);
      },
    });
    expect(ran).toMatchObject({ exit: 0, out: 'phase products dual: done. phase dual\n' });
    expect(asked).toEqual(['dual']);
  });

  test('ends with the refusal of the leader', async () => {
    const made = await withRoute();
    await withLeader(made);
    const ran = await made.run('phase products dual', {
      onSleep: async () => {
        await answerAsk(made, { state: 'refused', code: 'PREFLIGHT_REFUSED', message: 'products_v1 does not exist' });
      },
    });
    expect(ran).toMatchObject({
      exit: exitTable.refused.code,
      out: expect.stringContaining('phase products dual: refused. products_v1 does not exist'),
    });
  });

  test('is done at once when the route is there already', async () => {
    const made = await withRoute({ phase: 'dual', epoch: 1 });
    expect(await made.run('phase products dual')).toMatchObject({ exit: 0, out: 'products is in dual already\n' });
  });

  test('leaves the request for the first agent when none runs', async () => {
    const made = await withRoute();
    const ran = await made.run('phase products observe');
    expect(ran).toMatchObject({ exit: 0, err: expect.stringContaining('No agent is running') });
    expect(JSON.parse((await storedAt(made, keys.ask('products'))) ?? '')).toMatchObject({
      action: 'phase',
      phase: 'observe',
    });
  });

  test.each([
    ['dual', 'target', 'advance products --wait'],
    ['target', 'dual', 'rollback products --wait'],
  ] as const)('from %s to %s points to the switch of authority', async (from, to, next) => {
    const made = await withRoute({ phase: from, epoch: 1 });
    expect(await made.run(`phase products ${to}`)).toMatchObject({
      exit: exitTable.refused.code,
      err: expect.stringContaining(`next: crossfade ${next}`),
    });
  });

  test('leaves the end of a migration to finalize, which asks first', async () => {
    const made = await withAgent({ phase: 'target', epoch: 4 });
    expect(await made.run('phase products final --yes')).toMatchObject({
      exit: exitTable.refused.code,
      err: expect.stringMatching(/a rollback is no longer possible[^]*next: crossfade finalize products --wait/),
    });
    expect(await storedAt(made, keys.ask('products'))).toBeUndefined();
  });

  test.each(['observe', 'off'])('asks before dual is left for %s, since the backfill is lost', async (to) => {
    const made = await withRoute({ phase: 'dual', epoch: 1 });
    const ran = await made.run(`phase products ${to}`);
    expect(ran).toMatchObject({ exit: exitTable.unconfirmed.code, err: expect.stringContaining('a new backfill') });
    expect((await made.run(`phase products ${to} --yes`)).exit).toBe(0);
  });

  test('refuses a phase that does not exist', async () => {
    const made = await withRoute();
    for (const [typed, said] of [
      ['duel', 'did you mean dual?'],
      ['done', 'there are off, observe, dual'],
    ])
      expect(await made.run(`phase products ${typed}`)).toMatchObject({ exit: 2, err: expect.stringContaining(said!) });
  });
});

describe('status', () => {
  test('of a route holds what scripts rely on', async () => {
    const made = await withRoute({ phase: 'dual', epoch: 1 });
    await withLeader(made);
    await putReport(made, {
      backfill: { state: 'running', docs: 500, total: 1000, percent: 50 },
      tail: { lagSeconds: 0.5 },
      ledger: { unaccounted: 0, balanced: true },
    });
    await made.run('route set products.pct.read 25');
    expect((await made.run('status products --json')).json()).toMatchObject({
      phase: 'dual',
      epoch: 1,
      reign: 1,
      hold: null,
      percent: { read: 25, shadow: 0, write: 100 },
      members: [{ member: 'gateway-0' }],
      copies: { pending: 0, dropped: 0, quarantined: 0 },
      backfill: { percent: 50 },
      tail: { lagSeconds: 0.5 },
      ledger: { unaccounted: 0 },
      safeToAdvance: { ok: false, reasons: ['backfill complete: no'] },
      safeToRollBack: { ok: true, reasons: [] },
      leader: 'gateway-0',
    });
  });

  test.each([
    ['nobody leads', async () => withRoute({ phase: 'dual', epoch: 1 }), 'no member leads this route now'],
    [
      'the leader has not reported',
      async () => {
        const made = await withRoute({ phase: 'dual', epoch: 1 });
        await withLeader(made);
        return made;
      },
      'the leader has not reported yet',
    ],
    [
      'the report is of an earlier leader',
      async () => {
        const made = await withRoute({ phase: 'dual', epoch: 1 });
        await withLeader(made, 'gateway-1');
        await putReport(made, { safeToAdvance: { ok: true, reasons: [] } });
        return made;
      },
      'the new leader has not reported yet',
    ],
    [
      'the report is of an earlier phase',
      async () => {
        const made = await withRoute({ phase: 'target', epoch: 2, reign: 2 });
        await withLeader(made);
        await putReport(made, { safeToAdvance: { ok: true, reasons: [] } });
        return made;
      },
      'the leader has not reported since the phase changed',
    ],
  ])('claims nothing to be safe when %s', async (_, make, reason) => {
    const made = await make();
    const ran = await made.run('status products --json');
    expect(ran.json()).toMatchObject({
      safeToAdvance: { ok: false, reasons: [reason] },
      safeToRollBack: { ok: false, reasons: [reason] },
      tail: { lagSeconds: null },
      ledger: { unaccounted: null },
    });
  });

  test('shows refused values beside the last good ones', async () => {
    const made = await withRoute({ phase: 'dual', epoch: 1 });
    await made.store.config.put(keys.percent('products', 'read'), 'a lot');
    const ran = await made.run('status products');
    expect(ran.out).toContain('rt.products.pct.read: "a lot" is not a percentage');
  });

  test('answers both questions of safety apart, in text too', async () => {
    const made = await withRoute({ phase: 'dual', epoch: 1 });
    await withLeader(made);
    await putReport(made, { gate: [{ condition: 'tail caught up', ok: false, value: '12 s', need: 'at most 2 s' }] });
    const ran = await made.run('status products');
    expect(ran.out).toMatch(/safe to advance\?\s+no: backfill complete: no/);
    expect(ran.out).toMatch(/safe to roll back\?\s+yes/);
    expect(ran.out).toMatch(/✗ {2}tail caught up {2}12 s {2}needs at most 2 s/);
  });

  test('without a route lists all of them', async () => {
    const made = await withRoute();
    expect((await made.run('status')).out).toContain('products');
    expect((await made.run('status --json')).json()).toMatchObject({ routes: [{ route: 'products' }], members: [] });
  });

  test('with an empty store suggests to apply a route', async () => {
    expect(await harness().run('status')).toMatchObject({ exit: 0, err: 'next: crossfade apply -f route.yaml\n' });
  });
});

describe('a route whose phase or spec somebody broke', () => {
  const broken = async (values: Record<string, string | undefined>) => {
    const made = await withRoute({ phase: 'target', epoch: 4, reign: 2 });
    const line = memberLine({ phase: 'target', epoch: 4, reign: 2, phaseRevision: 9 });
    await made.store.live.put('hb.a', JSON.stringify(heartbeatOf('a', { products: line })));
    for (const [key, value] of Object.entries(values))
      await (value === undefined ? made.store.config.delete(key) : made.store.config.put(key, value));
    return made;
  };
  const ways: [string, Record<string, string | undefined>][] = [
    ['rubbish in its phase', { 'rt.products.phase': 'target' }],
    ['no phase', { 'rt.products.phase': undefined }],
    ['rubbish in its spec', { 'rt.products.cfg': '{' }],
    ['no spec', { 'rt.products.cfg': undefined }],
  ];

  test.each(ways)('with %s shows where its members are, and takes the brake and a rollback', async (_, values) => {
    const made = await broken(values);
    const status = (await made.run('status products --json')).json();
    const key = Object.keys(values)[0];
    expect(status).toMatchObject({ phase: 'target', epoch: 4, errors: [{ key }] });
    expect((await made.run('route set products.stop on')).exit).toBe(0);
    expect((await made.run('rollback products --yes')).exit).toBe(0);
    expect(await storedAt(made, keys.ask('products'))).toContain('rollback');
  });

  test.each(ways)('with %s is neither applied nor deleted', async (_, values) => {
    const made = await broken(values);
    for (const line of ['apply -f -', 'route delete products --yes'])
      expect(await made.run(line, { stdin: routeFile })).toMatchObject({
        exit: exitTable.refused.code,
        err: expect.stringContaining('put back the last good value'),
      });
  });
});

describe('forget', () => {
  test('takes a member that was lost off the lists, after a question', async () => {
    const made = await withRoute();
    await made.store.config.put(keys.boot('products', 'b1'), JSON.stringify({ member: 'gone' }));
    expect((await made.run('forget gone')).exit).toBe(exitTable.unconfirmed.code);
    expect((await made.run('forget gone --yes --dry-run')).out).toContain('would be forgotten: products');
    expect((await made.run('forget gone --yes')).out).toContain('gone is forgotten: products');
    expect(await storedAt(made, keys.boot('products', 'b1'))).toBeUndefined();
    expect(await storedAt(made, keys.audit('products', 1))).toContain('forget gone');
  });
});

describe('audit', () => {
  test.each([
    ['route set products.pct.read 25 --reason ramp --by bob', { by: 'bob', what: 'set pct.read 25', reason: 'ramp' }],
    ['route reset products', { by: 'ann', what: 'reset', reason: '' }],
    ['route delete products --yes --reason done', { by: 'ann', what: 'route deleted', reason: 'done' }],
  ])('tells who did "%s", and why', async (line, entry) => {
    const made = await withRoute();
    await made.run(line);
    const stored = await storedAt(made, keys.audit('products', 1));
    expect(JSON.parse(stored ?? '{}')).toMatchObject({ schema: 1, at: '2026-01-01T00:00:00.000Z', ...entry });
  });

  test('tells what an apply changed, and what a percentage was before', async () => {
    const made = await withRoute();
    await made.run('apply -f -', { stdin: JSON.stringify({ ...products, ackPolicy: 'both' }) });
    await made.run('route set products.pct.read 10');
    await made.run('route set products.pct.read 20');
    const { entries } = (await made.run('audit products --json')).json() as { entries: unknown[] };
    expect(entries).toMatchObject([
      { what: 'apply', evidence: { changed: ['ackPolicy'] } },
      { what: 'set pct.read 10', evidence: { before: null } },
      { what: 'set pct.read 20', evidence: { before: '10' } },
    ]);
  });

  test('that cannot be written does not hold the brake', async () => {
    const made = await withRoute();
    made.store.config.update = async () => ({ ok: false, reason: 'conflict' });
    const ran = await made.run('route set products.stop on');
    expect(ran).toMatchObject({ exit: 0, err: expect.stringContaining('could not be written') });
    expect(await storedAt(made, keys.stop('products'))).toBe('on');
  });

  test('lists entries in order, the newest last, as many as asked for', async () => {
    const made = await withRoute();
    for (const n of [2, 10, 1]) {
      const entry = { schema: 1, at: `t${n}`, by: 'ann', what: `step ${n}`, reason: '' };
      await made.store.config.put(keys.audit('products', n), JSON.stringify(entry));
    }
    const ran = await made.run('audit products --json --last 2');
    expect(ran.json()).toMatchObject({
      entries: [
        { n: 2, what: 'step 2' },
        { n: 10, what: 'step 10' },
      ],
    });
  });
});

describe('doctor', () => {
  const finding = {
    check: 'mapping',
    level: 'refuse',
    about: 'products_v1',
    reason: 'no _source',
    todo: 'enable it',
  } as const;
  const env = { CROSSFADE_CLUSTERS_SOURCE_URL: 'http://127.0.0.1:9201' };

  test('ends with its own code when something must be refused', async () => {
    const made = await withRoute();
    const ran = await made.run('doctor products', { env, preflight: async () => [finding] });
    expect(ran).toMatchObject({
      exit: exitTable.different.code,
      out: expect.stringContaining('no _source; enable it'),
    });
  });

  test('asks nothing of the indices of a route that is final', async () => {
    const made = await withRoute({ phase: 'final', epoch: 5, reign: 2 });
    const ran = await made.run('doctor --json', { env, preflight: async () => [finding] });
    expect(ran.json()).toMatchObject({
      ok: true,
      findings: expect.arrayContaining([expect.objectContaining({ about: 'products', level: 'ok' })]),
    });
  });

  test('says that it did not look at the indices where no cluster is configured', async () => {
    const made = await withRoute();
    const ran = await made.run('doctor products --json', { preflight: async () => [finding] });
    expect(ran.json()).toMatchObject({
      ok: true,
      findings: expect.arrayContaining([expect.objectContaining({ check: 'preflight', level: 'warn' })]),
    });
  });
});

describe('the command line', () => {
  test('takes a CROSSFADE_CONFIG that is set to nothing for one that is not set', async () => {
    const made = await withRoute();
    expect(await made.run('status', { env: { CROSSFADE_CONFIG: '' } })).toMatchObject({ exit: 0 });
  });

  test.each([
    ['no-such-command', 2, /unknown command/],
    ['stauts', 2, /Did you mean status/],
    ['status --bogus', 2, /unknown option/],
    ['route set products.pct.read', 2, /missing required argument 'value'/],
    ['advance products --timeout soon', 2, /a number above 0/],
    ['operator --every 2147484', 2, /at most 1000000 seconds/],
    ['verify products --mode hash --sample 1.5', 2, /a whole number above 0/],
    ['verify products --sample 100', 2, /--sample needs --mode stamp, hash or full/],
    ['audit products --last 2.5', 2, /a whole number above 0/],
    ['repair products --id ', 2, /no document has an empty id/],
    ['verify products --mode deep', 2, /Allowed choices are count, stamp, hash, full/],
    ['completion fish', 2, /Allowed choices are bash, zsh/],
    ['--help', 0, /^$/],
    ['--version', 0, /^$/],
  ])('%s ends with %d', async (line, exit, err) => {
    const ran = await harness().run(line);
    expect(ran.exit).toBe(exit);
    expect(ran.err).toMatch(err);
  });

  test('answers a wrong command line with JSON where JSON was asked for', async () => {
    const ran = await harness().run('status --bogus --json');
    expect(ran.exit).toBe(2);
    expect(ran.json()).toMatchObject({
      error: { code: 'USAGE', exit: 2, message: expect.stringContaining('--bogus') },
    });
  });

  test('reports mistakes of its configuration with 64, in JSON too', async () => {
    const ran = await harness().run('status --json', { env: { CROSSFADE_NATS_BUCKET: 'a.b' } });
    expect(ran.exit).toBe(64);
    expect(ran.json()).toMatchObject({ error: { exit: 64, message: expect.stringContaining('nats.servers') } });
  });

  test.each(['status', 'status products', 'members', 'audit products', 'doctor', 'route set products.pct.read 1'])(
    '%s prints nothing but JSON on stdout with --json',
    async (line) => {
      const made = await withRoute();
      expect((await made.run(`${line} --json`)).json()).toBeTypeOf('object');
    },
  );

  test.each([
    ['crossfade ro', 'route rollback'],
    ['crossfade route ', 'set reset delete'],
    ['crossfade phase products d', 'dual'],
    ['crossfade advance products --reh', '--rehearse'],
    ['crossfade --json status --wa', '--watch'],
    ['crossfade completion ', 'bash zsh'],
  ])('completes "%s" to "%s" in a real bash', async (typed, expected) => {
    const { out } = await harness().run('completion bash');
    const words = typed.split(' ');
    const line = `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}`;
    const script = `${out}\n${line}; _crossfade; echo "\${COMPREPLY[*]}"`;
    expect(execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trim()).toBe(expected);
  });

  test.skipIf(!hasZsh).each([
    ['crossfade adv', 'crossfade advance'],
    ['crossfade phase products d', 'crossfade phase products dual'],
    ['crossfade advance products --reh', 'crossfade advance products --rehearse'],
  ])('completes "%s" to "%s" in a real zsh that has loaded nothing', async (typed, expected) => {
    const folder = mkdtempSync(join(tmpdir(), 'crossfade-zsh-'));
    writeFileSync(join(folder, 'completion'), (await harness().run('completion zsh')).out);
    // A terminal of its own, since zsh completes nowhere else; the second read ends when the word is complete.
    const script = `zmodload zsh/zpty; zpty t zsh -f -i
      zpty -w t 'PS1=; source ${folder}/completion; print REA''DY'; zpty -r -m t seen '*READY*'
      zpty -n -w t $'${typed}\\t'; zpty -r -m t seen '*${expected}*'; print -r -- $seen; zpty -d t`;
    const env = { ...process.env, HOME: folder, ZDOTDIR: folder };
    const seen = execFileSync('zsh', ['-f', '-c', script], { encoding: 'utf8', timeout: 60_000, env });
    rmSync(folder, { recursive: true });
    expect(seen).toContain(expected);
  });
});

describe('exit codes', () => {
  test('are distinct', () => {
    const codes = Object.values(exitTable).map(({ code }) => code);
    expect(new Set(codes).size).toBe(codes.length);
  });
});
