/**
 * kill -9 of the node that holds the primaries, under load and with writes that no replica holds. Two kinds of harm are set
 * up first: acknowledged writes that the tail passes while such a write hides them, and acknowledged updates that are read
 * back as such a write has left them.
 */
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { whyNoOldCluster } from '../support/services/embedded.ts';
import { services } from '../support/services.ts';
import type { Documents } from './checker.ts';
import { call, readAll } from './documents.ts';
import { type Asked, type Relay, startRelay } from './relay.ts';
import { startTwoNodes, type TwoNodes } from './two-nodes.ts';
import { buildWorld, type World } from './world.ts';

const missing = await whyNoOldCluster();
const reason = missing === undefined ? '' : ` (skipped: ${missing})`;
const hidden = Array.from({ length: 8 }, (_, i) => `hidden-${i}`);
const updated = Array.from({ length: 4 }, (_, i) => `updated-${i}`);
const ids = [...hidden, ...updated];

type ShardCopy = { routing: { primary: boolean }; seq_no: { max_seq_no: number; global_checkpoint: number } };
type Stats = { indices: Record<string, { shards: Record<string, ShardCopy[]> }> };
type Got = { docs: { _id: string; _source?: { value: string } }[] };
type Cursors = { shard: number; cursor: number }[];

/** Shard and last number of a page of the tail. */
const pageOf = ({ path, body }: Asked): { shard: number; upTo: number } | undefined => {
  const shard = /_search\?preference=_shards%3A(\d+)/.exec(path)?.[1];
  const upTo = /"lte":(\d+)/.exec(body.toString())?.[1];
  return shard === undefined || upTo === undefined ? undefined : { shard: Number(shard), upTo: Number(upTo) };
};

/** At how far the shards are, before the tail reads. */
const isLook = ({ path }: Asked): boolean => path.includes('/_stats');
const isReadBack = ({ path, body }: Asked): boolean =>
  path.endsWith('/_mget?realtime=true') && body.includes('updated-');

