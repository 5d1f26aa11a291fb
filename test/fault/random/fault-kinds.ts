/**
 * What may go wrong and how it ends, one entry for each fault with how often it is drawn. Each plans what it would do now, or
 * says that there is nothing whole to do it to.
 */
import { spawn } from 'node:child_process';
import type { Random } from '../../sim/random.ts';
import type { Asked, Fault as Misdeed, Relay } from '../relay.ts';
import { type Agent, type Fleet, type Way, ways } from './fleet.ts';
import type { Mortal, MortalNats } from './mortal.ts';

type Side = 'source' | 'target';
/** What a fault is on; an agent is told by its name. */
export type Thing = Way | 'machine' | (string & {});
export type Act = { on: Thing; what: string; act(): Promise<void> };
export type FaultKind = { weight: number; plan(): Act | undefined };
export type KindsOptions = {
  random: Random;
  fleet: Fleet;
  /** Undefined where they are not ours to kill. */
  clusters: Record<Side, Mortal> | undefined;
  relays: Record<Side, Relay>;
  nats: MortalNats;
  leader(): string | undefined;
};
export type Hands = {
  isFree(on: Thing): boolean;
  /** For so many seconds, or until everything is to be healed. */
  hold(low: number, high: number): Promise<void>;
};

const isWrite = ({ method, path }: Asked): boolean => method !== 'GET' && /\/_(doc|create|update|bulk)\b/.test(path);

const agentKinds = ({ random, fleet, leader }: KindsOptions, { isFree, hold }: Hands): Record<string, FaultKind> => {
  let joined = 0;
  const anAgent = (): Agent | undefined => {
    const up = fleet.agents.filter(({ name, process, paused }) => process !== undefined && !paused && isFree(name));
    // One has to be left that serves.
    if (up.length < 2) return undefined;
    const leads = up.find(({ name }) => name === leader());
    return leads !== undefined && random.chance(0.4) ? leads : random.pick(up);
  };
  const onAgent = (weight: number, what: string, act: (agent: Agent) => Promise<void>): FaultKind => ({
    weight,
    plan: () => {
      const agent = anAgent();
      return agent === undefined ? undefined : { on: agent.name, what, act: () => act(agent) };
    },
  });
  const stopped = (weight: number, what: string, [low, high]: [number, number]): FaultKind =>
    onAgent(weight, what, async (agent) => {
      fleet.pause(agent);
      await hold(low, high);
      fleet.wake(agent);
    });
  const cut = (weight: number, what: string, which: readonly Way[]): FaultKind =>
    onAgent(weight, what, async (agent) => {
      for (const way of which) fleet.cut(agent, way);
      await hold(4, 25);
      for (const way of which) fleet.mend(agent, way);
    });
  const joins = async (name: string): Promise<void> => {
    const agent = await fleet.join(name);
    await hold(8, 40);
    await fleet.leave(agent);
  };
  return {
    'agent killed': onAgent(8, 'killed', async (agent) => {
      await fleet.kill(agent);
      await hold(0, 6);
      await fleet.start(agent);
    }),
    'agent restarted': onAgent(6, 'restarted', async (agent) => {
      await fleet.end(agent);
      await fleet.start(agent);
    }),
    'agent stopped beyond its lease': stopped(6, 'stopped beyond its lease', [16, 22]),
    'agent stopped for moments': stopped(5, 'stopped for moments', [1, 7]),
    'agent without nats': cut(7, 'without nats', ['nats']),
    'agent without source': cut(4, 'without source', ['source']),
    'agent without target': cut(4, 'without target', ['target']),
    'agent alone': cut(2, 'without anything', ways),
    'agent joins': {
      weight: 4,
      plan: () => {
        if (fleet.agents.length > 3) return undefined;
        const on = `joiner-${++joined}`;
        return { on, what: 'joins and leaves', act: () => joins(on) };
      },
    },
  };
};

const onServer = ({ isFree }: Hands, { on, weight, what, act }: Act & { weight: number }): FaultKind => ({
  weight,
  plan: () => (isFree(on) ? { on, what, act } : undefined),
});

