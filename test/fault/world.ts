/**
 * The stage of a fault test: an index on two real clusters, NATS, agents as processes that may be killed and paused,
 * clients that write through all of them, and the verdict at rest.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SwitchPoint } from '../../src/agent/leader/switch.ts';
import type { RouteStatus } from '../../src/fleet/fleet-status.ts';
import type { Side } from '../../src/coordination/records.ts';
import { type AgentProcess, crossfade, must, type Ran, startAgent } from '../support/agent-process.ts';
import { eventually } from '../support/eventually.ts';
import { services, uniqueName } from '../support/services.ts';
import { dropStreams } from '../integration/coordination/nats-admin.ts';
import { check, differing } from './checker.ts';
import { call, readAll, seed } from './documents.ts';
import { type Load, startLoad } from './load.ts';
import { Recorder } from './recorder.ts';

export type Member = { name: string; process: AgentProcess };
/** A leader in the middle of a switch that does not go on until it is told to. */
export type Standing = { leader: Member; goOn(): void };
export type World = {
  slug: string;
  names: Record<Side, string>;
  /** What a process of this world needs: store and clusters. */
  env: Record<string, string>;
  recorder: Recorder;
  load: Load;
  /** Those that clients are told of. */
  members: Member[];
  named(name: string): Member;
  /** Starts one more agent, perhaps with its own way to NATS, and tells the clients of it. */
  join(name: string, natsUrl?: string): Promise<Member>;
  /** Resolves when the leader of a switch has come to this point, where it then stands still. */
  standsAt(point: SwitchPoint): Promise<Standing>;
  /** The clients learn of it at once, as from a closed port on the same host. */
  kill(member: Member): Promise<void>;
  cli(...args: string[]): Promise<Ran>;
  status(): Promise<RouteStatus>;
  /** Waits for the gate, then switches; a switch that is given up is asked for again. */
  switchTo(phase: 'target' | 'dual'): Promise<RouteStatus>;
  /** The same for a cutover that is only rehearsed. */
  rehearse(): Promise<void>;
  /** Until the route has a leader that reports `holds`; the newest status is in the error. */
  until(holds: (now: RouteStatus) => boolean, what: string): Promise<RouteStatus>;
  /** Ends the load, waits until the sides are equal, and says what is wrong. */
  verdict(): Promise<string[]>;
  close(): Promise<void>;
};
export type WorldOptions = {
  agents?: number;
  natsUrl?: string;
  /** Clusters of this world alone, instead of those that all tests share. */
  clusters?: { sourceUrl: string; targetUrl: string };
  /** Where the agents find the clusters, if not where the test does. */
  sourceUrl?: string;
  targetUrl?: string;
  /** Settings of the route over the usual ones. */
  route?: Record<string, unknown>;
  /** Documents that no client writes to. */
  more?: number;
  /** Mapping type of the index on the source, where it has them. */
  type?: string | undefined;
  /** Settings of the index on the source over the usual ones. */
  sourceSettings?: Record<string, unknown>;
  /** Operations that the clients begin in a second. */
  perSecond?: number;
  /** False: no client updates by script. */
  updates?: boolean;
  /** How long a client waits for an answer; more where a switch stands still for long. */
  patienceMs?: number;
  /** False leaves the route in `off`. */
  dual?: boolean;
};

/** A lease or heartbeat of 15 s has to run out, then a proof to be made, on a machine that others use too. */
const patienceMs = 120_000;

/** Left to agents that were killed: their own tests tell how they end. */
const endAll = async (members: readonly Member[]): Promise<void> => {
  for (const { process } of members) process.signal('SIGCONT');
  await Promise.all(members.map(({ process }) => process.stop()));
};

const gist = ({ phase, hold, leader, alarms, safeToAdvance, safeToRollBack, tail, lastCutover }: RouteStatus): string =>
  JSON.stringify({ phase, hold, leader, alarms, safeToAdvance, safeToRollBack, tail, lastCutover });

type Answer = RouteStatus['safeToAdvance'];
type Switch = { ask: readonly string[]; safe(now: RouteStatus): Answer };
const switches: Record<'target' | 'dual' | 'rehearsal', Switch> = {
  target: { ask: ['advance'], safe: ({ safeToAdvance }) => safeToAdvance },
  rehearsal: { ask: ['advance', '--rehearse'], safe: ({ safeToAdvance }) => safeToAdvance },
  dual: { ask: ['rollback'], safe: ({ safeToRollBack }) => safeToRollBack },
};

/** Answers the leaders of switches: whoever comes to a point that is waited for stands still there. */
const createStage = (named: (name: string) => Member) => {
  const awaited = new Map<SwitchPoint, (standing: Standing) => void>();
  return {
    standsAt: (point: SwitchPoint) => new Promise<Standing>((resolve) => awaited.set(point, resolve)),
    reached: (name: string, point: SwitchPoint): Promise<void> =>
      new Promise((goOn) => {
        const tell = awaited.get(point);
        awaited.delete(point);
        if (tell === undefined) goOn();
        else tell({ leader: named(name), goOn });
      }),
  };
};

