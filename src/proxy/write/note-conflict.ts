/**
 * Tells who reads that the authority refused a write because the document is not as its client has read it. Told before the
 * client is answered, so that what it reads next comes from the authority (recent-conflicts.ts).
 */
import { followerServesReads } from '../../coordination/effective.ts';
import type { RoutedIndex } from '../types.ts';
import type { WriteDeps } from './ports.ts';
import type { WriteOp } from './post-image.ts';

type Answered = { op: WriteOp; status: number | undefined; id: string | undefined; routing: string | undefined };

/** A create has read nothing. */
export const noteConflict = (
  { onConflict }: Pick<WriteDeps, 'onConflict'>,
  { state, ordinal }: RoutedIndex,
  { op, status, id, routing }: Answered,
): void => {
  if (status !== 409 || op === 'create' || id === undefined || !followerServesReads(state)) return;
  onConflict?.({ slug: state.slug, ordinal, id, routing });
};