const crash =
  ({ hold }: Hands, server: Mortal, seconds: [number, number]) =>
  async (): Promise<void> => {
    await server.kill();
    await hold(...seconds);
    await server.start();
  };
const stall =
  ({ hold }: Hands, server: Mortal, seconds: [number, number]) =>
  async (): Promise<void> => {
    server.stall();
    await hold(...seconds);
    server.wake();
  };

const natsKinds = ({ nats }: KindsOptions, hands: Hands): Record<string, FaultKind> => {
  const onNats = (weight: number, what: string, act: () => Promise<void>): FaultKind =>
    onServer(hands, { on: 'nats', weight, what, act });
  return {
    'nats killed': onNats(4, 'killed', crash(hands, nats, [0, 18])),
    'nats stalled': onNats(3, 'stalled', stall(hands, nats, [2, 20])),
    'nats empty': onNats(1, 'replaced by an empty one for a while', async () => {
      await nats.kill();
      await nats.startEmpty();
      await hands.hold(4, 15);
      await nats.start();
    }),
  };
};

const clusterKinds = (
  on: Side,
  { random, clusters, relays }: KindsOptions,
  hands: Hands,
): Record<string, FaultKind> => {
  const relay = relays[on];
  const kind = (weight: number, what: string, act: () => Promise<void>): Record<string, FaultKind> => ({
    [`${on} ${what}`]: onServer(hands, { on, weight, what, act }),
  });
  const misdeed = (weight: number, what: string, [fault, share]: [Misdeed, number], of: (asked: Asked) => boolean) =>
    kind(weight, what, async () => {
      relay.misbehave((asked) => (of(asked) && random.chance(share) ? fault : undefined));
      await hands.hold(2, 9);
      relay.behave();
    });
  const any = (): boolean => true;
  const mortal = clusters?.[on];
  return {
    ...(mortal === undefined
      ? {}
      : { ...kind(6, 'killed', crash(hands, mortal, [0, 8])), ...kind(3, 'stalled', stall(hands, mortal, [1, 15])) }),
    ...misdeed(3, 'is silent', [{ kind: 'hang' }, 1], any),
    ...misdeed(3, 'is away', [{ kind: 'reset' }, 1], any),
    ...misdeed(4, 'drops answers to writes', [{ kind: 'drop-answer' }, 0.3], isWrite),
    ...misdeed(2, 'drops answers', [{ kind: 'drop-answer' }, 0.3], any),
    ...misdeed(2, 'resets', [{ kind: 'reset' }, 0.4], any),
    ...misdeed(2, 'hangs', [{ kind: 'hang', applied: true }, 0.2], isWrite),
    ...(on === 'source'
      ? {}
      : {
          ...misdeed(2, 'answers 400', [{ kind: 'answer', status: 400 }, 0.6], isWrite),
          ...misdeed(2, 'answers 403', [{ kind: 'answer', status: 403 }, 0.6], any),
          ...misdeed(2, 'answers 429', [{ kind: 'answer', status: 429 }, 0.6], isWrite),
          ...misdeed(2, 'answers 503', [{ kind: 'answer', status: 503 }, 0.6], isWrite),
        }),
  };
};

const machineKinds = (hands: Hands): Record<string, FaultKind> => {
  const act = async (): Promise<void> => {
    // Nobody ends them where this process is killed.
    const busy = ['20', 'sh', '-c', 'while :; do :; done'];
    const hogs = [0, 1].map(() => spawn('timeout', busy, { stdio: 'ignore' }));
    await hands.hold(5, 12);
    for (const hog of hogs) hog.kill('SIGTERM');
  };
  return { 'machine busy': onServer(hands, { on: 'machine', weight: 3, what: 'busy', act }) };
};

export const faultKinds = (options: KindsOptions, hands: Hands): Record<string, FaultKind> => ({
  ...agentKinds(options, hands),
  ...natsKinds(options, hands),
  ...clusterKinds('source', options, hands),
  ...clusterKinds('target', options, hands),
  ...machineKinds(hands),
});
