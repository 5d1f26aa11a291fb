/** Agents as processes, each with ways of its own to NATS and to both clusters that can be cut while the others go on. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SwitchPoint } from '../../../src/agent/leader/switch.ts';
import { type AgentProcess, startAgent } from '../../support/agent-process.ts';
import { startTcpLink, type TcpLink } from '../tcp-link.ts';

export type Way = 'nats' | 'source' | 'target';
export const ways = ['nats', 'source', 'target'] as const satisfies readonly Way[];
export type Agent = {
  name: string;
  links: Record<Way, TcpLink>;
  /** Undefined while it is down. */
  process: AgentProcess | undefined;
  paused: boolean;
  /** Links on which bytes go nowhere. */
  cut: Set<Way>;
  stateDir: string;
};
export type FleetOptions = {
  /** Where each way leads. */
  to: Record<Way, string>;
  env: Record<string, string>;
  onReached(name: string, point: SwitchPoint): Promise<void>;
  /** Each process once it has ended: its exit code, whether somebody ended it, and what it printed. */
  onEnded(name: string, end: { exit: number; wanted: boolean; output: string }): void;
};
export type Fleet = {
  agents: Agent[];
  /** Those that clients are told of. */
  urls(): { name: string; url: string }[];
  join(name: string): Promise<Agent>;
  start(agent: Agent): Promise<void>;
  kill(agent: Agent): Promise<void>;
  pause(agent: Agent): void;
  wake(agent: Agent): void;
  /** SIGTERM; whoever does not end is killed after a while, as a kubelet does. */
  end(agent: Agent): Promise<void>;
  leave(agent: Agent): Promise<void>;
  cut(agent: Agent, way: Way): void;
  mend(agent: Agent, way: Way): void;
  heal(): Promise<void>;
  close(): Promise<void>;
};

/** What a kubelet gives to a pod. */
const terminationMs = 30_000;

const linkTo = async (url: string): Promise<TcpLink> => {
  const { hostname, port } = new URL(url);
  return startTcpLink({ host: hostname, port: Number(port) });
};
const linksTo = async (to: Record<Way, string>): Promise<Record<Way, TcpLink>> => {
  const [nats, source, target] = await Promise.all([linkTo(to.nats), linkTo(to.source), linkTo(to.target)]);
  return { nats, source, target };
};

export const startFleet = ({ to, env, onReached, onEnded }: FleetOptions): Fleet => {
  const agents: Agent[] = [];
  const wanted = new WeakSet<AgentProcess>();
  const gone = async (agent: Agent, process: AgentProcess): Promise<void> => {
    const exit = await process.exit();
    if (agent.process === process) agent.process = undefined;
    onEnded(agent.name, { exit, wanted: wanted.has(process), output: process.output() });
  };
  const start = async (agent: Agent): Promise<void> => {
    if (agent.process !== undefined) return;
    const { links, name, stateDir } = agent;
    const process = await startAgent({
      env: {
        ...env,
        CROSSFADE_NATS_SERVERS: `nats://127.0.0.1:${links.nats.port}`,
        CROSSFADE_CLUSTERS_SOURCE_URL: `http://127.0.0.1:${links.source.port}`,
        CROSSFADE_CLUSTERS_TARGET_URL: `http://127.0.0.1:${links.target.port}`,
        CROSSFADE_MEMBER: name,
        CROSSFADE_STATE_DIR: stateDir,
      },
      onReached: (point) => onReached(name, point),
    });
    agent.process = process;
    void gone(agent, process);
  };
  const signalled = async (agent: Agent, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> => {
    const { process } = agent;
    if (process === undefined) return;
    wanted.add(process);
    agent.process = undefined;
    agent.paused = false;
    process.signal('SIGCONT');
    process.signal(signal);
    const hard = setTimeout(() => process.signal('SIGKILL'), terminationMs);
    await process.exit();
    clearTimeout(hard);
  };
  const wake = (agent: Agent): void => {
    agent.paused = false;
    agent.process?.signal('SIGCONT');
  };
  const mend = (agent: Agent, way: Way): void => {
    // What is whole stays as it is: mending ends its connections.
    if (agent.cut.delete(way)) agent.links[way].heal();
  };
  const drop = (agent: Agent): void => {
    for (const link of Object.values(agent.links)) link.close();
    rmSync(agent.stateDir, { recursive: true, force: true });
  };
  return {
    agents,
    urls: () => agents.flatMap(({ name, process }) => (process === undefined ? [] : [{ name, url: process.url }])),
    join: async (name) => {
      const stateDir = mkdtempSync(join(tmpdir(), 'crossfade-agent-state-'));
      const agent: Agent = {
        name,
        links: await linksTo(to),
        process: undefined,
        paused: false,
        cut: new Set(),
        stateDir,
      };
      agents.push(agent);
      await start(agent);
      return agent;
    },
    start,
    kill: (agent) => signalled(agent, 'SIGKILL'),
    pause: (agent) => {
      agent.paused = true;
      agent.process?.signal('SIGSTOP');
    },
    wake,
    end: (agent) => signalled(agent, 'SIGTERM'),
    leave: async (agent) => {
      agents.splice(agents.indexOf(agent), 1);
      await signalled(agent, 'SIGTERM');
      drop(agent);
    },
    cut: (agent, way) => {
      agent.cut.add(way);
      agent.links[way].cut();
    },
    mend,
    heal: async () => {
      for (const agent of agents) {
        for (const way of ways) mend(agent, way);
        wake(agent);
      }
      await Promise.all(agents.map(start));
    },
    close: async () => {
      await Promise.all(agents.map((agent) => signalled(agent, 'SIGTERM')));
      for (const agent of agents) drop(agent);
    },
  };
};
