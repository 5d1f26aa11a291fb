/**
 * Pure: in which reign may a stay in `dual` begin? Stamps compare only within one story of the source: an index that was
 * made anew, or restored, gives its numbers out again, and what the target still has of the story before would be taken for
 * newer than each copy. So such a stay gets a reign of its own, whose stamps are above all that stand there. Invariant: in
 * one reign all stamps on the follower are of one story of its authority.
 */
import type { PhaseRecord, Side } from '../../coordination/records.ts';
import { maxReign, unpackStamp } from '../../coordination/stamp.ts';
import type { IndexPosition } from '../positions.ts';

/** The story of an index: what its sequence numbers belong to. */
export type Story = Pick<IndexPosition, 'uuid' | 'histories'>;
/** Whose stamps an earlier stay, or the switch before this one, has sent. By ordinal. */
export type Origin = { reign: number; authority: Side; indices: readonly Story[] };
export type StayFacts = {
  record: Pick<PhaseRecord, 'reign' | 'layout'>;
  known: readonly Origin[];
  /** Of the source as it is now, by ordinal. */
  present: readonly Story[];
  /** Largest version seen on the target. */
  largestVersion: bigint;
};
export type StayReign = { kind: 'same' | 'next' } | { kind: 'none'; reason: string };

const sameHistory = (one: string, two: string): boolean => one === two || one === '' || two === '';

const sameStory = (one: Story, two: Story | undefined): boolean =>
  two !== undefined &&
  one.uuid === two.uuid &&
  one.histories.length === two.histories.length &&
  one.histories.every((history, shard) => sameHistory(history, two.histories[shard] as string));

const isOf = ({ reign, authority, indices }: Origin, record: StayFacts['record'], now: readonly Story[]): boolean =>
  reign === record.reign &&
  authority === 'source' &&
  indices.length === now.length &&
  indices.every((story, ordinal) => sameStory(story, now[ordinal]));

const ofReign = ({ known, record }: Pick<StayFacts, 'known' | 'record'>): Origin[] =>
  known.filter(({ reign }) => reign === record.reign);

/** Whether what was sent in this reign is of the source as it is now. */
export const isSameSource = (facts: Omit<StayFacts, 'largestVersion'>): boolean => {
  const sent = ofReign(facts);
  return sent.length > 0 && sent.every((origin) => isOf(origin, facts.record, facts.present));
};

/** For a target that is not as good as new, in a route whose copies carry stamps. */
export const reignOfStay = (facts: StayFacts): StayReign => {
  if (isSameSource(facts)) return { kind: 'same' };
  const { record, largestVersion } = facts;
  const reaches = unpackStamp(record.layout, largestVersion).reign;
  if (reaches > record.reign)
    return { kind: 'none', reason: `has versions above every stamp of reign ${record.reign + 1}` };
  if (ofReign(facts).length === 0 && reaches < record.reign) return { kind: 'same' };
  if (record.reign >= maxReign(record.layout)) return { kind: 'none', reason: 'has used up every reign' };
  return { kind: 'next' };
};
