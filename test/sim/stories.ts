/**
 * Stories told by hand, for harm that chance hardly ever brings about: what takes the place of clients, operator and
 * weather in a run, with the order of every step that matters fixed. Each ends like any run, with the checker's look at
 * both sides at rest.
 */
import { keys } from '../../src/coordination/keys.ts';
import { outcomeOf } from './clients.ts';
import type { ClientCall, Outcome, WriteItem } from './history.ts';
import type { Member, Process } from './member.ts';
import type { UpstreamRequest } from '../../src/upstream/types.ts';
import { liveTtlMs } from './store.ts';
import { slug, type World } from './world.ts';

export type Story = (world: World) => Promise<void>;

/** What a client asks for: one write of one document. */
type Wish = { kind: 'index' | 'update' | 'delete'; id: string; query?: string };
const methods = { index: 'PUT', update: 'POST', delete: 'DELETE' } as const;

const pause = (world: World, ms: number): Promise<void> =>
  new Promise((resolve) => world.scheduler.after(ms, '', resolve));

const note = (world: World, { kind, id }: Wish, process: string): { call: ClientCall; item: WriteItem } => {
  const name = `told-${world.history.calls.size + 1}`;
  const item: WriteItem = { kind, id, marker: name, expects: undefined, outcome: undefined, applied: 0 };
  const call = { name, items: [item], startedAtMs: world.scheduler.nowMs, process, endedAtMs: undefined };
  world.history.calls.set(name, call);
  return { call, item };
};

const requestOf = ({ kind, id, query = '' }: Wish, { name }: ClientCall, index: string) => ({
  method: methods[kind],
  path: `/${index}/${kind === 'update' ? '_update' : '_doc'}/${id}${query}`,
  ...(kind === 'delete' ? {} : { body: kind === 'index' ? `{"f0":"${name}"}` : `{"doc":{"f0":"${name}"}}` }),
  headers: { 'content-type': 'application/json', 'x-opaque-id': name },
});

/** One request through a member, to its answer. */
const write = async (world: World, member: Member, wish: Wish): Promise<Outcome> => {
  const { call, item } = note(world, wish, member.process.name);
  const { text, status, errorCode } = await member.send(requestOf(wish, call, 'p1'));
  item.outcome = outcomeOf({ status, errorCode, body: text });
  call.endedAtMs = world.scheduler.nowMs;
  world.scheduler.note(`${call.name} ${status} ${item.outcome}`);
  return item.outcome;
};

/** The primary has it, no replica does, and whoever asked for it died without an answer. */
const writeUnheard = (world: World, id: string): void => {
  const wish = { kind: 'index', id } as const;
  const { call, item } = note(world, wish, 'a process that is gone');
  item.outcome = 'unknown';
  call.endedAtMs = world.scheduler.nowMs;
  world.applies('source', requestOf(wish, call, 'p1'), call.process);
};

/** Both sides proven equal and the ledger opened, by a rehearsal; then nothing happens until every member has said so. */
const toProven = async (world: World): Promise<void> => {
  while ((await world.operator.ask({ action: 'phase', phase: 'dual' }))?.state !== 'done') await pause(world, 1_000);
  while ((await world.operator.ask({ action: 'rehearse' }))?.state !== 'done') await pause(world, 1_000);
  await pause(world, 5_000);
};

/**
 * A write that only the primary holds is copied by a repair; then the primary fails, and the next write of the document
 * is given the same sequence number.
 */
export const lostAfterRepair: Story = async (world) => {
  await toProven(world);
  const member = world.member('m1');
  await write(world, member, { kind: 'index', id: 'a' });
  await pause(world, 1_000);
  writeUnheard(world, 'a');
  await world.operator.ask({ action: 'repair', args: { ids: ['a'] } });
  world.clusters.source.fake.storage.failOver('p1');
  await write(world, member, { kind: 'index', id: 'a' });
  await pause(world, 5_000);
};

