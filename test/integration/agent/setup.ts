/** A route on the real clusters: its own indices and aliases, the engine's inputs, and what both sides hold. */
import { afterAll } from 'vitest';
import { createClusterControl } from '../../../src/agent/cluster.ts';
import type { CopyIo } from '../../../src/agent/copy-page.ts';
import { type Direction, directionOf } from '../../../src/agent/direction.ts';
import { createQuarantine } from '../../../src/agent/quarantine.ts';
import { systemRuntime } from '../../../src/agent/runtime.ts';
import { beginTail, type TailResult, tailStep } from '../../../src/agent/tail.ts';
import { copyAlias, epochAlias, fenceIndex } from '../../../src/coordination/keys.ts';
import type { RouteState } from '../../../src/coordination/ports.ts';
import { initialPhase, type PhaseRecord, type Side, sides } from '../../../src/coordination/records.ts';
import { RouteSpec } from '../../../src/coordination/route-spec.ts';
import type { Transport } from '../../../src/upstream/types.ts';
import { services, uniqueName } from '../../support/services.ts';
import { testTransport } from '../../support/transport.ts';

export type Clusters = Record<Side, ReturnType<typeof createClusterControl>>;
export type Body = { settings?: Record<string, unknown>; mappings?: Record<string, unknown> };
export type RouteOptions = {
  source?: Body;
  target?: Body;
  phase?: Partial<PhaseRecord>;
  spec?: Record<string, unknown>;
  wrap?: (side: Side, transport: Transport) => Transport;
};
export type RealRoute = {
  state: RouteState;
  direction: Direction;
  clusters: Clusters;
  io: CopyIo;
  names: Record<Side, string>;
  urls: Record<Side, string>;
  /** Sends raw bytes to a side; fails the test on an error status unless it is expected. */
  call(side: Side, method: string, path: string, body?: string, expected?: number): Promise<Record<string, unknown>>;
  /** Every document of a side: id and routing to the exact text of its source. */
  contents(side: Side): Promise<Record<string, string>>;
  tailAll(): Promise<TailResult>;
};

const made: { url: string; index: string }[] = [];
afterAll(async () => {
  for (const { url, index } of made) await fetch(`${url}/${index}`, { method: 'DELETE' });
});

const oneReplicaLess = (body: Body): Body => ({ ...body, settings: { number_of_replicas: 0, ...body.settings } });

export const realRoute = async (options: RouteOptions = {}): Promise<RealRoute> => {
  const { sourceUrl, targetUrl } = await services();
  const urls = { source: sourceUrl, target: targetUrl };
  const slug = uniqueName('agent');
  const names = { source: `${slug}-v1`, target: `${slug}-v2` };
  const spec = RouteSpec.parse({ route: slug, indices: [names], ...options.spec }) as RouteState['spec'];
  const phase: PhaseRecord = { ...initialPhase, phase: 'dual', epoch: 1, ...options.phase };
  const state: RouteState = {
    slug,
    spec,
    specRevision: 1,
    phase,
    phaseRevision: 1,
    percent: { read: 0, shadow: 0, write: 100 },
    stop: false,
    rate: undefined,
    errors: [],
  };
  const transport = (side: Side) => (options.wrap ?? ((_side, plain) => plain))(side, testTransport(urls[side]));
  const clusters = {
    source: createClusterControl(transport('source')),
    target: createClusterControl(transport('target')),
  };
  const direction = directionOf(state);
  for (const side of sides) {
    made.push({ url: urls[side], index: names[side] });
    await clusters[side].createIndex(names[side], oneReplicaLess(options[side] ?? {}));
    const alias = (side === direction.authority ? epochAlias : copyAlias)(slug, phase.epoch, 0);
    await clusters[side].updateAliases([{ add: { index: names[side], alias, is_write_index: true, is_hidden: true } }]);
  }
  const call: RealRoute['call'] = async (side, method, path, body, expected) => {
    const answer = await fetch(`${urls[side]}${path}`, {
      method,
      ...(body === undefined
        ? {}
        : {
            body,
            headers: {
              'content-type':
                body.includes('\n{') && path.includes('_bulk') ? 'application/x-ndjson' : 'application/json',
            },
          }),
    });
    const text = await answer.text();
    if (expected === undefined ? answer.status >= 300 : answer.status !== expected)
      throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
  };
  const contents: RealRoute['contents'] = async (side) => {
    await clusters[side].refresh(names[side]);
    const stats = await clusters[side].shardStats(names[side]);
    const found: [string, string][] = [];
    for (const { shard, primaryNode: node, maxSeqNo } of stats?.shards ?? []) {
      const range = { index: names[side], shard, node, after: -1, upTo: maxSeqNo, size: 10_000, source: true };
      for (const { id, routing, source } of await clusters[side].searchBySeq(range))
        found.push([routing === undefined ? id : `${id} @${routing}`, Buffer.from(source as Uint8Array).toString()]);
    }
    return Object.fromEntries(found.sort(([a], [b]) => (a < b ? -1 : 1)));
  };
  const io: CopyIo = {
    clusters,
    runtime: systemRuntime,
    direction,
    transform: undefined,
    limits: { pageBytes: 64 * 1024, maxPageDocs: 200 },
    quarantine: createQuarantine(),
  };
  const tailAll = async (): Promise<TailResult> => {
    const begun = await beginTail('start', io);
    if (begun.kind !== 'ok') throw new Error(begun.detail);
    const result = await tailStep(begun.state, io);
    for (let last = result; !last.caughtUp && last.kind === 'ok';) {
      last = await tailStep(last.state, io);
      Object.assign(result, last, { docs: result.docs + last.docs, applied: result.applied + last.applied });
    }
    return result;
  };
  return { state, direction, clusters, io, names, urls, call, contents, tailAll };
};

/** Closes the copy alias of the route's epoch as a cutover does. */
export const fence = async ({ clusters, direction, names, state }: RealRoute): Promise<void> => {
  const follower = clusters[direction.follower];
  if ((await follower.getIndex(fenceIndex)) === undefined)
    await follower
      .createIndex(fenceIndex, { settings: { number_of_replicas: 0, 'blocks.write': true } })
      .catch(() => undefined);
  const alias = copyAlias(state.slug, state.phase.epoch, 0);
  await follower.updateAliases([
    { remove: { index: names[direction.follower], alias } },
    { add: { index: fenceIndex, alias, is_write_index: true, is_hidden: true } },
  ]);
};
/** Takes the aliases of a route off the shared fence. */
export const unfence = async ({ clusters, direction, state }: RealRoute): Promise<void> => {
  await clusters[direction.follower].updateAliases([
    { remove: { index: fenceIndex, alias: copyAlias(state.slug, state.phase.epoch, 0) } },
  ]);
};