export const buildWorld = async (options: WorldOptions = {}): Promise<World> => {
  const shared = await services();
  const urls = options.clusters ?? shared;
  const slug = uniqueName('fault');
  const names = { source: `${slug}_v1`, target: `${slug}_v2` };
  const natsUrl = options.natsUrl ?? shared.natsUrl;
  const folder = mkdtempSync(join(tmpdir(), 'crossfade-fault-'));
  const store = { CROSSFADE_NATS_SERVERS: natsUrl, CROSSFADE_NATS_BUCKET: slug };
  const env = {
    ...store,
    CROSSFADE_CLUSTERS_SOURCE_URL: options.sourceUrl ?? urls.sourceUrl,
    CROSSFADE_CLUSTERS_TARGET_URL: options.targetUrl ?? urls.targetUrl,
  };
  const members: Member[] = [];
  const recorder = new Recorder();
  const named = (name: string): Member => {
    const member = members.find((one) => one.name === name);
    if (member === undefined) throw new Error(`no agent ${name}`);
    return member;
  };
  const stage = createStage(named);
  const cli = (...args: string[]): Promise<Ran> => crossfade(args, store);
  const joins = async (name: string, ownNatsUrl = natsUrl): Promise<Member> => {
    const process = await startAgent({
      env: { ...env, CROSSFADE_NATS_SERVERS: ownNatsUrl, CROSSFADE_MEMBER: name },
      onReached: (point) => stage.reached(name, point),
    });
    const member = { name, process };
    members.push(member);
    return member;
  };
  const status = async (): Promise<RouteStatus> => {
    const asked = members.map(({ process }) => call(`${process.adminUrl}/api/routes/${slug}`, 'GET'));
    return (await Promise.any(asked)) as RouteStatus;
  };
  const until: World['until'] = async (holds, what) => {
    let last: RouteStatus | undefined;
    const check = async (): Promise<RouteStatus | undefined> => {
      last = await status();
      return holds(last) ? last : undefined;
    };
    return eventually(check, { timeoutMs: patienceMs, everyMs: 500, what }).catch((error: unknown) => {
      throw new Error(`${what}: ${last === undefined ? 'no status' : gist(last)}`, { cause: error });
    });
  };

  await seed(urls.sourceUrl, {
    index: names.source,
    alias: slug,
    recorder,
    more: options.more ?? 0,
    type: options.type,
    settings: options.sourceSettings,
    updates: options.updates,
  });
  await Promise.all(Array.from({ length: options.agents ?? 3 }, (_, i) => joins(`agent-${i}`)));
  members.sort((a, b) => (a.name < b.name ? -1 : 1));
  const file = join(folder, 'route.json');
  // A machine that is busy with other things must not make a switch give up.
  const given = { route: slug, indices: [names], aliases: [slug], createTarget: true };
  const usual = { targetSettings: { number_of_replicas: 0 }, cutover: { budgetMs: 10_000 } };
  writeFileSync(file, JSON.stringify({ ...given, ...usual, ...options.route }));
  await must(cli('apply', '-f', file));
  const { perSecond = 20, updates, patienceMs: clientPatienceMs } = options;
  const agents = (): string[] => members.map(({ process }) => process.url);
  const load = startLoad({ alias: slug, agents, recorder, perSecond, updates, patienceMs: clientPatienceMs });
  if (options.dual !== false) await must(cli('phase', slug, 'dual'));

  const insist = async ({ ask, safe }: Switch): Promise<void> => {
    const refusals: string[] = [];
    while (refusals.length < 3) {
      await until((now) => safe(now).ok, `the gate to open for ${ask.join(' ')}`);
      const { exit, out, err } = await cli(...ask, slug, '--wait', '--yes');
      if (exit === 0) return;
      refusals.push(`${out}${err}`);
      // A request interrupts the tail: asked again at once, a busy machine would never be caught up.
      await load.acknowledges(50);
    }
    throw new Error(`no ${ask.join(' ')}: ${refusals.join('; ')} ${JSON.stringify((await status()).lastCutover)}`);
  };
  const close = async (): Promise<void> => {
    await load.stop();
    await endAll(members);
    for (const side of ['source', 'target'] as const) {
      const url = urls[`${side}Url`];
      await fetch(`${url}/${names[side]}`, { method: 'DELETE' });
      await fetch(`${url}/crossfade-fence/_alias/crossfade-${slug}-*`, { method: 'DELETE' });
    }
    await dropStreams(natsUrl, slug);
    rmSync(folder, { recursive: true, force: true });
  };

  return {
    slug,
    names,
    env,
    recorder,
    load,
    members,
    cli,
    status,
    until,
    named,
    join: joins,
    standsAt: stage.standsAt,
    kill: async (member) => {
      member.process.signal('SIGKILL');
      members.splice(members.indexOf(member), 1);
      await member.process.exit();
    },
    switchTo: async (phase) => {
      await insist(switches[phase]);
      return until((now) => now.phase === phase, phase);
    },
    rehearse: () => insist(switches.rehearsal),
    verdict: async () => {
      await load.stop();
      const sides = async () => ({
        source: await readAll(urls.sourceUrl, names.source),
        target: await readAll(urls.targetUrl, names.target),
      });
      let seen = await sides();
      const equal = async (): Promise<boolean> => {
        seen = await sides();
        return differing(seen.source, seen.target).length === 0;
      };
      await eventually(equal, { timeoutMs: 60_000, everyMs: 250 }).catch(() => undefined);
      return check({ operations: recorder.operations, ...seen });
    },
    close,
  };
};
