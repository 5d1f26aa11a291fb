/**
 * Judges a run while it happens and at its end, with the eyes of somebody who sees both clusters and the store at once.
 * What it finds is a violation of an invariant of ARCHITECTURE.md, named by its number, or of the promise behind them:
 * every acknowledged write is on the final authority or overwritten there by a later one, and nothing else is.
 */
import type { RouteState } from '../../src/coordination/ports.ts';
import { claimedId } from '../../src/app/stand-alone.ts';
import { authorityIn, otherSide, type PhaseRecord, type Side, sides } from '../../src/coordination/records.ts';
import type { History, WriteItem } from './history.ts';
import { appliedKey, type SimCluster } from './network.ts';
import type { Applied } from './storage.ts';

export type CheckedWorld = {
  now: () => number;
  history: History;
  clusters: Record<Side, SimCluster>;
  names: Record<Side, string>;
};
type Step = { record: PhaseRecord; revision: number; atMs: number };
/** Whose request is being applied: a client's call, or nobody's that is checked. */
export type Origin = { opaque: string | undefined; process: string };

/** Longest that a request may take at a process that neither died nor stopped: hold, replay and time-outs together. */
const longestCallMs = 75_000;

export class Checker {
  readonly violations: string[] = [];
  readonly steps: Step[] = [];
  readonly #world: CheckedWorld;
  readonly #writers = new Map<string, WriteItem>();
  readonly #markers = new Map<string, string>();
  readonly #stamped = new Map<string, string>();
  readonly #seen = new Map<string, RouteState>();
  /** By id: what was written to whoever had the authority, in order, without what a failed primary took with it. */
  readonly #written = new Map<string, { key: string; source: string | undefined }[]>();

  constructor(world: CheckedWorld) {
    this.#world = world;
  }

  get authority(): Side {
    return authorityIn(this.steps.at(-1)?.record.phase ?? 'off');
  }

