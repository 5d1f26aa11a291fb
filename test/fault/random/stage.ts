/** What a schedule plays on: an index, agents with ways of their own, NATS, relays before the clusters, and who watches. */
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { authorityIn } from '../../../src/coordination/records.ts';
import type { RouteStatus } from '../../../src/fleet/fleet-status.ts';
import type { Ran } from '../../support/agent-process.ts';
import { eventually } from '../../support/eventually.ts';
import { seed as seedIndex } from '../documents.ts';
import { Recorder } from '../recorder.ts';
import { type Relay, startRelay } from '../relay.ts';
import { runHere } from './commands.ts';
import type { Seen } from './explain.ts';
import { type Fleet, startFleet } from './fleet.ts';
import { type MortalNats, mortalNats } from './mortal.ts';

type Side = 'source' | 'target';
export type Stage = {
  slug: string;
  names: Record<Side, string>;
  began: number;
  fleet: Fleet;
  nats: MortalNats;
  relays: Record<Side, Relay>;
  recorder: Recorder;
  seen: Seen[];
  problems: string[];
  log(what: string): void;
  cli(...args: string[]): Promise<Ran>;
  /** As it was last seen. */
  status(): RouteStatus | undefined;
  /** What leaders do at each point of a switch before they go on. */
  atPoint(act: ((name: string, point: string) => Promise<void>) | undefined): void;
  /** False, and a problem, when it does not come in time. */
  until(holds: (status: RouteStatus) => boolean, what: string): Promise<boolean>;
  close(): Promise<void>;
};
export type StageOptions = {
  name: string;
  folder: string;
  urls: Record<Side, string>;
  /** Settings of the route over the usual ones. */
  route: Record<string, unknown>;
  say(text: string): void;
};

/** How long the migration may stand after everything was healed: leases, a backfill, the growth that is looked for. */
const patienceMs = 150_000;
const watchEveryMs = 700;

export const short = (text: string): string => text.trim().replace(/\s+/g, ' ').slice(0, 400);
const gist = ({ phase, epoch, hold, leader, alarms, safeToAdvance, safeToRollBack, backfill }: RouteStatus): string =>
  JSON.stringify({ phase, epoch, hold, leader, alarms, safeToAdvance, safeToRollBack, backfill: backfill?.state });

/** An agent without the store answers with an error: another one may know. */
const askOne = async (adminUrl: string, slug: string): Promise<RouteStatus> => {
  const answer = await fetch(`${adminUrl}/api/routes/${slug}`, { signal: AbortSignal.timeout(3_000) });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return (await answer.json()) as RouteStatus;
};
const ask = ({ agents }: Fleet, slug: string): Promise<RouteStatus> =>
  Promise.any(agents.flatMap(({ process }) => (process === undefined ? [] : [askOne(process.adminUrl, slug)])));

/** Looks at the route all the time; what changes is logged. */
const startWatch = (fleet: Fleet, slug: string, log: (what: string) => void) => {
  const seen: Seen[] = [];
  const ended = new AbortController();
  let now: RouteStatus | undefined;
  const look = async (): Promise<void> => {
    const next = await ask(fleet, slug).catch(() => undefined);
    if (next === undefined) return;
    if (now === undefined || gist(now) !== gist(next)) log(`status: ${gist(next)}`);
    now = next;
    const { epoch, phase, percent } = now;
    seen.push({ at: Date.now(), epoch, authority: authorityIn(phase), readPercent: percent.read });
  };
  const watching = (async () => {
    while (!ended.signal.aborted) {
      await look();
      await delay(watchEveryMs);
    }
  })();
  return {
    seen,
    status: () => now,
    stop: async () => {
      ended.abort();
      await watching;
    },
  };
};

const logTo = (folder: string, began: number, say: (text: string) => void) => {
  mkdirSync(folder, { recursive: true });
  return (what: string): void => {
    const line = `${((Date.now() - began) / 1000).toFixed(1).padStart(6)} ${what}\n`;
    appendFileSync(join(folder, 'events.log'), line);
    say(line);
  };
};

export const buildStage = async ({ name, folder, urls, route, say }: StageOptions): Promise<Stage> => {
  const slug = `random-${name}-${Date.now().toString(36)}`;
  const names = { source: `${slug}_v1`, target: `${slug}_v2` };
  const began = Date.now();
  const problems: string[] = [];
  const log = logTo(folder, began, say);
  const recorder = new Recorder();
  const nats = await mortalNats();
  const relays = { source: await startRelay(urls.source), target: await startRelay(urls.target) };
  let atPoint: ((name: string, point: string) => Promise<void>) | undefined;
  const fleet = startFleet({
    to: { nats: nats.url, source: relays.source.url, target: relays.target.url },
    env: { CROSSFADE_NATS_BUCKET: slug },
    onReached: async (member, point) => atPoint?.(member, point),
    onEnded: (member, { exit, wanted, output }) => {
      log(`agent ${member} ended: exit ${exit}`);
      appendFileSync(join(folder, `${member}.log`), output);
      if (!wanted || exit === 70) problems.push(`${member} ended by itself: exit ${exit}: ${output.slice(-600)}`);
    },
  });
  const cli = (...args: string[]) => runHere(args, { CROSSFADE_NATS_SERVERS: nats.url, CROSSFADE_NATS_BUCKET: slug });
  await seedIndex(urls.source, { index: names.source, alias: slug, recorder, more: 1000 });
  await Promise.all(['agent-0', 'agent-1', 'agent-2'].map(fleet.join));
  const file = join(folder, 'route.json');
  const usual = { targetSettings: { number_of_replicas: 0 }, backfill: { chunkDocs: 100, maxPageDocs: 50 } };
  const given = { route: slug, indices: [names], aliases: [slug], createTarget: true };
  writeFileSync(file, JSON.stringify({ ...given, ...usual, ...route }));
  const applied = await cli('apply', '-f', file);
  if (applied.exit !== 0) throw new Error(`apply: ${applied.out}${applied.err}`);
  const watch = startWatch(fleet, slug, log);
  const { status, seen } = watch;
  const until: Stage['until'] = async (holds, what) => {
    const check = (): boolean => {
      const now = status();
      return now !== undefined && holds(now);
    };
    return eventually(check, { timeoutMs: patienceMs, everyMs: 200, what }).catch(() => {
      const now = status();
      problems.push(`${what} did not come: ${now === undefined ? 'no status' : gist(now)}`);
      return false;
    });
  };
  const close = async (): Promise<void> => {
    await watch.stop();
    await fleet.close();
    await nats.stop();
    for (const side of ['source', 'target'] as const) {
      await relays[side].close();
      await fetch(`${urls[side]}/${names[side]}`, { method: 'DELETE' });
      await fetch(`${urls[side]}/crossfade-fence/_alias/crossfade-${slug}-*`, { method: 'DELETE' });
    }
  };
  return {
    ...{ slug, names, began, fleet, nats, relays, recorder, seen, problems, log, cli, status, until, close },
    atPoint: (act) => {
      atPoint = act;
    },
  };
};
