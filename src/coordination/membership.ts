/**
 * What one member knows of all members, folded from heartbeats, and the barrier that a phase move waits at. Ages are
 * counted on the observer's own monotonic clock from when it saw a heartbeat, never from a foreign clock.
 * Invariant: the barrier opens only on positive evidence from every member. A member that vanished without leaving, a
 * view that is too young to be complete, an unreadable heartbeat and two processes under one name all keep it shut.
 */
import { heartbeatPrefix } from './keys.ts';
import type { Change, Entry } from './ports.ts';
import { Heartbeat, type MemberRoute } from './records.ts';

export type MemberView = {
  readonly member: string;
  readonly revision: number;
  readonly seenAtMs: number;
  /** The last heartbeat that could be read. */
  readonly heartbeat: Heartbeat | undefined;
  /** Why the newest heartbeat cannot be read. */
  readonly unreadable: string | undefined;
  readonly formerBoots: readonly string[];
  /** When a replaced process was last heard again under this name. */
  readonly contestedAtMs: number | undefined;
};
export type Lost = {
  readonly lostAtMs: number;
  readonly boot: string | undefined;
  /** The last one that could be read. */
  readonly heartbeat?: Heartbeat | undefined;
};
/** An immutable value, replaced as a whole. */
export type Membership = {
  readonly members: ReadonlyMap<string, MemberView>;
  /** Members whose heartbeat ran out; kept until they come back or leave. */
  readonly lost: ReadonlyMap<string, Lost>;
  /** By boot: the last reports of processes that left by themselves, the newest ones. */
  readonly departed: ReadonlyMap<string, Heartbeat>;
  /** By boot: those of processes that left no word before another one came up under their name. */
  readonly replaced: ReadonlyMap<string, Heartbeat>;
  /** Since when the store has been watched without a break; undefined while it is out of reach. */
  readonly watchingSinceMs: number | undefined;
};
export const noMembers: Membership = {
  members: new Map(),
  lost: new Map(),
  departed: new Map(),
  replaced: new Map(),
  watchingSinceMs: undefined,
};

/** Two heartbeats and a margin: within it every living member has been heard. */
export const settleMs = 5_000;

export const foldHeartbeat = (view: Membership, change: Change, nowMs: number): Membership => {
  if (!change.key.startsWith(heartbeatPrefix)) return view;
  const member = change.key.slice(heartbeatPrefix.length);
  const known = view.members.get(member);
  if (known !== undefined && change.revision < known.revision) return view;
  if (change.value === undefined) return without(view, member, change.expired === true ? nowMs : undefined);
  return known?.revision === change.revision ? view : withHeard(view, { ...change, value: change.value }, nowMs);
};

const withHeard = (view: Membership, entry: Entry, nowMs: number): Membership => {
  const member = entry.key.slice(heartbeatPrefix.length);
  const news = heard(view.members.get(member), entry, nowMs);
  const told = news.unreadable === undefined ? news.heartbeat : undefined;
  const isKnown = view.members.has(member) || view.lost.has(member);
  if (told?.leaving && isOfAllStarts(told) && isKnown) return withDeparted(view, member, told);
  // A listing that was asked for before its last report may bring an older one after it.
  if (told !== undefined && view.departed.has(told.boot)) return view;
  if (told?.leaving) return withDeparted(view, member, told);
  const members = new Map(view.members).set(member, news);
  const before = view.members.get(member)?.heartbeat ?? view.lost.get(member)?.heartbeat;
  const lost = new Map(view.lost);
  lost.delete(member);
  return { ...view, members, lost, replaced: withReplaced(view, before, told) };
};

const mostDeparted = 200;
const withReplaced = ({ replaced }: Membership, before: Heartbeat | undefined, told: Heartbeat | undefined) =>
  before === undefined || told === undefined || before.boot === told.boot
    ? replaced
    : new Map([...replaced, [before.boot, before] as const].slice(-mostDeparted));

/** An operator's word that nobody of this name is left; one that lives all the same is heard again by its next report. */
const isOfAllStarts = ({ version }: Heartbeat): boolean => version === '';

const withDeparted = (view: Membership, member: string, heartbeat: Heartbeat): Membership => {
  const departed = new Map([...view.departed, [heartbeat.boot, heartbeat] as const].slice(-mostDeparted));
  const known = view.members.get(member)?.heartbeat;
  // Another process under this name is still there.
  const isOther = known !== undefined && known.boot !== heartbeat.boot;
  if (isOther && !isOfAllStarts(heartbeat)) return { ...view, departed };
  return { ...without(view, member, undefined), departed };
};

const heard = (known: MemberView | undefined, entry: Entry, nowMs: number): MemberView => {
  const parsed = readHeartbeat(entry.value);
  const heartbeat = parsed.heartbeat ?? known?.heartbeat;
  const before = known?.heartbeat?.boot;
  const replaced = before !== undefined && heartbeat !== undefined && heartbeat.boot !== before;
  const formerBoots = replaced ? [...(known?.formerBoots ?? []), before].slice(-4) : (known?.formerBoots ?? []);
  const returned = replaced && known?.formerBoots.includes(heartbeat.boot) === true;
  return {
    member: entry.key.slice(heartbeatPrefix.length),
    revision: entry.revision,
    seenAtMs: nowMs,
    heartbeat,
    unreadable: parsed.problem,
    formerBoots,
    contestedAtMs: returned ? nowMs : known?.contestedAtMs,
  };
};