  #violation(text: string): void {
    if (this.violations.length < 20) this.violations.push(`${this.#world.now().toFixed(2)} ${text}`);
  }

  problem(text: string): void {
    this.#violation(text);
  }

  phaseWritten(record: PhaseRecord, revision: number): void {
    const before = this.steps.at(-1)?.record;
    this.steps.push({ record, revision, atMs: this.#world.now() });
    if (before === undefined) return;
    if (record.epoch < before.epoch || record.reign < before.reign)
      this.#violation(
        `I12: the record went back from e${before.epoch} r${before.reign} to e${record.epoch} r${record.reign}`,
      );
    if (record.phase === 'final') this.#violation('the route became final and nobody asked for that');
    const moved = authorityIn(record.phase) !== authorityIn(before.phase);
    if (moved !== record.reign > before.reign) this.#violation('the reign and the authority did not change together');
    if (moved) {
      this.#compare('I8: committed while the sides differ');
      this.#holdsTheLast('I6: committed');
    }
  }

  /** Both sides may be equal and wrong: of each document the authority has what was written to an authority last. */
  #holdsTheLast(when: string): void {
    const contents = this.#contents(this.authority);
    for (const [id, writes] of this.#written) {
      const last = writes.at(-1);
      if (last !== undefined && contents.get(id) !== last.source)
        this.#violation(
          `${when}, and ${id} is ${contents.get(id) ?? 'absent'} where ${last.source ?? 'absent'} was written last`,
        );
    }
  }

  #compare(what: string): void {
    const [source, target] = sides.map((side) => this.#contents(side)) as [Map<string, string>, Map<string, string>];
    const differing = [...new Set([...source.keys(), ...target.keys()])]
      .filter((id) => source.get(id) !== target.get(id))
      .map((id) => `${id}: source ${source.get(id) ?? 'absent'}, target ${target.get(id) ?? 'absent'}`);
    if (differing.length > 0) this.#violation(`${what}: ${differing.slice(0, 3).join('; ')}`);
  }

  #contents(side: Side): Map<string, string> {
    const { clusters, names } = this.#world;
    const docs = clusters[side].fake.storage.contents(names[side]);
    return new Map([...docs].map(([id, doc]) => [id, doc.source]));
  }

  applied(side: Side, write: Applied, { opaque, process }: Origin): void {
    const { clusters, names } = this.#world;
    if (clusters[side].fake.storage.indices.get(write.index)?.autoCreated === true)
      this.#violation(`${process} created the index ${write.index} on the ${side} by writing to it`);
    if (write.index !== names[side]) {
      this.#violation(`${process} wrote to ${write.index} on the ${side}`);
      return;
    }
    if (write.op.external === true) this.#copyApplied(side, write, process);
    else this.#writeApplied(side, write, { opaque, process });
  }

  #copyApplied(side: Side, { op, before, after, version }: Applied, process: string): void {
    if (side === this.authority && before?.source !== after?.source)
      this.#violation(`I4: a copy of ${process} changed ${op.id} on the authority (${side}), stamp ${version}`);
    if (after === undefined) return;
    const key = `${side} ${op.id} ${version}`;
    const known = this.#stamped.get(key);
    if (known !== undefined && known !== after.source) this.#violation(`I3: two contents under one stamp, ${key}`);
    this.#stamped.set(key, after.source);
  }

  #writeApplied(side: Side, write: Applied, { opaque, process }: Origin): void {
    const { op, before, after, index, seq, term } = write;
    // Nobody's document: a process that nobody has heard of takes a sequence number with it.
    if (op.id === claimedId && op.op === 'delete' && before === undefined) return;
    const source = after?.source;
    const key = appliedKey({ index, id: op.id, seq, term });
    if (side === this.authority) this.#written.set(op.id, [...(this.#written.get(op.id) ?? []), { key, source }]);
    const item = this.#world.history.find(opaque ?? '', { kind: op.op, id: op.id, source });
    if (source !== undefined && item !== undefined) this.#markers.set(source, item.marker);
    if (item === undefined) {
      if (opaque?.startsWith('foreign') !== true) this.#violation(`${process} applied ${opaque} that no client sent`);
      return;
    }
    item.applied++;
    this.#writers.set(key, item);
    if (item.applied > 1) this.#violation(`${opaque} ${item.kind} ${op.id} was applied twice`);
    if (side !== this.authority)
      this.#violation(
        `I1: ${opaque} of ${process} was applied on the ${side} while the ${this.authority} has the authority`,
      );
    const found = before === undefined ? 'nothing' : this.#markers.get(before.source);
    if (item.expects !== undefined && found !== item.expects)
      this.#violation(`I14: ${opaque} was let through for ${item.expects} and found ${found} on ${op.id}`);
  }

  lost(write: { index: string; id: string; seq: number; term: number }): void {
    const key = appliedKey(write);
    const item = this.#writers.get(key);
    if (item !== undefined) item.applied--;
    const left = this.#written.get(write.id)?.filter((one) => one.key !== key);
    if (left !== undefined) this.#written.set(write.id, left);
  }

  stateApplied(process: string, boot: string, state: RouteState | undefined): void {
    if (state === undefined) return;
    const key = `${process} ${boot}`;
    const before = this.#seen.get(key);
    this.#seen.set(key, state);
    const { epoch, reign } = state.phase;
    if (before === undefined) return;
    if (state.phaseRevision < before.phaseRevision || epoch < before.phase.epoch || reign < before.phase.reign)
      this.#violation(`I12: ${process} went back to revision ${state.phaseRevision}, e${epoch} r${reign}`);
  }

  /** `resting`: nothing moves any more; else the run is over all the same, and only what no wait can mend is looked at. */
  atEnd(resting: boolean): void {
    this.#compare(`I5: the ${otherSide(this.authority)} is not what the ${this.authority} is, at the end`);
    this.#holdsTheLast('I6: at the end');
    if (!resting) return;
    if (this.steps.at(-1)?.record.hold !== undefined) this.#violation('I9: a hold never ended');
    for (const call of this.#world.history.calls.values()) {
      const { name, startedAtMs, endedAtMs } = call;
      if (endedAtMs === undefined) this.#violation(`I9: ${name} was never answered`);
      else if (endedAtMs - startedAtMs > longestCallMs)
        this.#violation(`I9: ${name} took ${endedAtMs - startedAtMs} ms`);
      for (const item of call.items) this.#judge(name, item);
    }
  }

  #judge(name: string, { kind, id, outcome, applied }: WriteItem): void {
    const what = `${name} ${kind} ${id ?? ''}`;
    if (outcome === 'applied' && applied !== 1)
      this.#violation(`I6: ${what} was acknowledged and applied ${applied} times`);
    if (outcome === 'refused' && applied !== 0) this.#violation(`${what} was refused and is applied all the same`);
    if (outcome === 'noop' && applied !== 0) this.#violation(`${what} was answered as a noop and is applied`);
  }
}
