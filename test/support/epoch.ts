/**
 * One route on two real clusters for tests of the data plane: its indices, epoch aliases and fence, a member's admission
 * and table, copies that are applied at once, and the same documents read back from both sides byte for byte.
 */

import { createAdmission } from '../../src/coordination/admission.ts';
import { epochAlias, fenceIndex } from '../../src/coordination/keys.ts';
import type { Copies, Copy, CopyOutcome, DocKey, RouteState, SweepReason } from '../../src/coordination/ports.ts';
import {
  authorityIn,
  initialPhase,
  otherSide,
  type Phase,
  type PhaseRecord,
  type Side,
} from '../../src/coordination/records.ts';
import { RouteSpec } from '../../src/coordination/route-spec.ts';
import { eachElement, members, parseSlice, rawOf } from '../../src/json/scan.ts';
import { createRouteTable } from '../../src/proxy/route-table.ts';
import type { RouteTable } from '../../src/proxy/types.ts';
import type { Transports, UpstreamAnswer } from '../../src/upstream/types.ts';

export type Json = Record<string, unknown>;

/** Creates what the route needs on both sides, and takes it away again. */
export class TestRoute {
  readonly transports: Transports;
  readonly admission = createAdmission({ now: () => performance.now() });
  readonly applied: Copy[] = [];
  readonly unknown: { slug: string; mayDelete: boolean }[] = [];
  readonly left: { reign: number; ordinal: number; writes: number }[] = [];
  readonly sweeps: SweepReason[] = [];
  #state: RouteState;
  #table: RouteTable;

