/** Gathers what gate.ts judges: from heartbeats, the job, the work, and the health of both clusters. */
import { barrier, settleMs } from '../../coordination/membership.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { hasFollower, type Side } from '../../coordination/records.ts';
import type { IndexHealth } from '../control-answers.ts';
import { indexHealth } from '../index-health.ts';
import { unsettled } from './alias-watch.ts';
import type { QuarantineRecord } from '../quarantine.ts';
import type { GateFacts } from './gate.ts';
import { outOfReach } from './out-of-reach.ts';
import type { Leading, Unheard } from './leading.ts';
import { plainWriters } from './plain-writers.ts';
import { maxLagSeconds } from './route-work.ts';

const maxProofAgeSeconds = 120;

const healthOf = ({ deps }: Leading, side: Side, { spec }: RouteState): Promise<IndexHealth> =>
  indexHealth(
    deps.clusters[side],
    spec.indices.map((pair) => pair[side]),
  );

/** Documents that the leader and workers have listed as refused, those beyond the length of a list included. */
export const listedIn = (lists: readonly QuarantineRecord[]): number =>
  lists.reduce((sum, { docs, overflowed }) => sum + docs.length + overflowed, 0);

/** Whoever is just joining is heard by then. */
const longMissed = ({ unheard, deps }: Leading): readonly Unheard[] =>
  unheard.filter(({ sinceMs }) => deps.runtime.now() - sinceMs >= settleMs);

/** For the status; who is about to switch looks anew. */
const tasksAgeMs = 5_000;

const foreignTasks = async ({ foreignTasks: tasks }: Leading, state: RouteState, maxAgeMs: number) => {
  const running = hasFollower(state.phase.phase) ? await tasks.look(state, maxAgeMs) : 0;
  return running === 0 ? [] : [{ member: 'no sidecar', running }];
};

export const gatherGate = async (leading: Leading, state: RouteState, { isFresh = false } = {}): Promise<GateFacts> => {
  const { deps, job, work } = leading;
  const { slug } = deps;
  const view = deps.members.view();
  const applied = barrier(view, {
    slug,
    phaseRevision: state.phaseRevision,
    expect: 'applied',
    nowMs: deps.runtime.now(),
  });
  const [source, target] = await Promise.all([healthOf(leading, 'source', state), healthOf(leading, 'target', state)]);
  const { judgement } = await leading.verdict.judge(state);
  const followed = [...view.members.values()].flatMap(({ member, heartbeat }) => {
    const running = heartbeat?.routes[slug]?.byQuery ?? 0;
    return running === 0 ? [] : [{ member, running }];
  });
  // The same tasks must not be named twice.
  const left = followed.length === 0 ? await leading.leftTasks.look(view, state) : [];
  const foreign = left.length === 0 ? await foreignTasks(leading, state, isFresh ? 0 : tasksAgeMs) : [];
  const { tail } = work.facts();
  // Members' own lists are left out: the tail meets every document that a member was refused, and knows when it is mended.
  const listed = listedIn(work.quarantines());
  const current = job.current();
  const open = unsettled(leading, state);
  return {
    record: state.phase,
    paused: current.paused,
    stop: state.stop,
    backfillDone: current.work?.backfill === 'done',
    tail: { hasRun: tail.state !== 'none', behind: tail.behind, lagSeconds: tail.lagSeconds, maxLagSeconds },
    quarantined: listed,
    sweepPending: work.sweepPending(),
    proofAgeSeconds: work.proofAgeSeconds(),
    maxProofAgeSeconds,
    verdict: judgement.verdict,
    members: {
      live: view.members.size,
      behind: applied.waitingFor.map(({ member, reason }) => `${member} ${reason}`),
      outOfReach: outOfReach(view, {
        ledger: current.work?.ledger,
        events: current.events,
        since: leading.lostSinceMs,
        unheard: leading.unheard.map(({ member }) => member),
      }),
      plainWriters: plainWriters(view, longMissed(leading), { slug, record: state.phase }),
    },
    byQuery: [...followed, ...left, ...foreign],
    health: { source, target },
    unaccountedGrowing: work.isGrowing(),
    unanswered: work.unanswered(),
    alarms: [...work.alarms(), ...(open === undefined ? [] : [open])],
    unsettled: open,
    storeConnected: deps.store.status().connected,
  };
};
