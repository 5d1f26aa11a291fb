/**
 * One process of the product: watcher, admission, copier, membership, leader candidate, backfill worker and executors of
 * writes, wired and started in the order of src/app, over simulated ports. A crash forgets the object; what it sent may
 * still arrive. Clocks of processes are apart, because no process may compare its clock with another's.
 */

import { runWorker } from '../../src/agent/chunk-worker.ts';
import { createClusterControl } from '../../src/agent/cluster.ts';
import { createCopier } from '../../src/agent/copier.ts';
import { startLeaders } from '../../src/agent/leader/start.ts';
import type { SwitchPoint } from '../../src/agent/leader/switch.ts';
import type { Runtime } from '../../src/agent/runtime.ts';
import { createTransforms } from '../../src/agent/transform.ts';
import { createUnclearCopies } from '../../src/agent/unclear-copies.ts';
import { noShadow, routeLine } from '../../src/app/heartbeat-report.ts';
import { createRouteView } from '../../src/app/route-view.ts';
import { standAlone } from '../../src/app/stand-alone.ts';
import { createAdmission } from '../../src/coordination/admission.ts';
import { createMembers, type Members } from '../../src/coordination/members.ts';
import type { RouteState, Store } from '../../src/coordination/ports.ts';
import { createProcessList } from '../../src/coordination/process-list.ts';
import type { Heartbeat } from '../../src/coordination/records.ts';
import { startRouteWatcher } from '../../src/coordination/route-watcher.ts';
import { pause, type Timers } from '../../src/coordination/timers.ts';
import { CrossfadeError, renderError } from '../../src/errors.ts';
import { silentLogger } from '../../src/log.ts';
import { classify } from '../../src/proxy/classify.ts';
import { plan } from '../../src/proxy/plan.ts';
import { createWriteExecutors } from '../../src/proxy/write/index.ts';
import type { Transport, Transports, UpstreamAnswer } from '../../src/upstream/types.ts';
import { type FakeClient, fakeClient, type Sent } from '../support/write-client.ts';
import type { Owner, Scheduler } from './scheduler.ts';
import type { Link } from './store.ts';

export type Process = Owner & { readonly boot: string; readonly clockOffsetMs: number };
export type Answer = { status: number; text: string; errorCode: string | undefined };
export type MemberOptions = {
  scheduler: Scheduler;
  process: Process;
  link: Link;
  slug: string;
  store: Store;
  transports: Transports;
  /** What a state is replaced by before admission sees it: where mutants reach in. */
  onStates?: (states: ReadonlyMap<string, RouteState>) => void;
  onReached?: (point: SwitchPoint, process: Process) => Promise<void>;
  /** Where mutants reach in: wraps what the leader is given. */
  wrapMembers?: (members: Members) => Members;
};
export type Member = {
  readonly process: Process;
  readonly link: Link;
  serving: boolean;
  /** One request of the application beside this process. */
  send(sent: Sent): Promise<Answer>;
  state(): RouteState | undefined;
};

const date = new Date(0);
const logger = silentLogger();
const startWaitMs = 3_000;

export const runtimeOf = (scheduler: Scheduler, process: Process): Runtime => ({
  now: () => scheduler.nowMs + process.clockOffsetMs,
  random: () => scheduler.random.next(),
  after: (delayMs, run) => scheduler.after(delayMs, '', run, process),
});

