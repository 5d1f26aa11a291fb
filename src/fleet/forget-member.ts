/**
 * Says in the place of a member that it is gone: an operator has stopped a process that could not say so itself. Nobody
 * waits for it from then on. Invariants: the farewell is of a start that no process has, so that one that was not gone
 * after all is heard again when it comes back; what stands in the place of a heartbeat and cannot be read is of a process
 * that lives.
 */
import { keys, parseRouteKey, routeKeyPrefix } from '../coordination/keys.ts';
import { parseRecord } from '../coordination/parse-record.ts';
import type { Store } from '../coordination/ports.ts';
import { listProcesses, strikeProcesses } from '../coordination/process-list.ts';
import { Heartbeat } from '../coordination/records.ts';
import { CrossfadeError } from '../errors.ts';

export type Forget = { member: string; newId: () => string; dryRun: boolean };
/** By route: how many starts of the member were on its list. */
export type Forgotten = Record<string, number>;

const isHeard = async ({ live }: Store, member: string): Promise<boolean> => {
  const entry = await live.get(keys.heartbeat(member));
  return entry !== undefined && parseRecord(Heartbeat, entry.value)?.leaving !== true;
};

const slugsIn = async ({ config }: Store): Promise<string[]> => {
  const entries = await config.list(routeKeyPrefix);
  return [...new Set(entries.flatMap(({ key }) => parseRouteKey(key)?.slug ?? []))].sort();
};

const strike = async ({ config }: Store, slug: string, { member, dryRun }: Forget): Promise<number> => {
  const listed = (await listProcesses(config, slug)).filter((one) => one.member === member);
  const boots = listed.map(({ boot }) => boot);
  if (!dryRun) await strikeProcesses(config, slug, boots);
  return boots.length;
};

const sayFarewell = async ({ live }: Store, { member, newId }: Forget): Promise<void> => {
  const farewell: Heartbeat = {
    schema: 1,
    member,
    boot: newId(),
    version: '',
    stale: false,
    leaving: true,
    routes: {},
  };
  await live.put(keys.heartbeat(member), JSON.stringify(farewell));
};

/** @throws CrossfadeError PHASE_REFUSED while the member is heard, STORE_UNAVAILABLE */
export const forgetMember = async (store: Store, forget: Forget): Promise<Forgotten> => {
  const { member, dryRun } = forget;
  if (await isHeard(store, member))
    throw new CrossfadeError('PHASE_REFUSED', `${member} reports; stop it, and it leaves by itself.`);
  // First, because it can fail as one: where it may not be said, the lists stay as they are.
  if (!dryRun) await sayFarewell(store, forget);
  const forgotten: Forgotten = {};
  for (const slug of await slugsIn(store)) {
    const starts = await strike(store, slug, forget);
    if (starts > 0) forgotten[slug] = starts;
  }
  return forgotten;
};
