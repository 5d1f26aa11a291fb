/**
 * Turns writes that the authority applied into copies and offers them. What is known at once is offered before anything
 * is awaited, so that a client which has its answer finds its document marked as pending. Never throws: a write without a
 * copy is put on record instead (unknown outcome, sweep needed), for the tail and the sweep to mend.
 */
import type { DocKey, RouteState } from '../../coordination/ports.ts';
import { fitsLayout, packStamp } from '../../coordination/stamp.ts';
import { documentLine } from '../../json/document-line.ts';
import { authorityOf, concreteName } from './names.ts';
import type { WriteDeps } from './ports.ts';
import type { PostImage } from './post-image.ts';
import { settleOvertaken } from './overtaken.ts';
import { type BackRead, type Position, readBack } from './read-back.ts';

export type AppliedWrite = {
  readonly ordinal: number;
  readonly id: string;
  readonly routing: string | undefined;
  readonly image: Exclude<PostImage, { kind: 'none' | 'unknown' }>;
  readonly position: Position;
};

export type CopyBatch = {
  readonly state: RouteState;
  readonly writes: readonly AppliedWrite[];
  /** The client asked for a refresh and reads may be served by the follower. */
  readonly refresh: 'true' | 'wait_for' | undefined;
  /** Credentials of the client, for reading back. */
  readonly headers: Record<string, string | string[]>;
};

/** With versions of the application's own, the version is the stamp; else the authority's order is. */
const stampOf = ({ spec, phase }: RouteState, { seq, term, version }: Position): bigint | undefined => {
  if (spec.versions === 'external')
    return version === undefined || !/^\d+$/.test(version) ? undefined : BigInt(version);
  if (seq === undefined || term === undefined || !Number.isSafeInteger(seq) || !Number.isSafeInteger(term))
    return undefined;
  const parts = { reign: phase.reign, term, seq };
  return fitsLayout(phase.layout, parts) ? packStamp(phase.layout, parts) : undefined;
};

const keyOf = ({ state }: CopyBatch, { ordinal, id, routing }: AppliedWrite): DocKey => ({
  slug: state.slug,
  ordinal,
  id,
  routing,
});

type Content = { op: 'index'; source: Uint8Array } | { op: 'delete' };

const offer = (
  deps: WriteDeps,
  batch: CopyBatch,
  { write, content, position }: { write: AppliedWrite; content: Content; position: Position },
): Promise<unknown> => {
  const { state, refresh } = batch;
  const stamp = stampOf(state, position);
  if (stamp === undefined) {
    recordOverflow(deps, batch, { write, mayDelete: content.op === 'delete' });
    return Promise.resolve();
  }
  const { epoch, reign } = state.phase;
  return deps.copies.offer({ ...keyOf(batch, write), epoch, reign, stamp, refresh, ...content }, state);
};

type Overflow = { write: AppliedWrite; mayDelete: boolean };
const recordOverflow = (deps: WriteDeps, batch: CopyBatch, { write, mayDelete }: Overflow): void => {
  const { slug, phase } = batch.state;
  deps.onEvent?.({ kind: 'stamp_overflow', slug });
  deps.copies.notCopied({ ...keyOf(batch, write), reign: phase.reign, stamp: undefined });
  deps.copies.unknownOutcome(slug, mayDelete);
};

/**
 * Resolves once every copy's fate is known. Thousands may wait while the follower is away, so a single copy is no more
 * than the promise of its queue.
 */
export const settleCopies = (deps: WriteDeps, batch: CopyBatch): Promise<unknown> => {
  const pending: Promise<unknown>[] = [];
  const toRead: AppliedWrite[] = [];
  for (const write of batch.writes) {
    const { image, position } = write;
    if (image.kind === 'read_back') toRead.push(write);
    else {
      const content: Content = image.kind === 'delete' ? { op: 'delete' } : { op: 'index', source: image.source };
      pending.push(offer(deps, batch, { write, content, position }));
    }
  }
  if (toRead.length > 0) pending.push(offerReadBack(deps, batch, toRead));
  return pending.length === 1 ? (pending[0] as Promise<unknown>) : Promise.all(pending);
};

const placeOf = ({ id, routing }: AppliedWrite, { seq, term }: Position): string =>
  JSON.stringify([id, routing, seq, term]);

/**
 * Only a write that was answered is known to be on every replica. What shows another number may be on the primary alone
 * and be lost with it, and a copy of it would then bar the write that was acknowledged.
 */
const isUnanswered = (write: AppliedWrite, read: Position, answered: ReadonlySet<string>): boolean =>
  write.position.seq !== undefined && !answered.has(placeOf(write, read));

/** The write was applied and cannot be copied; the tail finds what has become of it, unless it was deleted. */
const leave = (deps: WriteDeps, batch: CopyBatch, { write, read }: { write: AppliedWrite; read: BackRead }): void => {
  const { slug, phase } = batch.state;
  const { reign } = phase;
  deps.copies.leftToTail(slug, { reign, ordinal: write.ordinal, writes: 1 });
  // Deleted since by somebody whose copy we do not know of: what it is now is told by that one.
  if (read.kind === 'absent') return deps.copies.sweepNeeded(slug, 'unknown_delete');
  deps.copies.notCopied({ ...keyOf(batch, write), reign, stamp: stampOf(batch.state, write.position) });
  deps.copies.unknownOutcome(slug, false);
};

const offerReadBack = async (deps: WriteDeps, batch: CopyBatch, writes: readonly AppliedWrite[]): Promise<void> => {
  const byOrdinal = Map.groupBy(writes, (write) => write.ordinal);
  await Promise.all([...byOrdinal].map(([ordinal, group]) => offerGroup(deps, batch, { ordinal, group })));
};

const offerGroup = async (
  deps: WriteDeps,
  batch: CopyBatch,
  { ordinal, group }: { ordinal: number; group: readonly AppliedWrite[] },
): Promise<void> => {
  const { state, headers } = batch;
  const reads = await readBack({
    transport: deps.transports[authorityOf(state)],
    index: concreteName(state, ordinal),
    docs: group,
    headers,
    maxBodyBytes: deps.limits.maxBodyBytes,
  });
  const failed = reads.filter((read) => read.kind === 'failed').length;
  deps.onEvent?.({ kind: 'read_back', slug: state.slug, documents: reads.length, failed });
  const answered = new Set(group.map((write) => placeOf(write, write.position)));
  await Promise.all(
    reads.map((read, i) => {
      const write = group[i] as AppliedWrite;
      const source = read.kind === 'found' ? documentLine(read.source) : undefined;
      if (read.kind !== 'found' || source === undefined) return leave(deps, batch, { write, read });
      const { routing, position } = read;
      if (isUnanswered(write, position, answered)) {
        const stamp = stampOf(state, write.position);
        if (stamp === undefined) return leave(deps, batch, { write, read });
        return settleOvertaken(deps, state, { ordinal, id: write.id, routing, stamp, headers });
      }
      return offer(deps, batch, { write: { ...write, routing }, content: { op: 'index', source }, position });
    }),
  );
};