/** A member hears nothing of a switch, and its client writes between the commit and the fence. */
export const deafMember: Story = async (world) => {
  await toProven(world);
  let deaf = world.member('m1');
  world.at('prepared', async ({ name }: Process) => {
    deaf = world.member(name === 'm1' ? 'm2' : 'm1');
    deaf.link.parted = true;
  });
  world.at('committed', async () => void (await write(world, deaf, { kind: 'index', id: 'a' })));
  await world.operator.ask({ action: 'advance' });
  deaf.link.parted = false;
  await pause(world, 5_000);
  await write(world, deaf, { kind: 'index', id: 'a' });
};

/**
 * A process joins while the only other one is cut off, loses the store as well, and its heartbeat runs out before the
 * other comes back to lead: no ledger and no heartbeat tells of it. It writes on, between the commit and the fence too.
 */
export const unheardMember: Story = async (world) => {
  for (const name of ['m2', 'm3']) world.kill(name);
  await toProven(world);
  const leader = world.member('m1');
  leader.link.parted = true;
  world.start('m4');
  await pause(world, 2_000);
  const unheard = world.member('m4');
  unheard.link.parted = true;
  await pause(world, liveTtlMs + 1_000);
  leader.link.parted = false;
  await pause(world, 2_000);
  world.at('committed', async () => void (await write(world, unheard, { kind: 'index', id: 'a' })));
  while ((await world.operator.ask({ action: 'advance' }))?.state !== 'done') await pause(world, 1_000);
  unheard.link.parted = false;
  await pause(world, 5_000);
};

/**
 * A copy goes astray, is sent again and takes effect; its document is deleted and the tombstone vanishes. Then the first
 * one arrives after all, between the commit and the fence.
 */
export const copyArrivesLate: Story = async (world) => {
  await toProven(world);
  const member = world.member('m1');
  let astray: UpstreamRequest | undefined;
  const isCopy = ({ body }: UpstreamRequest) => /"_id":"a".*"external"/.test(String(body));
  world.beforeNext(isCopy, (copy) => {
    astray = copy;
    return 'astray';
  });
  await write(world, member, { kind: 'index', id: 'a' });
  await pause(world, 3_000);
  await write(world, member, { kind: 'delete', id: 'a' });
  await pause(world, 3_000);
  world.clusters.target.fake.storage.loseTombstones('p2');
  world.at('committed', async () => {
    if (astray !== undefined) world.applies('target', astray, 'm1');
  });
  while ((await world.operator.ask({ action: 'advance' }))?.state !== 'done') await pause(world, 1_000);
  await pause(world, 3_000);
};

/** Switches until one is done, after time enough for the tail and the copies. */
const cutOver = async (world: World): Promise<void> => {
  await pause(world, 5_000);
  while ((await world.operator.ask({ action: 'advance' }))?.state !== 'done') await pause(world, 1_000);
};

/**
 * An update is answered and read back; what is read is a newer write that only the primary holds. Then the primary fails,
 * and nobody writes the document again before the switch.
 */
export const readAndLost: Story = async (world) => {
  await toProven(world);
  world.beforeNext(
    ({ path, body }) => path.includes('/_mget?realtime=true') && String(body).includes('"a"'),
    () => writeUnheard(world, 'a'),
  );
  await write(world, world.member('m1'), { kind: 'update', id: 'a', query: '?_source=true' });
  await pause(world, 1_000);
  world.clusters.source.fake.storage.failOver('p1');
  await cutOver(world);
};

/**
 * An acknowledged write is left to the tail. When the tail passes its number, a newer write that only the primary holds
 * hides it; then the primary fails.
 */
export const hiddenFromTheTail: Story = async (world) => {
  await toProven(world);
  world.server.config.put(keys.percent(slug, 'write'), '0');
  await pause(world, 5_000);
  await write(world, world.member('m1'), { kind: 'index', id: 'a' });
  writeUnheard(world, 'a');
  await pause(world, 5_000);
  world.clusters.source.fake.storage.failOver('p1');
  await cutOver(world);
};