  constructor(transports: Transports, spec: unknown) {
    this.transports = transports;
    const parsed = RouteSpec.parse(spec);
    this.#state = {
      slug: parsed.route,
      spec: parsed,
      specRevision: 1,
      phase: { ...initialPhase, phase: 'dual', epoch: 1 },
      phaseRevision: 1,
      percent: { read: 0, shadow: 0, write: 100 },
      stop: false,
      rate: undefined,
      errors: [],
    };
    this.#table = createRouteTable(new Map([[parsed.route, this.#state]]), { sameCluster: false });
    this.admission.apply(new Map([[parsed.route, this.#state]]));
  }

  get state(): RouteState {
    return this.#state;
  }
  get table(): RouteTable {
    return this.#table;
  }

  /** As if a newer phase record, or newer percentages, had become known. */
  learn(change: { phase?: Partial<PhaseRecord>; percent?: Partial<RouteState['percent']> }): void {
    this.#state = {
      ...this.#state,
      phase: { ...this.#state.phase, ...change.phase },
      percent: { ...this.#state.percent, ...change.percent },
      phaseRevision: this.#state.phaseRevision + 1,
    };
    const states = new Map([[this.#state.slug, this.#state]]);
    this.#table = createRouteTable(states, { sameCluster: false });
    this.admission.apply(states);
  }

  /** Points the write aliases of the state's epoch at the authority and takes up the phase. */
  async enter(phase: Phase, { epoch, reign }: { epoch: number; reign: number }): Promise<void> {
    await this.openEpoch(epoch, authorityIn(phase));
    this.learn({ phase: { phase, epoch, reign } });
  }

  async openEpoch(epoch: number, side: Side): Promise<void> {
    const { slug, spec } = this.#state;
    await this.#aliases(
      side,
      spec.indices.map((pair, ordinal) => ({
        add: { index: pair[side], alias: epochAlias(slug, epoch, ordinal), is_write_index: true, is_hidden: true },
      })),
    );
  }

  async fence(epoch: number, side: Side): Promise<void> {
    const { slug, spec } = this.#state;
    await this.#aliases(
      side,
      spec.indices.flatMap((pair, ordinal) => {
        const alias = epochAlias(slug, epoch, ordinal);
        return [
          { remove: { index: pair[side], alias } },
          { add: { index: fenceIndex, alias, is_write_index: true, is_hidden: true } },
        ];
      }),
    );
  }

  async create(settings: Json = {}, mappings: Json = {}): Promise<void> {
    const body = { settings: { number_of_shards: 2, number_of_replicas: 0, ...settings }, mappings };
    const fence = {
      settings: { number_of_shards: 1, number_of_replicas: 0, 'index.blocks.write': true, 'index.hidden': true },
    };
    for (const side of ['source', 'target'] as const) {
      await this.call(side, 'PUT', `/${fenceIndex}`, fence);
      for (const pair of this.#state.spec.indices) expectOk(await this.call(side, 'PUT', `/${pair[side]}`, body));
    }
    for (const alias of this.#state.spec.aliases) {
      const names = alias.indices ?? this.#state.spec.indices.map((pair) => pair.source);
      await this.#aliases(
        'source',
        names.map((index) => ({
          add: {
            index,
            alias: alias.name,
            ...(alias.routing === undefined ? {} : { routing: alias.routing }),
            ...(names.length > 1 ? { is_write_index: index === alias.writeIndex } : {}),
          },
        })),
      );
    }
    await this.openEpoch(1, 'source');
  }

  async destroy(): Promise<void> {
    const { slug, spec } = this.#state;
    for (const side of ['source', 'target'] as const) {
      for (const pair of spec.indices) await this.call(side, 'DELETE', `/${pair[side]}`);
      await this.call(side, 'DELETE', `/${fenceIndex}/_alias/crossfade-${slug}-*`);
    }
  }

  async call(side: Side, method: string, path: string, body?: unknown): Promise<UpstreamAnswer> {
    return this.transports[side].request({
      method,
      path,
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      body: body === undefined || typeof body === 'string' ? (body as string | undefined) : JSON.stringify(body),
    });
  }

  async #aliases(side: Side, actions: readonly unknown[]): Promise<void> {
    expectOk(await this.call(side, 'POST', '/_aliases', { actions }));
  }

  /** Applies each copy at once, as the follower would see it. */
  readonly copies: Copies = {
    offer: (copy, state) => {
      this.applied.push(copy);
      return this.#apply(copy, otherSide(authorityIn(state.phase.phase)));
    },
    isPending: () => false,
    unknownOutcome: (slug, mayDelete) => void this.unknown.push({ slug, mayDelete }),
    arrived: () => undefined,
    notCopied: () => undefined,
    leftToTail: (_slug, left) => void this.left.push(left),
    sweepNeeded: (_slug, reason) => void this.sweeps.push(reason),
  };

  async #apply(copy: Copy, side: Side): Promise<CopyOutcome> {
    const index = this.#state.spec.indices[copy.ordinal]?.[side] as string;
    const routing = copy.routing === undefined ? '' : `&routing=${encodeURIComponent(copy.routing)}`;
    const refresh = copy.refresh === undefined ? '' : `&refresh=${copy.refresh}`;
    const { status, body } = await this.transports[side].request({
      method: copy.op === 'index' ? 'PUT' : 'DELETE',
      path: `/${index}/_doc/${encodeURIComponent(copy.id)}?version=${copy.stamp}&version_type=external${routing}${refresh}`,
      headers: { 'content-type': 'application/json' },
      body: copy.op === 'index' ? copy.source : undefined,
    });
    if (status === 409) return 'superseded';
    if (status < 300 || (copy.op === 'delete' && status === 404)) return 'applied';
    throw new Error(`copy of ${copy.id} refused: ${status} ${body}`);
  }

  /** Deletes on the follower, as a sweep does it, what is absent on the authority. */
  readonly repairIds = async (state: RouteState, keys: readonly DocKey[]): Promise<number> => {
    let absent = 0;
    const authority = authorityIn(state.phase.phase);
    const pathOf = (side: Side, { ordinal, id, routing }: DocKey) =>
      `/${state.spec.indices[ordinal]?.[side]}/_doc/${encodeURIComponent(id)}${routing === undefined ? '' : `?routing=${routing}`}`;
    for (const key of keys) {
      if ((await this.call(authority, 'GET', pathOf(authority, key))).status !== 404) continue;
      absent++;
      const path = pathOf(otherSide(authority), key);
      const held = JSON.parse((await this.call(otherSide(authority), 'GET', path)).body.toString()) as Json;
      if (held['found'] !== true) continue;
      const version = BigInt(String(held['_version'])) + 1n;
      const joint = path.includes('?') ? '&' : '?';
      await this.call(otherSide(authority), 'DELETE', `${path}${joint}version=${version}&version_type=external`);
    }
    return absent;
  };

  /** Every document of one index: routing and raw `_source` by id. */
  async documents(side: Side, ordinal = 0): Promise<Map<string, string>> {
    const index = this.#state.spec.indices[ordinal]?.[side] as string;
    await this.call(side, 'POST', `/${index}/_refresh`);
    const { body } = await this.call(side, 'POST', `/${index}/_search`, { size: 10_000, query: { match_all: {} } });
    const found = new Map<string, string>();
    const { hits } = members(body, 0, ['hits']);
    const inner = members(body, hits?.start ?? 0, ['hits']).hits;
    eachElement(body, inner?.start ?? 0, ({ start }) => {
      const hit = members(body, start, ['_id', '_routing', '_source']);
      if (hit._id === undefined || hit._source === undefined) throw new Error('a hit without id or source');
      const routing = hit._routing === undefined ? '' : rawOf(body, hit._routing);
      found.set(String(parseSlice(body, hit._id)), `${routing} ${rawOf(body, hit._source)}`);
    });
    return found;
  }
}

const expectOk = (answer: UpstreamAnswer): void => {
  if (answer.status >= 300) throw new Error(`set-up failed: ${answer.status} ${answer.body}`);
};
