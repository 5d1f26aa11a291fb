import { describe, expect, it } from 'vitest';
import { createLooks } from '../../../src/agent/already-there.ts';
import { isForeign } from '../../../src/agent/follower-watch.ts';
import { takePosition } from '../../../src/agent/positions.ts';
import { type RepairIo, repairIds } from '../../../src/agent/repair.ts';
import { beginSweep, sweepStep } from '../../../src/agent/sweep.ts';
import { beginTail, type TailIo, type TailState, tailStep } from '../../../src/agent/tail.ts';
import { beginVerify, verifyStep } from '../../../src/agent/verify.ts';
import { type Engine, engine } from './engine.ts';

const route = (): Engine => engine({}, { versions: 'external' });

type Side = 'source' | 'target';
const write = (made: Engine, side: Side, id: string, version: bigint, op: 'index' | 'delete' = 'index') => {
  const index = side === 'source' ? 'p1' : 'p2';
  const source = op === 'index' ? `{"written":${version}}` : undefined;
  return made.pair[side].storage.write({ op, index, id, source, external: true, version });
};
const put = (made: Engine, id: string, version: bigint) => write(made, 'source', id, version);
const remove = (made: Engine, id: string, version: bigint) => write(made, 'source', id, version, 'delete');
const versions = ({ pair }: Engine, side: Side): Record<string, bigint> => {
  const docs = pair[side].storage.contents(side === 'source' ? 'p1' : 'p2');
  return Object.fromEntries([...docs].map(([id, { version }]) => [id, version]));
};

const begin = async ({ io }: Engine): Promise<TailState> => {
  const begun = await beginTail('start', io);
  if (begun.kind !== 'ok') throw new Error(begun.detail);
  return begun.state;
};
const tail = async (made: Engine, from?: TailState, io: TailIo = made.io): Promise<TailState> =>
  (await tailStep(from ?? (await begin(made)), io)).state;
const repairIo = async ({ io, direction }: Engine, over: Partial<RepairIo> = {}): Promise<RepairIo> => {
  const { clusters, runtime } = io;
  const taken = await takePosition('p1', 'checkpoint', { cluster: clusters.source, runtime });
  if (taken.kind !== 'ok') throw new Error(taken.detail);
  return { clusters, runtime, direction, transform: undefined, pins: [taken.position], ...over };
};
const repair = async (made: Engine, id: string, over: Partial<RepairIo> = {}) =>
  (await repairIds([{ ordinal: 0, id }], await repairIo(made, over)))[0]?.outcome;

describe('a route whose application sets the versions', () => {
  it('has the same version on both sides after the tail, so that the next version of the application is taken', async () => {
    const made = route();
    put(made, 'a', 100n);
    const io = { ...made.io, looks: createLooks() };
    const state = await tail(made, undefined, io);
    expect(versions(made, 'target')).toEqual({ a: 100n });
    expect(write(made, 'target', 'a', 101n).status).toBe(200);
    put(made, 'a', 101n);
    put(made, 'b', 2n ** 62n);
    await tail(made, await tail(made, state, io), io);
    put(made, 'c', 0n);
    await tail(made, state, io);
    expect(versions(made, 'target')).toEqual({ a: 101n, b: 2n ** 62n, c: 0n });
    expect(made.io.quarantine.size()).toBe(0);
  });

  it('looks with versions whether the follower has a document already', async () => {
    const made = route();
    const looks = createLooks();
    put(made, 'a', 100n);
    write(made, 'target', 'a', 100n);
    const state = await tail(made, undefined, { ...made.io, looks });
    put(made, 'a', 101n);
    put(made, 'b', 5n);
    write(made, 'target', 'b', 5n);
    await tail(made, state, { ...made.io, looks });
    expect(versions(made, 'target')).toEqual({ a: 101n, b: 5n });
  });

  it('sweeps what the application deleted, and takes what it makes anew', async () => {
    const made = route();
    put(made, 'a', 100n);
    const state = await tail(made);
    remove(made, 'a', 101n);
    const begun = await beginSweep(made.io);
    if (begun.kind === 'ok') await sweepStep(begun.state, made.io);
    expect(versions(made, 'target')).toEqual({});
    put(made, 'a', 102n);
    await tail(made, state);
    expect(versions(made, 'target')).toEqual({ a: 102n });
  });

  it.each(['stamp', 'hash', 'full'] as const)('verifies what is equal as equal, mode %s', async (mode) => {
    const made = route();
    for (let i = 1; i <= 30; i++) put(made, `d${i}`, BigInt(i));
    await tail(made);
    const io = { ...made.io, recheck: { rounds: 1, delayMs: 1 } };
    const begun = await beginVerify({ mode }, io);
    if (begun.kind !== 'ok') throw new Error(begun.detail);
    const gets = () => made.pair.target.requests.filter(({ path }) => path.includes('_mget')).length;
    const before = gets();
    const { state } = await verifyStep(begun.state, io);
    expect(state).toMatchObject({ counts: { missing: 0, extra: 0, different: 0 }, unstable: 0 });
    // Nothing seemed different at the first look.
    expect(gets() - before).toBeLessThanOrEqual(4);
  });

  it('tells of a version on the follower that would bar what the application writes next', async () => {
    const made = route();
    put(made, 'a', 100n);
    await tail(made);
    write(made, 'target', 'a', 200n);
    made.pair.target.storage.contents('p2').get('a')!.source = '{"written":100}';
    const io = { ...made.io, recheck: { rounds: 2, delayMs: 1 } };
    const begun = await beginVerify({ mode: 'full' }, io);
    if (begun.kind !== 'ok') throw new Error(begun.detail);
    const { state } = await verifyStep(begun.state, io);
    expect(state.findings).toMatchObject([{ id: 'a', reason: 'version 200 would bar later copies' }]);
    const { source } = made.io.clusters;
    const [authority] = await source.mget({ index: 'p1', docs: [{ id: 'a', routing: undefined }], source: false });
    expect([100n, 101n].map((version) => isForeign(version, authority!, made.direction))).toEqual([false, true]);
  });

  it('repairs with the version of the application and no other', async () => {
    const made = route();
    put(made, 'missing', 100n);
    for (let i = 0; i < 20; i++) put(made, `later${i}`, 1n);
    expect(await repair(made, 'missing')).toEqual({ kind: 'copied', stamp: 100n });
    put(made, 'ahead', 100n);
    write(made, 'target', 'ahead', 150n);
    expect(await repair(made, 'ahead')).toMatchObject({ kind: 'foreign' });
    expect(await repair(made, 'ahead', { overwrite: 'any' })).toMatchObject({
      kind: 'failed',
      reason: expect.stringContaining('delete the document there'),
    });
    write(made, 'target', 'buried', 50n);
    write(made, 'target', 'buried', 60n, 'delete');
    put(made, 'buried', 55n);
    expect(await repair(made, 'buried')).toMatchObject({ kind: 'failed' });
    made.pair.target.storage.loseTombstones('p2');
    expect(await repair(made, 'buried')).toEqual({ kind: 'copied', stamp: 55n });
    remove(made, 'missing', 101n);
    expect(await repair(made, 'missing')).toEqual({ kind: 'deleted' });
    put(made, 'missing', 102n);
    expect(await repair(made, 'missing')).toEqual({ kind: 'copied', stamp: 102n });
  });
});
