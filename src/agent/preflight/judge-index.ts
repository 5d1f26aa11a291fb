/**
 * What makes one index unfit to be migrated, as the source or as the target. Pure: one function per concern.
 */
import { parseEpochAlias } from '../../coordination/keys.ts';
import type { Finding, IndexFacts, PreflightFacts } from './facts.ts';
import { about, type Say } from './finding.ts';
import { isWhole } from '../control-answers.ts';

const isCopyAliasOfAnother = (name: string, slug: string): boolean => {
  const alias = parseEpochAlias(name);
  return alias !== undefined && alias.use === 'copies' && alias.slug !== slug;
};

/** No application counts so far; an application that sets versions itself, often from a clock, soon does. */
const largestCountedVersion = 2n ** 48n;

/** What is unknown is no shard that is lost: the one needs a right or an answer, the other a node. */
export const unreadHealth = (health: string): readonly [reason: string, todo: string] | undefined => {
  if (health === 'denied') return ['health cannot be read', 'grant cluster:monitor/health to the configured user'];
  if (health === 'unreachable') return ['health cannot be read', 'the cluster gave no answer in time: try again'];
  return undefined;
};

/** Without one of its primaries counts mean nothing. */
const healthFindings = (say: Say, { health }: IndexFacts): Finding[] =>
  isWhole(health)
    ? []
    : [
        say(
          'refuse',
          ...(unreadHealth(health) ?? ([`health ${health}`, 'bring every primary shard back first'] as const)),
        ),
      ];

/** What makes any index unfit, on the side that is read. */
export const sourceFindings = (facts: PreflightFacts, name: string, index: IndexFacts | undefined): Finding[] => {
  const say = about('source index', name);
  if (index === undefined) return [say('refuse', 'does not exist', 'create it or correct the name')];
  const findings = healthFindings(say, index);
  const source = index.mappings['_source'] as { enabled?: boolean; includes?: unknown; excludes?: unknown } | undefined;
  const refuse = (reason: string, todo: string) => findings.push(say('refuse', reason, todo));
  if (index.concreteName.startsWith('.ds-')) refuse('is a data stream', 'data streams cannot be migrated yet');
  else if (index.concreteName !== name)
    refuse(`is an alias of ${index.concreteName}`, `put ${index.concreteName} under indices and ${name} under aliases`);
  if (source?.enabled === false)
    refuse('_source is disabled', 'documents cannot be copied without _source: reindex from the primary data instead');
  if (source?.includes !== undefined || source?.excludes !== undefined)
    refuse('_source is filtered', 'parts of documents are not stored and cannot be copied');
  if (!index.seqSearchable)
    refuse('_seq_no cannot be searched', 'the tail needs it: use a version that keeps sequence numbers');
  if (index.settings['index.append_only.enabled'] === 'true')
    refuse('is append-only', 'it takes no client ids, so copies cannot be stamped');
  if (Object.keys(index.aliases).some((alias) => isCopyAliasOfAnother(alias, facts.spec.route)))
    refuse('is the follower of another route', 'finish or delete that route first');
  if (
    index.largestVersion > largestCountedVersion &&
    facts.spec.versions === 'internal' &&
    facts.clusters.source.info !== undefined
  )
    findings.push(
      say(
        'warn',
        'documents carry very large versions',
        'if the application sets external versions itself, set versions: external',
      ),
    );
  return findings.length > 0 ? findings : [say('ok', `${index.shards} shards`)];
};

export const targetFindings = ({ spec }: PreflightFacts, name: string, index: IndexFacts | undefined): Finding[] => {
  const say = about('target index', name);
  if (index === undefined)
    return [
      spec.createTarget
        ? say('ok', 'will be created')
        : say('refuse', 'does not exist', 'create it, or set createTarget: true'),
    ];
  const findings = healthFindings(say, index);
  if (index.concreteName !== name)
    findings.push(say('refuse', `is an alias of ${index.concreteName}`, 'name the concrete index'));
  if (index.settings['index.blocks.write'] === 'true')
    findings.push(say('refuse', 'is write-blocked', 'remove the block'));
  const source = index.mappings['_source'] as { enabled?: boolean; includes?: unknown; excludes?: unknown } | undefined;
  if (source?.enabled === false) findings.push(say('refuse', '_source is disabled', 'the way back needs it'));
  if (source?.includes !== undefined || source?.excludes !== undefined)
    findings.push(say('refuse', '_source is filtered', 'the way back would copy documents with parts missing'));
  return findings.length > 0 ? findings : [say('ok', `${index.shards} shards`)];
};
