/**
 * Lets one agent at a time stand under a name in an embedded store. Two under one name would overwrite each other's
 * heartbeats, each with a ledger and copies of its own, and no move of a phase could wait for both. So before it begins an
 * agent takes the name by compare-and-set; where the name shows another process, it watches whether that one still beats.
 * Invariant: of two that begin at once one takes the name, and the other sees its first heartbeat.
 */
import { CrossfadeError } from '../errors.ts';
import { keys } from './keys.ts';
import { parseRecord } from './parse-record.ts';
import type { Bucket } from './ports.ts';
import { Heartbeat } from './records.ts';
import { pause, systemTimers, type Timers } from './timers.ts';

export type NameClaim = {
  live: Bucket;
  member: string;
  /** Random per process start. */
  boot: string;
  timers?: Timers;
  watchMs?: number;
};

/** A heartbeat and a margin: one that died is not waited for longer. */
const silentMs = 3_000;
const lookEveryMs = 200;

/** `signs`: revisions of what the other process wrote; none = nobody stands there. */
type Look = { readonly claimRevision: number; readonly signs: readonly number[] };

const look = async ({ live, member, boot }: NameClaim): Promise<Look> => {
  const claim = await live.get(keys.claim(member));
  const beat = await live.get(keys.heartbeat(member));
  const heartbeat = parseRecord(Heartbeat, beat?.value);
  const gone = new Set([boot, ...(heartbeat?.leaving ? [heartbeat.boot] : [])]);
  const claims = claim === undefined || gone.has(claim.value) ? [] : [claim.revision];
  const beats = beat === undefined || gone.has(heartbeat?.boot ?? '') ? [] : [beat.revision];
  return { claimRevision: claim?.revision ?? 0, signs: [...claims, ...beats] };
};

/** The last look at a name where nobody has stirred meanwhile; undefined when somebody has. */
const watch = async (claim: NameClaim): Promise<Look | undefined> => {
  const { timers = systemTimers, watchMs = silentMs } = claim;
  const first = await look(claim);
  let last = first;
  for (let leftMs = watchMs; last.signs.length > 0 && leftMs > 0; leftMs -= lookEveryMs) {
    await pause(timers, lookEveryMs);
    last = await look(claim);
    if (last.signs.some((sign) => !first.signs.includes(sign))) return undefined;
  }
  return last;
};

const taken = (member: string): CrossfadeError =>
  new CrossfadeError(
    'MEMBER_TAKEN',
    `Another agent runs as member ${member} on this store file. Stop it, or give each its own \`store.file\`; several replicas need NATS.`,
  );

/** @throws CrossfadeError MEMBER_TAKEN when another process lives under this name, STORE_UNAVAILABLE */
export const claimName = async (claim: NameClaim): Promise<void> => {
  const { live, member, boot } = claim;
  for (;;) {
    const seen = await watch(claim);
    if (seen === undefined) throw taken(member);
    const result = await live.update(keys.claim(member), boot, seen.claimRevision);
    if (result.ok) return;
    if (result.reason !== 'conflict') throw new CrossfadeError('STORE_UNAVAILABLE');
  }
};
