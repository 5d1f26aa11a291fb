/**
 * What stands between the two indices of a pair: differences that may not be meant, and properties of either that would lose
 * documents once it has the authority or holds the copies. Pure: one function per concern.
 */
import { sides } from '../../coordination/records.ts';
import { fitsLayout } from '../../coordination/stamp.ts';
import { differenceLines, mappingDifferences, settingDifferences, settingsOfTarget } from './difference.ts';
import type { Finding, PairFacts, PreflightFacts } from './facts.ts';
import { about } from './finding.ts';

/** Either side is the authority some day. */
const termFindings = (pair: PairFacts): Finding[] =>
  sides.flatMap((side) => {
    const index = pair[side];
    if (index === undefined || index.primaryTerm !== undefined) return [];
    return [
      about('privileges', side)(
        'warn',
        `primary terms of ${index.concreteName} are not told: when a primary fails with writes that no replica holds, an acknowledged write that one of them hid may be missing on the follower until its document is written again`,
        'grant cluster:monitor/state to the configured user',
      ),
    ];
  });

/**
 * A cluster that is killed forgets writes of the last seconds that it had acknowledged, and gives out their numbers again.
 * On the follower these are copies which the tail has passed and the ledger has counted.
 */
const durabilityFindings = ({ spec }: PreflightFacts, pair: PairFacts): Finding[] =>
  sides.flatMap((side) => {
    const index = pair[side];
    const settings = side === 'target' ? settingsOfTarget(spec, pair) : index?.settings;
    const durability = settings?.['index.translog.durability'];
    if (String(durability).toLowerCase() !== 'async') return [];
    const todo = 'set index.translog.durability to request until the migration is over';
    const say = about(`${side} index`, index?.concreteName ?? side);
    const lost = 'translog.durability is async, so a cluster that is killed forgets';
    return [
      side === 'target'
        ? say('refuse', `${lost} copies that it has acknowledged, and no count shows a missing update`, todo)
        : say('warn', `${lost} writes that it has acknowledged; after the cutover a rollback would miss them`, todo),
    ];
  });

export const pairFindings = (facts: PreflightFacts, ordinal: number, pair: PairFacts): Finding[] => {
  const { source, target } = pair;
  const name = facts.spec.indices[ordinal]?.source ?? '';
  const findings = [...termFindings(pair), ...durabilityFindings(facts, pair)];
  if (source !== undefined) {
    const parts = { reign: 1, term: source.primaryTerm ?? 1, seq: Math.max(0, source.maxSeqNo) };
    findings.push(
      about('stamps', name)(
        fitsLayout('wide', parts) ? 'ok' : 'refuse',
        `term ${parts.term}, sequence ${parts.seq}`,
        'reindex into a fresh index first',
      ),
    );
  }
  if (source === undefined || target === undefined) return findings;
  const say = about('differences', name);
  const mapping = mappingDifferences(source.mappings, target.mappings);
  const settings = settingDifferences(source.settings, target.settings);
  if (mapping.length > 0)
    findings.push(say('warn', `mapping: ${differenceLines(mapping)}`, 'make sure that each difference is meant'));
  if (settings.length > 0)
    findings.push(say('warn', `settings: ${differenceLines(settings)}`, 'make sure that each difference is meant'));
  if (source.routedDocs > 0 && source.shards !== target.shards)
    findings.push(
      about('routing', name)(
        'warn',
        `${source.routedDocs} documents have a routing and the shard counts differ`,
        'an id that stands under several routings would be one document on the target: the count proof then bars the cutover',
      ),
    );
  return findings;
};
