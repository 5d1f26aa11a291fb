/**
 * The defences of a migration, each switched off alone by wrapping what the product is given, never by a switch inside
 * it: bytes of copies, answers of a cluster, requests that never arrive, reports of members as the leader sees them. A
 * defence without which no seed goes wrong would be one that nobody tests; mutants.test.ts replays a few seeds for each.
 */
import { backfillName } from '../../src/agent/backfill.ts';
import type { Members } from '../../src/coordination/members.ts';
import type { Membership } from '../../src/coordination/membership.ts';
import { bootPrefix, fenceIndex, keys } from '../../src/coordination/keys.ts';
import { type MemberRoute, otherSide } from '../../src/coordination/records.ts';
import { packStamp, type StampParts, unpackStamp } from '../../src/coordination/stamp.ts';
import type { Transport, UpstreamAnswer, UpstreamRequest } from '../../src/upstream/types.ts';
import { type Faults, noFaults } from './faults.ts';
import {
  copyArrivesLate,
  deafMember,
  hiddenFromTheTail,
  lostAfterRepair,
  readAndLost,
  type Story,
  unheardMember,
} from './stories.ts';
import { indexNames, type Knobs, type Sabotage, slug, type World } from './world.ts';

export const mutantNames = [
  'stamps',
  'term',
  'reign',
  'fence',
  'tail',
  'sweep',
  'count',
  'ledger',
  'drain',
  'barrier',
  'tail fence',
  'unclear',
  'process list',
  'read back',
  'primary terms',
] as const;
export type MutantName = (typeof mutantNames)[number];
export type Mutant = { sabotage: Sabotage; faults?: Partial<Faults>; knobs?: Knobs; story?: Story };

const text = ({ body }: UpstreamRequest): string => {
  if (body === undefined || typeof body === 'string') return body ?? '';
  return Buffer.concat('pieces' in body ? [...body.pieces()] : [body]).toString('utf8');
};

const stamped = /"version":(\d+),"version_type":"external"/g;

/** Every copy with another stamp than it was made with. */
const restamped = (stamp: (own: bigint) => bigint): Sabotage => ({
  arrival: (request) => {
    const body = text(request);
    if (!body.includes('"external"')) return request;
    const other = (_: string, own: string) => `"version":${stamp(BigInt(own))},"version_type":"external"`;
    return { ...request, body: body.replace(stamped, other) };
  },
});

const without = (part: 'reign' | 'term'): Sabotage =>
  restamped((own) => {
    const parts: StampParts = unpackStamp('narrow', own);
    return packStamp('narrow', { ...parts, [part]: 1 });
  });

/** The last copy to arrive wins. */
const noStamps = (): Sabotage => {
  let arrivals = 1n << 62n;
  return restamped(() => ++arrivals);
};

type At = { world: World };
const asking = (
  ask: (transport: Transport, request: UpstreamRequest, at: At) => Promise<UpstreamAnswer>,
): Sabotage => ({
  transport: (transport, at) => ({ request: (request) => ask(transport, request, at) }),
});

/** The answer as the product gets it, rewritten. */
const answering = (
  concerns: (request: UpstreamRequest, at: At) => boolean,
  rewrite: (body: string) => string,
): Sabotage =>
  asking(async (transport, request, at) => {
    const answer = await transport.request(request);
    if (answer.status !== 200 || !concerns(request, at)) return answer;
    return { ...answer, body: Buffer.from(rewrite(answer.body.toString('utf8'))) };
  });

const isAboutFollower = ({ path }: UpstreamRequest, { world }: At): boolean =>
  path.startsWith(`/${indexNames[otherSide(world.checker.authority)]}/`);

type AliasAction = Partial<Record<'add' | 'remove', { index: string; alias: string }>>;

/** Aliases that should go to the fence stay where they are, and the leader is told otherwise. */
const unfenced = (concerns: (alias: string, at: At) => boolean): Sabotage =>
  asking((transport, request, at) => {
    if (request.path !== '/_aliases') return transport.request(request);
    const { actions } = JSON.parse(text(request)) as { actions: AliasAction[] };
    const left = new Set(
      actions.flatMap(({ add }) => (add?.index === fenceIndex && concerns(add.alias, at) ? [add.alias] : [])),
    );
    const others = actions.filter(({ add, remove }) => !left.has((add ?? remove)?.alias ?? ''));
    if (others.length > 0) return transport.request({ ...request, body: JSON.stringify({ actions: others }) });
    return Promise.resolve({ status: 200, headers: {}, body: Buffer.from('{"acknowledged":true}') });
  });

const emptyPage = (body: string): string =>
  JSON.stringify({ ...JSON.parse(body), hits: { max_score: null, hits: [] } });
const isSeqSearch = ({ path }: UpstreamRequest): boolean => path.includes('/_search?preference=_shards');
const backfilled = ({ world }: At): boolean =>
  world.server.config.get(keys.job(slug, backfillName))?.value.includes('"state":"done"') === true;

/** What the leader believes of the members' reports. */
const reported = (change: (line: MemberRoute, at: At) => MemberRoute): Sabotage => ({
  members: (members, at) => new Believing(members, (line) => change(line, at)),
});