export const startMember = (options: MemberOptions): Member => {
  const { scheduler, process, slug, store, transports } = options;
  const runtime = runtimeOf(scheduler, process);
  const timers: Timers = { set: (run, delayMs) => runtime.after(delayMs, run) };
  const { now } = runtime;
  const unclear = createUnclearCopies();
  const clusters = {
    source: unclear.watch(createClusterControl(transports.source)),
    target: unclear.watch(createClusterControl(transports.target)),
  };
  const transforms = createTransforms(() => Promise.reject(new Error('no transform here')));
  let respond: ((sent: Sent) => Promise<Answer>) | undefined;
  let stateOf = (): RouteState | undefined => undefined;
  const member: Member = {
    process,
    link: options.link,
    serving: false,
    send: (sent) => (respond === undefined ? Promise.reject(new CrossfadeError('NOT_READY')) : respond(sent)),
    state: () => stateOf(),
  };

  const start = async (): Promise<void> => {
    const watcher = await startRouteWatcher({ store, logger, now, timers });
    let beat = (): void => undefined;
    const admission = createAdmission({ now, timers, onDrained: () => beat() });
    const view = createRouteView({ watcher, admission, sameCluster: false });
    view.onChange((states) => options.onStates?.(states));
    stateOf = () => view.state(slug);
    const copier = createCopier({ clusters, runtime, transforms, stateOf: (of) => view.state(of) });
    const processes = createProcessList({ bucket: store.config, member: process.name, boot: process.boot });
    const report = (): Heartbeat['routes'] =>
      Object.fromEntries(
        [...view.states()].flatMap(([of, state]) => {
          const admitted = admission.report(of);
          if (admitted === undefined || !processes.has(of)) return [];
          const counts = { copies: copier.report(of), unclear: unclear.count(of), shadow: noShadow };
          return [
            [
              of,
              routeLine({ state, mayServe: true, isBraked: false, admission: admitted, ...counts, copyProblems: [] }),
            ],
          ];
        }),
      );
    // A process without a cache serves nothing before the store has answered.
    while (watcher.status().knowledge === 'unknown') {
      await watcher.refresh().catch(() => undefined);
      if (watcher.status().knowledge === 'unknown') await pause(timers, 200);
    }
    const own = createMembers({
      live: store.live,
      member: process.name,
      boot: process.boot,
      version: 'sim',
      report,
      enlist: (again) => processes.enlist(view.states().keys(), again),
      stale: () => watcher.status().stale,
      logger,
      now,
      timers,
    });
    beat = () => own.beat();
    view.onChange(() => own.beat());
    const members = options.wrapMembers?.(own) ?? own;
    const looked = own
      .join()
      .then(() => watcher.refresh())
      .then(
        () => true,
        () => false,
      );
    const joined = await Promise.race([looked, pause(timers, startWaitMs).then(() => false)]);
    const heard = (): boolean => own.heard();
    const isOver = (): boolean => false;
    const wait = (ms: number): Promise<void> => pause(timers, ms);
    const refresh = (): Promise<void> => watcher.refresh();
    if (!joined) await standAlone({ view, heard, isRecent: false, isOver, refresh, transports, pause: wait, logger });
    const executors = createWriteExecutors({
      transports,
      admission,
      copies: copier,
      table: () => view.table(),
      limits: { maxBodyBytes: 1 << 20 },
      logger,
      now,
      date: () => date,
      timers,
    });
    const carryOut = async (client: FakeClient): Promise<void> => {
      const refusal = view.refusal();
      if (refusal !== undefined) throw refusal;
      const { head } = client;
      const decided = plan({ operation: classify(head.method, head.path), head, table: view.table(), now: date });
      switch (decided.kind) {
        case 'pass':
          return client.respond(await passOn(client, transports[decided.side]));
        case 'write':
          return executors.write(client, decided);
        case 'bulk':
          return executors.bulk(client, decided);
        case 'reject':
          throw decided.error;
        default:
          throw new Error(`planned as ${decided.kind}`);
      }
    };
    respond = async (sent) => {
      const client = fakeClient(sent);
      try {
        await carryOut(client);
      } catch (error) {
        if (!(error instanceof CrossfadeError)) throw error;
        return { status: error.status, text: renderError(error).body, errorCode: error.code };
      }
      const [answer] = client.answers;
      if (answer === undefined || client.answers.length > 1)
        throw new Error(`${client.answers.length} answers to one request`);
      return { status: answer.status, text: (answer.body ?? '').toString(), errorCode: undefined };
    };
    member.serving = true;
    const point = options.onReached;
    startLeaders({
      store,
      clusters,
      members,
      transforms,
      runtime,
      logger,
      member: process.name,
      boot: process.boot,
      clock: () => new Date(scheduler.nowMs).toISOString(),
      states: () => view.states(),
      onStates: (listener) => view.onChange(listener),
      leaseTime: { clock: { monotonicMs: now, wallMs: () => scheduler.nowMs }, timers },
      ...(point === undefined ? {} : { onReached: (at: SwitchPoint) => point(at, process) }),
    });
    void runWorker({
      store,
      clusters,
      slug,
      worker: process.name,
      state: () => view.state(slug),
      transforms,
      runtime,
      signal: new AbortController().signal,
    });
  };
  void start();
  return member;
};

/** What the listener does with traffic of no route: the bytes go on as they are. */
const passOn = async (client: FakeClient, transport: Transport): Promise<UpstreamAnswer> => {
  const { head, headers } = client;
  return transport.request({
    method: head.method,
    path: head.query === '' ? head.path : `${head.path}?${head.query}`,
    headers: Object.fromEntries(
      headers.flatMap((name, i) => (i % 2 === 0 ? [[name.toLowerCase(), headers[i + 1] as string]] : [])),
    ),
    body: await client.readBody({ maxBytes: 1 << 20 }),
  });
};