const readHeartbeat = (text: string): { heartbeat?: Heartbeat; problem: string | undefined } => {
  try {
    const result = Heartbeat.safeParse(JSON.parse(text));
    return result.success
      ? { heartbeat: result.data, problem: undefined }
      : { problem: `unreadable heartbeat: ${result.error.issues[0]?.path.join('.')} is not as expected` };
  } catch {
    return { problem: 'unreadable heartbeat: not JSON' };
  }
};

/** `lostAtMs` undefined = the member left by itself. */
const without = (view: Membership, member: string, lostAtMs: number | undefined): Membership => {
  const known = view.members.get(member);
  if (known === undefined && !(view.lost.has(member) && lostAtMs === undefined)) return view;
  const members = new Map(view.members);
  const lost = new Map(view.lost);
  members.delete(member);
  if (lostAtMs === undefined) lost.delete(member);
  else lost.set(member, { lostAtMs, boot: known?.heartbeat?.boot, heartbeat: known?.heartbeat });
  return { ...view, members, lost };
};

/**
 * A complete listing of the heartbeats, asked for when `before` was the view. For members not heard since it is the
 * truth, even if their revision is lower than the known one: the live bucket may have been made anew.
 */
export const foldHeartbeats = (
  view: Membership,
  listing: { before: Membership; entries: readonly Entry[]; nowMs: number },
): Membership => {
  const { before, entries, nowMs } = listing;
  const listed = new Map(entries.map((entry) => [entry.key.slice(heartbeatPrefix.length), entry]));
  let next = view.watchingSinceMs === undefined ? { ...view, watchingSinceMs: nowMs } : view;
  for (const { member, revision } of before.members.values()) {
    if (next.members.get(member)?.revision !== revision) continue;
    const entry = listed.get(member);
    if (entry === undefined) next = without(next, member, nowMs);
    else if (entry.revision < revision) next = withHeard(next, entry, nowMs);
  }
  for (const entry of entries) next = foldHeartbeat(next, entry, nowMs);
  return next;
};

/** The store cannot be reached: what is known may be old, and who joins is not seen. */
export const outOfSight = (view: Membership): Membership =>
  view.watchingSinceMs === undefined ? view : { ...view, watchingSinceMs: undefined };

/** What a member must have reported for the barrier to open. */
export type Expectation = 'applied' | 'drained' | 'held_and_drained';
export type BarrierQuery = { slug: string; phaseRevision: number; expect: Expectation; nowMs: number };
/** `member` is `*` when the view as a whole is not good enough. */
export type Waiting = { member: string; reason: string };
export type BarrierResult = { ok: boolean; waitingFor: readonly Waiting[] };

/** Has every living member reported what is expected of the phase record with this revision? */
export const barrier = (view: Membership, query: BarrierQuery): BarrierResult => {
  const waitingFor = [...viewDoubts(view, query.nowMs), ...recentlyLost(view, query.nowMs)];
  for (const member of view.members.values()) {
    const reason = memberDoubt(member, query);
    if (reason !== undefined) waitingFor.push({ member: member.member, reason });
  }
  return { ok: waitingFor.length === 0, waitingFor };
};

const viewDoubts = ({ watchingSinceMs, members }: Membership, nowMs: number): Waiting[] => {
  const doubt = (reason: string): Waiting[] => [{ member: '*', reason }];
  if (watchingSinceMs === undefined) return doubt('the store is out of reach, so the members are not known');
  if (nowMs - watchingSinceMs < settleMs) return doubt('the members have not been watched for long enough');
  return members.size === 0 ? doubt('no member is known') : [];
};

const recentlyLost = ({ lost }: Membership, nowMs: number): Waiting[] =>
  [...lost]
    .filter(([, { lostAtMs }]) => nowMs - lostAtMs < settleMs)
    .map(([member]) => ({ member, reason: 'its heartbeat just ran out' }));

const contestMs = 10_000;
const memberDoubt = (member: MemberView, query: BarrierQuery): string | undefined => {
  if (member.contestedAtMs !== undefined && query.nowMs - member.contestedAtMs < contestMs)
    return 'two processes use this member name';
  if (member.unreadable !== undefined) return member.unreadable;
  const line = member.heartbeat?.routes[query.slug];
  if (line === undefined) return 'has not loaded the route';
  return lineDoubt(line, query);
};

/** What answered requests leave behind has to end too: for one, copies that are made anew. */
const drainDoubt = ({ drained, inFlight }: MemberRoute): string | undefined => {
  if (drained) return undefined;
  return inFlight > 0 ? `${inFlight} requests under way` : 'what its requests left behind is still being done';
};

const lineDoubt = (line: MemberRoute, { phaseRevision, expect }: BarrierQuery): string | undefined => {
  if (line.phaseRevision < phaseRevision) return `still at phase revision ${line.phaseRevision}`;
  switch (expect) {
    case 'applied':
      return undefined;
    case 'drained':
      return drainDoubt(line);
    case 'held_and_drained':
      if (line.phaseRevision > phaseRevision) return `already at phase revision ${line.phaseRevision}`;
      if (!line.held) return 'has not closed admission';
      return drainDoubt(line);
    default:
      return expect satisfies never;
  }
};
