/**
 * Whose documents a target holds. The sweep deletes from it whatever the source lacks, and the backfill overwrites equal
 * ids: an index that somebody else uses, named by mistake, would be emptied. What this route copied shows by the aliases
 * that its earlier stays left on that very index, or by stamps; what was filled from the source on purpose, by a sample of
 * its documents. Pure. Invariant: an index of nobody knows whom is emptied only where the route allows it in words.
 */
import { parseEpochAlias } from '../../coordination/keys.ts';
import { unpackStamp } from '../../coordination/stamp.ts';
import { isWhole } from '../control-answers.ts';
import type { Finding, IndexFacts, PairFacts, PreflightFacts } from './facts.ts';
import type { Say } from './finding.ts';

/** Every stamp of the wide layout is above those of the narrow one. */
const isStamp = (version: bigint): boolean => unpackStamp('narrow', version).reign > 0;

const carriesAliasOf = ({ aliases }: IndexFacts, slug: string): boolean =>
  Object.keys(aliases).some((name) => parseEpochAlias(name)?.slug === slug);

type Known = Pick<PreflightFacts, 'spec' | 'copiedBefore'>;

/** An alias alone may be of a try that never came to copies; a record alone may be of another target. */
const isOfRoute = (index: IndexFacts, { spec, copiedBefore }: Known): boolean =>
  (copiedBefore && carriesAliasOf(index, spec.route)) ||
  (spec.versions === 'internal' && isStamp(index.largestVersion));

/** A snapshot, or a `_reindex`, has what the source has, but for what was deleted since. */
const isCopyOfSource = (sample: PairFacts['targetSample']): boolean =>
  sample !== undefined && 2 * sample.onSource > sample.docs;

export const contentFindings = (
  say: Say,
  index: IndexFacts,
  facts: Known & Pick<PairFacts, 'targetSample'>,
): Finding[] => {
  const { docs } = index;
  if (docs === 0 || isOfRoute(index, facts)) return [];
  // One that is not whole is refused by its health.
  if (docs === undefined)
    return isWhole(index.health) ? [say('refuse', 'its documents could not be counted', 'try again')] : [];
  const holds = `holds ${docs} documents that this route did not copy there`;
  if (facts.spec.targetDocuments === 'replace' || isCopyOfSource(facts.targetSample))
    return [
      say(
        'warn',
        `${holds}, and those that the source lacks will be deleted`,
        'make sure that nobody else uses this index',
      ),
    ];
  return [
    say(
      'refuse',
      `${holds}, and the source has at most half of a sample of them: the sweep would delete the others`,
      'name another target or delete this index; if all of it may go, set targetDocuments: replace',
    ),
  ];
};
