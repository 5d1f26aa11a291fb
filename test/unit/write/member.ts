/** A member with scripted clusters and a clock moved by hand: what it sends, copies and puts on record can be looked at. */
import { createAdmission } from '../../../src/coordination/admission.ts';
import type { Copy, CopyOutcome, NotCopied, RouteState } from '../../../src/coordination/ports.ts';
import type { PhaseRecord, Side } from '../../../src/coordination/records.ts';
import { silentLogger } from '../../../src/log.ts';
import { createRouteTable } from '../../../src/proxy/route-table.ts';
import type { WriteDeps, WriteEvent } from '../../../src/proxy/write/index.ts';
import type { UpstreamAnswer, UpstreamRequest } from '../../../src/upstream/types.ts';
import { type RouteOptions, routeState } from '../../support/routes.ts';
import { createSender } from '../../support/write-client.ts';
import { ManualTime } from '../coordination/manual-time.ts';

export type Seen = { side: Side; method: string; path: string; body: string; ownAccount?: true };
type Scripted = { status?: number; body: unknown; headers?: Record<string, string> };
export type Script = (request: Seen, n: number) => Scripted | Error | undefined | Promise<Scripted | Error | undefined>;

const textOf = (body: UpstreamRequest['body']): string => {
  if (body === undefined) return '';
  if (typeof body === 'string') return body;
  return 'pieces' in body ? Buffer.concat([...body.pieces()]).toString() : Buffer.from(body).toString();
};

export class Member {
  readonly time = new ManualTime();
  readonly seen: Seen[] = [];
  readonly offered: Copy[] = [];
  readonly unknown: boolean[] = [];
  readonly left: { reign: number; ordinal: number; writes: number }[] = [];
  readonly arrived: { reign: number; ordinal: number }[] = [];
  readonly notCopied: NotCopied[] = [];
  readonly sweeps: string[] = [];
  readonly events: WriteEvent[] = [];
  readonly admission = createAdmission({ now: this.time.now, timers: this.time.timers });
  /** What an offered copy comes to; a promise that never settles = a follower that hangs. */
  outcome: Promise<CopyOutcome> = Promise.resolve('applied');
  readonly sender: ReturnType<typeof createSender>;
  /** What a question for settings is answered; undefined = with an error. */
  settings: Record<string, unknown> | undefined | Promise<Record<string, unknown>> = {};
  readonly #states = new Map<string, RouteState>();
  #script: Script;

  constructor(script: Script, routes: readonly RouteOptions[] = [{}], deps: Partial<WriteDeps> = {}) {
    this.#script = script;
    for (const route of routes) this.#set(routeState(route));
    this.sender = createSender({
      transports: { source: this.#transport('source'), target: this.#transport('target') },
      admission: this.admission,
      copies: {
        offer: (copy) => {
          this.offered.push(copy);
          return this.outcome;
        },
        isPending: () => false,
        unknownOutcome: (_slug, mayDelete) => void this.unknown.push(mayDelete),
        arrived: (_slug, write) => void this.arrived.push(write),
        leftToTail: (_slug, left) => void this.left.push(left),
        notCopied: (write) => void this.notCopied.push(write),
        sweepNeeded: (_slug, reason) => void this.sweeps.push(reason),
      },
      table: () => createRouteTable(this.#states, { sameCluster: false }),
      limits: { maxBodyBytes: 1_000_000 },
      logger: silentLogger(),
      now: this.time.now,
      date: () => new Date('2026-02-03T04:05:06Z'),
      timers: this.time.timers,
      onEvent: (event) => void this.events.push(event),
      ...deps,
    });
  }

  /** Writes that reached a cluster, without the questions asked on the side. */
  get writes(): Seen[] {
    return this.seen.filter(
      ({ path, method }) => !/_settings|_mget|_tasks|_search|_alias\//.test(path) && method !== 'HEAD',
    );
  }

  state(slug = 'products'): RouteState {
    return this.#states.get(slug) as RouteState;
  }

  learn(phase: Partial<PhaseRecord>, slug = 'products', more: Partial<RouteState> = {}): void {
    const before = this.state(slug);
    const phaseRevision = before.phaseRevision + 1;
    this.#set({ ...before, ...more, phase: { ...before.phase, ...phase }, phaseRevision });
  }

  drained(slug = 'products'): boolean | undefined {
    return this.admission.report(slug)?.inFlight === 0;
  }

  #set(state: RouteState): void {
    this.#states.set(state.slug, state);
    this.admission.apply(this.#states);
  }

  async #settingsAnswer(): Promise<Scripted> {
    const settings = await this.settings;
    return settings === undefined ? { status: 503, body: {} } : { body: settings };
  }

  #transport(side: Side) {
    return {
      request: async ({ method, path, body, ownAccount }: UpstreamRequest): Promise<UpstreamAnswer> => {
        const seen: Seen = { side, method, path, body: textOf(body), ...(ownAccount ? { ownAccount } : {}) };
        const before = this.seen.filter((other) => other.side === side).length;
        this.seen.push(seen);
        const scripted = path.includes('/_settings/') ? await this.#settingsAnswer() : await this.#script(seen, before);
        if (scripted instanceof Error) throw scripted;
        const { status = 200, body: text, headers } = scripted ?? { body: {} };
        return {
          status,
          headers: { 'content-type': 'application/json', ...headers },
          body: Buffer.from(typeof text === 'string' ? text : JSON.stringify(text)),
        };
      },
    };
  }
}

export const written = (more: Record<string, unknown> = {}) => ({
  _index: 'products_v1',
  _id: '1',
  _version: 1,
  result: 'created',
  _seq_no: 7,
  _primary_term: 1,
  ...more,
});

const block = {
  type: 'cluster_block_exception',
  reason: 'index [crossfade-fence] blocked by: [FORBIDDEN/8/index write (api)];',
};
export const fencedAnswer = { status: 403, body: { error: { root_cause: [block], ...block }, status: 403 } };
export const fencedItem = (op: string) => ({
  [op]: { _index: 'crossfade-fence', _id: '1', status: 403, error: block },
});
export const bulkAnswer = (...items: unknown[]) => ({
  body: { took: 1, errors: items.some((item) => JSON.stringify(item).includes('"error"')), items },
});