describe.skipIf(missing !== undefined)(`a primary that is lost with what no replica holds${reason}`, () => {
  let nodes: TwoNodes;
  let relay: Relay;
  let world: World;
  let targetUrl: string;
  beforeAll(async () => {
    [{ targetUrl }, nodes] = await Promise.all([services(), startTwoNodes('pair')]);
    relay = await startRelay(nodes.lastingUrl);
    world = await buildWorld({
      agents: 2,
      clusters: { sourceUrl: nodes.lastingUrl, targetUrl },
      sourceUrl: relay.url,
      sourceSettings: nodes.startsThere,
      patienceMs: 60_000,
      // A node that has asked a primary repeats the request when the primary fails, though a replica may hold it already.
      updates: false,
    });
    await nodes.spread(world.names.source);
    await world.until(({ safeToAdvance }) => safeToAdvance.ok, 'the gate to open');
  }, 240_000);
  afterAll(async () => {
    await world?.close();
    await relay?.close();
    await nodes?.stop();
  });

  const write = async (id: string, value: string, how: 'replace' | 'update' = 'replace'): Promise<void> => {
    const told = world.recorder.begin({ kind: 'set', id, value });
    const at = `${world.members[0]!.process.url}/${world.slug}`;
    if (how === 'replace') await call(`${at}/_doc/${id}`, 'PUT', { value });
    // The client asks for the document itself, so the answer may be filtered and the copy is made of what is read back.
    else await call(`${at}/_update/${id}?_source=true`, 'POST', { doc: { value } });
    world.recorder.settle(told, 'acknowledged', '200');
  };
  /** By nobody who could still be told of it: on the primary, past the link that is cut. */
  const writeUnheard = (id: string, i: number): void => {
    const value = i % 2 === 0 ? `unheard-${id}` : undefined;
    world.recorder.begin({ kind: 'set', id, value });
    const path = `${nodes.mortalUrl}/crossfade-${world.slug}-e1/_doc/${id}`;
    call(path, value === undefined ? 'DELETE' : 'PUT', value === undefined ? undefined : { value }).catch(
      () => undefined,
    );
  };
  const onTarget = async (): Promise<Documents> => {
    const { docs } = (await call(`${targetUrl}/${world.names.target}/_mget`, 'POST', { ids })) as Got;
    return new Map(docs.flatMap(({ _id, _source }) => (_source === undefined ? [] : [[_id, _source]])));
  };
  const showsUnheard = async (): Promise<boolean> => {
    const { docs } = (await call(
      `${nodes.mortalUrl}/${world.names.source}/_mget?realtime=false&preference=_local`,
      'POST',
      {
        ids,
      },
    )) as Got;
    return docs.every(({ _source }, i) => _source?.value === (i % 2 === 0 ? `unheard-${ids[i]}` : undefined));
  };
  /** By shard, as its primary has it. */
  const sequences = async (): Promise<ShardCopy['seq_no'][]> => {
    const { indices } = (await call(`${nodes.mortalUrl}/${world.names.source}/_stats?level=shards`, 'GET')) as Stats;
    const shards = Object.values(indices[world.names.source]!.shards);
    return shards.map((copies) => copies.find(({ routing }) => routing.primary)!.seq_no);
  };
  const setPercent = async (write: number): Promise<void> => {
    await world.cli('route', 'set', `${world.slug}.pct.write`, String(write));
    await world.until(
      ({ members }) => members.every(({ percent }) => percent?.write === write),
      `${write} % of copies`,
    );
  };

  /** What agents ask the source that a test stops on its way, by name; `pass` lets go what has come so far. */
  const stopping = (nameOf: (asked: Asked) => string | undefined) => {
    const names = new Set<string>();
    const { promise: until, resolve: pass } = Promise.withResolvers<void>();
    relay.misbehave((asked) => {
      const name = nameOf(asked);
      if (name === undefined) return undefined;
      names.add(name);
      return { kind: 'late', until };
    });
    return { names, pass };
  };

  test('acknowledged writes are hidden by unheard ones when the tail passes them', async () => {
    for (const id of updated) await write(id, `${id}-old`);
    const atUpdates = stopping((asked) => (isReadBack(asked) ? 'read back' : undefined));
    for (const id of updated) await write(id, `${id}-new`, 'update');
    await eventually(() => atUpdates.names.has('read back'), { what: 'the updates to be read back' });
    await setPercent(0);
    const atTail = stopping((asked) => (isLook(asked) || pageOf(asked) !== undefined ? 'tail' : undefined));
    const given = async (): Promise<number[]> => (await sequences()).map(({ max_seq_no: last }) => last);
    const before = await given();
    for (const id of hidden) await write(id, `${id}-acknowledged`);
    const passed = await given();
    const allHaveThem = async (): Promise<boolean> =>
      (await sequences()).every(({ global_checkpoint: checkpoint }, shard) => checkpoint >= passed[shard]!);
    await eventually(allHaveThem, { what: 'both copies of the shards to have what is to be hidden' });
    const atHidden = stopping((asked) => {
      const { shard = 0, upTo = -1 } = pageOf(asked) ?? {};
      return upTo > before[shard]! ? `shard ${shard}` : undefined;
    });
    atTail.pass();
    await eventually(() => atHidden.names.size === 2, { what: 'the tail to be on its way to both shards' });

    nodes.link.cut();
    ids.forEach(writeUnheard);
    await eventually(showsUnheard, { what: 'the primary to show what no replica holds' });
    relay.behave();
    for (const { pass } of [atUpdates, atHidden]) pass();
    await world.until(({ tail }) => {
      const cursors = tail['cursors'] as Cursors;
      return cursors.every(({ shard, cursor }) => cursor >= passed[shard]!);
    }, 'the tail to pass what is hidden');
    const values = [...(await onTarget()).values()].map(({ value }) => value);
    expect(values.filter((value) => /acknowledged|unheard/.test(value ?? ''))).toEqual([]);
  }, 120_000);

  test('once the node is killed the target gets them all and nothing else, and the route switches there and back', async () => {
    nodes.kill();
    await setPercent(100);
    const kept = ids.map((id) => [id, { value: id.startsWith('hidden') ? `${id}-acknowledged` : `${id}-new` }]);
    const arrived = async (): Promise<boolean> => isDeepStrictEqual([...(await onTarget())], kept);
    await eventually(arrived, { timeoutMs: 60_000, what: 'the target to have what was acknowledged' });
    for (const phase of ['target', 'dual'] as const) {
      await world.load.acknowledges(40);
      expect((await world.switchTo(phase)).phase).toBe(phase);
    }
    await world.load.acknowledges(40);
    expect(await world.verdict()).toEqual([]);
    expect([...(await readAll(nodes.lastingUrl, world.names.source))]).toEqual(expect.arrayContaining(kept));
    await world.until(({ ledger }) => ledger.balanced === true, 'the ledger to balance');
  }, 240_000);
});
