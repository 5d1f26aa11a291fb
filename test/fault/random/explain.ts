/**
 * Whether what clients were told is explained by what went wrong at that time, and what they may read. Pure. A fault explains until members have
 * noticed that it is over: a lease and a heartbeat have to run out, and a chunk or a hold to be given up. A fault on the
 * follower explains nothing to a client, nor does one on an agent that it did not talk to, unless a switch was near.
 */
import type { Held } from './faults.ts';
import type { Told } from './client.ts';

/** The route as it was seen at one time. */
export type Seen = {
  at: number;
  epoch: number;
  authority: 'source' | 'target';
  /** Share of reads that the follower serves. */
  readPercent: number;
};
export type Explaining = { held: readonly Held[]; seen: readonly Seen[]; healedAt: number };

/** Heartbeat or lease of 15 s, and the turns after it. */
const graceMs = 25_000;
/** A request that was sent before may only be answered after. */
const leadMs = 1_000;

/** What clients may do to each other, or find gone, by what they asked. */
const expected: Record<number, RegExp> = {
  404: /^(delete|update|script|read get)$/,
  409: /^(create|update|script|upsert|update by query|delete by query)$/,
};

/** Neither a success nor what two clients may do to each other. */
export const isOdd = ({ status, what }: Told): boolean =>
  (status === 0 || status >= 300) && !(expected[status]?.test(what) ?? false);

const near = (told: Told, { from, to }: Held): boolean => from <= told.to + leadMs && to + graceMs >= told.from;

type Span = Pick<Told, 'from' | 'to'>;
const seenAround = ({ from, to }: Span, seen: readonly Seen[]): Seen[] =>
  seen.filter(({ at }) => at >= from - graceMs && at <= to + leadMs);

const settledAuthority = (told: Span, seen: readonly Seen[]): Seen['authority'] | undefined => {
  const around = seenAround(told, seen);
  const [first] = around;
  return first !== undefined && around.every(({ epoch }) => epoch === first.epoch) ? first.authority : undefined;
};

/** Whether the authority alone answered reads: it holds what was acknowledged, while a copy may be on its way. */
export const readsAtAuthority = (told: Told, { held, seen }: Pick<Explaining, 'held' | 'seen'>): boolean =>
  settledAuthority(told, seen) !== undefined &&
  seenAround(told, seen).every(({ readPercent }) => readPercent === 0) &&
  !held.some((fault) => near(told, fault));

const places: readonly string[] = ['source', 'target', 'nats', 'machine'];

/** Why it is a fault of the product; undefined when it is explained. */
export const unexplained = (told: Told, { held, seen, healedAt }: Explaining): string | undefined => {
  if (told.answer.endsWith('INTERNAL') || told.status === 500) return 'a bug by its own word';
  if (told.from > healedAt) return 'everything was healed';
  const around = held.filter((fault) => near(told, fault));
  if (around.length === 0) return 'nothing was wrong';
  const authority = settledAuthority(told, seen);
  if (authority === undefined) return undefined;
  const follower = authority === 'source' ? 'target' : 'source';
  const sick = around.map(({ on }) => on).filter((on) => on === told.agent || places.includes(on));
  if (sick.length === 0) return `only agents that it did not talk to were sick`;
  return sick.some((on) => on !== follower)
    ? undefined
    : `only the ${follower} was sick, and the ${authority} the authority`;
};