class Believing implements Members {
  readonly #members: Members;
  readonly #change: (line: MemberRoute) => MemberRoute;
  constructor(members: Members, change: (line: MemberRoute) => MemberRoute) {
    this.#members = members;
    this.#change = change;
  }
  view(): Membership {
    const view = this.#members.view();
    const members = [...view.members].map(([name, member]) => {
      const line = member.heartbeat?.routes[slug];
      if (member.heartbeat === undefined || line === undefined) return [name, member] as const;
      const routes = { ...member.heartbeat.routes, [slug]: this.#change(line) };
      return [name, { ...member, heartbeat: { ...member.heartbeat, routes } }] as const;
    });
    return { ...view, members: new Map(members) };
  }
  onChange(listener: (view: Membership) => void): () => void {
    return this.#members.onChange(listener);
  }
  beat(): void {
    this.#members.beat();
  }
  refresh(): Promise<void> {
    return this.#members.refresh();
  }
  join(): Promise<void> {
    return this.#members.join();
  }
  heard(): boolean {
    return this.#members.heard();
  }
  leave(): Promise<void> {
    return this.#members.leave();
  }
}

/** Nobody is waited for: everybody is taken to have heard of the newest record. */
const noBarrier = reported((line, { world }) => {
  const { record, revision } = world.checker.steps.at(-1) ?? {};
  return { ...line, phaseRevision: revision ?? line.phaseRevision, held: record?.hold !== undefined, drained: true };
});

/** Sequence numbers prove nothing: nobody has counted, and none was given out. */
const noLedger: Sabotage = {
  ...answering(
    ({ path }) => path.includes('/_stats'),
    (body) => body.replace(/"max_seq_no":-?\d+/g, '"max_seq_no":-1'),
  ),
  ...reported((line) => ({ ...line, ledger: line.ledger.map(() => 0) })),
};

/** Processes are known by their heartbeats alone. */
const noProcessList: Sabotage = {
  store: (store) => ({
    ...store,
    config: {
      ...store.config,
      list: async (prefix) => (prefix === bootPrefix(slug) ? [] : store.config.list(prefix)),
    },
  }),
};

/** An update takes the next number of its shard for its own: in the story that is the one it is about to read. */
const laterIsOwn = answering(
  ({ path }) => path.includes('/_update/'),
  (body) => body.replace(/"_seq_no":(\d+)/, (_, seq) => `"_seq_no":${Number(seq) + 1}`),
);

/** The clusters tell no term to this user. */
const noTerms: Sabotage = asking((transport, request) =>
  request.path.startsWith('/_cluster/state')
    ? Promise.resolve({ status: 403, headers: {}, body: Buffer.from('{}') })
    : transport.request(request),
);

const heldEpochs = ({ world }: At): Set<number> =>
  new Set(world.checker.steps.flatMap(({ record }) => (record.hold === undefined ? [] : [record.epoch])));

/** Only what the mutant needs to do harm, so that few seeds are enough to see it. */
const only = (faults: Partial<Faults>): Partial<Faults> => ({ ...noFaults, ...faults });

export const mutants: Record<MutantName, Mutant> = {
  stamps: { sabotage: noStamps(), faults: only({ late: 0.15, duplicate: 0.3, loseAnswer: 0.05 }) },
  term: { sabotage: without('term'), story: lostAfterRepair },
  reign: { sabotage: without('reign'), faults: only({}), knobs: { percentWrite: '0', hotIds: 2 } },
  fence: { sabotage: unfenced(() => true), faults: only({ partitionEveryMs: 6_000, slow: 0.2 }) },
  tail: {
    sabotage: answering(
      (request, at) => isSeqSearch(request) && text(request).includes('"_source":true') && backfilled(at),
      emptyPage,
    ),
    faults: only({ loseAnswer: 0.15, late: 0.1 }),
  },
  sweep: {
    // Of the follower alone: the tail asks the authority in the same way.
    sabotage: answering((request, at) => isSeqSearch(request) && isAboutFollower(request, at), emptyPage),
    faults: only({ loseAnswer: 0.15, late: 0.1 }),
  },
  count: {
    sabotage: answering(
      ({ path }) => path.includes('/_count'),
      (body) => body.replace(/"count":\d+/, '"count":7'),
    ),
    faults: only({ loseAnswer: 0.1, late: 0.2, duplicate: 0.2, tombstonesEveryMs: 300 }),
  },
  ledger: { sabotage: noLedger, faults: only({ slow: 0.2 }), knobs: { percentWrite: '50' } },
  drain: { sabotage: reported((line) => ({ ...line, drained: true })), faults: only({ slow: 0.5 }) },
  barrier: { sabotage: noBarrier, story: deafMember },
  'tail fence': {
    sabotage: unfenced((alias, at) => heldEpochs(at).has(Number(/-c(\d+)/.exec(alias)?.[1] ?? -1))),
    faults: only({ tombstonesEveryMs: 300, late: 0.2, duplicate: 0.3, loseAnswer: 0.05 }),
    knobs: { percentWrite: '50' },
  },
  unclear: { sabotage: reported((line) => ({ ...line, unclear: 0 })), story: copyArrivesLate },
  'process list': { sabotage: noProcessList, story: unheardMember },
  'read back': { sabotage: laterIsOwn, story: readAndLost },
  'primary terms': { sabotage: noTerms, story: hiddenFromTheTail },
};
