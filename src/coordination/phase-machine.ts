/**
 * The phase machine of a route: which record may follow which, and nothing else. The leader asks it for the next record
 * and writes that by compare-and-set, so two leaders can never both be right. Invariants: epoch and reign never
 * decrease and epochs are never reused; an epoch has one direction for ever, also one that was prepared and never came;
 * a commit raises the reign, and so does the way into `dual` where stamps of another story of the source stand on the
 * target; a commit needs a hold that is no rehearsal.
 *
 *   off <-> observe <-> dual  ==hold/commit==>  target -> final
 *                        ^------hold/commit-----'
 */
import {
  authorityIn,
  hasFollower,
  type Hold,
  ownRevision,
  type Phase,
  type PhaseRecord,
  type StampLayout,
} from './records.ts';
import { maxReign } from './stamp.ts';

export type PhaseEvent =
  /**
   * A move that leaves the authority where it is. `layout` is chosen by the preflight on the way to observe; `nextReign` is
   * decided by a look at both sides on the way to dual.
   */
  | { kind: 'move'; to: Phase; layout?: StampLayout; nextReign?: boolean }
  | { kind: 'hold'; rehearsal: boolean; budgetMs: number; graceMs: number }
  | { kind: 'commit' }
  /** Ends a hold without a switch: given up, failed or rehearsed. */
  | { kind: 'release' }
  /** Leaves the epochs behind of a switch that was prepared and never held: as its release, without a hold. */
  | { kind: 'pass_over' };
export type Who = { by: string; reason: string; at: string };
export type PhaseStep = { ok: true; record: PhaseRecord } | { ok: false; message: string };

/**
 * The epochs of a switch that starts from `epoch`. `hold`: copies of the old direction, by the tail inside the hold;
 * `commit`: the new direction; `release`: the old direction again. `epoch + 1` belongs to the switch before, where it was
 * the ending that did not come, or to nobody.
 */
export const switchEpochs = (epoch: number): { hold: number; commit: number; release: number } => ({
  hold: epoch + 2,
  commit: epoch + 3,
  release: epoch + 4,
});

/** The epoch of a route that comes out of `off`; it keeps clear of the switches of an earlier stay. */
export const startEpoch = (epoch: number): number => (epoch === 0 ? 1 : epoch + 2);

const moves: Record<Phase, readonly Phase[]> = {
  off: ['observe'],
  observe: ['off', 'dual'],
  dual: ['observe'],
  target: ['final'],
  final: [],
};

const refuse = (message: string): PhaseStep => ({ ok: false, message });

const move = (record: PhaseRecord, event: Extract<PhaseEvent, { kind: 'move' }>, who: Who): PhaseStep => {
  if (record.hold !== undefined) return refuse(`a switch to ${record.hold.to} is under way`);
  if (!moves[record.phase].includes(event.to)) return refuse(explainMove(record.phase, event.to));
  const starting = record.phase === 'off';
  const raises = event.nextReign === true;
  if (raises && (event.to !== 'dual' || record.reign >= maxReign(record.layout)))
    return refuse(`no reign begins here after reign ${record.reign}`);
  return {
    ok: true,
    record: {
      ...record,
      ...who,
      phase: event.to,
      epoch: starting ? startEpoch(record.epoch) : record.epoch,
      layout: starting ? (event.layout ?? record.layout) : record.layout,
      reign: raises ? record.reign + 1 : record.reign,
    },
  };
};

/** Shortest path of moves without the start; undefined when only a switch leads there. Same phase: empty. */
export const pathBetween = (from: Phase, to: Phase): Phase[] | undefined => {
  const queue: Phase[][] = [[]];
  const seen = new Set<Phase>([from]);
  for (const path of queue) {
    const at = path.at(-1) ?? from;
    if (at === to) return path;
    for (const next of moves[at]) {
      if (seen.has(next)) continue;
      seen.add(next);
      queue.push([...path, next]);
    }
  }
  return undefined;
};

const explainMove = (from: Phase, to: Phase): string => {
  if (from === to) return `the route is in ${to} already`;
  if (authorityIn(from) !== authorityIn(to)) return `from ${from} to ${to} only by a cutover or a rollback`;
  const allowed = moves[from];
  return `from ${from} the route can move to ${allowed.length > 0 ? allowed.join(' or ') : 'nothing else'}, not to ${to}`;
};

const hold = (record: PhaseRecord, event: Extract<PhaseEvent, { kind: 'hold' }>, who: Who): PhaseStep => {
  if (record.hold !== undefined) return refuse(`a switch to ${record.hold.to} is under way`);
  if (record.phase !== 'dual' && record.phase !== 'target')
    return refuse(`no switch of authority starts from ${record.phase}`);
  if (!event.rehearsal && record.reign >= maxReign(record.layout))
    return refuse('no reign is left in this stamp layout');
  const to: Hold['to'] = record.phase === 'dual' ? 'target' : 'dual';
  const { rehearsal, budgetMs, graceMs } = event;
  return {
    ok: true,
    record: { ...record, ...who, epoch: switchEpochs(record.epoch).hold, hold: { to, rehearsal, budgetMs, graceMs } },
  };
};

const withoutHold = ({ hold: _, ...record }: PhaseRecord): PhaseRecord => record;

const commit = (record: PhaseRecord, who: Who): PhaseStep => {
  if (record.hold === undefined) return refuse('nothing is held');
  if (record.hold.rehearsal) return refuse('a rehearsal is never committed');
  return {
    ok: true,
    record: {
      ...withoutHold(record),
      ...who,
      epoch: record.epoch + 1,
      phase: record.hold.to,
      reign: record.reign + 1,
      percentFloor: ownRevision,
    },
  };
};

const release = (record: PhaseRecord, who: Who): PhaseStep => {
  if (record.hold === undefined) return refuse('nothing is held');
  return { ok: true, record: { ...withoutHold(record), ...who, epoch: record.epoch + 2 } };
};

const passOver = (record: PhaseRecord, who: Who): PhaseStep => {
  if (record.hold !== undefined) return refuse(`a switch to ${record.hold.to} is under way`);
  if (!hasFollower(record.phase)) return refuse(`no switch of authority starts from ${record.phase}`);
  return { ok: true, record: { ...record, ...who, epoch: switchEpochs(record.epoch).release } };
};

export const stepPhase = (record: PhaseRecord, event: PhaseEvent, who: Who): PhaseStep => {
  switch (event.kind) {
    case 'move':
      return move(record, event, who);
    case 'hold':
      return hold(record, event, who);
    case 'commit':
      return commit(record, who);
    case 'release':
      return release(record, who);
    case 'pass_over':
      return passOver(record, who);
    default:
      return event satisfies never;
  }
};
