/**
 * What makes one index unfit to be migrated, as the source or as the target. Pure: one function per concern.
 */
import { type EpochAlias, parseEpochAlias } from '../../coordination/keys.ts';
import type { Finding, IndexFacts, PairFacts, PreflightFacts } from './facts.ts';
import { about, type Say } from './finding.ts';
import { isWhole } from '../control-answers.ts';
import { contentFindings } from './judge-contents.ts';

type Foreign = EpochAlias & { name: string };
/** Aliases by which another route writes or copies to this index. */
const aliasesOfOthers = ({ aliases }: IndexFacts, slug: string): Foreign[] =>
  Object.keys(aliases).flatMap((name) => {
    const alias = parseEpochAlias(name);
    return alias === undefined || alias.slug === slug ? [] : [{ name, ...alias }];
  });

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
  const followed = aliasesOfOthers(index, facts.spec.route).find(({ use }) => use === 'copies');
  if (followed !== undefined)
    refuse(
      `is the follower of route ${followed.slug}, by its alias ${followed.name}`,
      `finish that route first; if it is gone and none of its processes runs, remove the alias`,
    );
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

/** The sweep takes away from a target whatever the source of its own route lacks. */
const targetOfAnother = (say: Say, index: IndexFacts, slug: string): Finding[] =>
  aliasesOfOthers(index, slug)
    .slice(0, 1)
    .map(({ slug: other, use, name }) =>
      say(
        'refuse',
        `takes ${use} of route ${other}, by its alias ${name}`,
        `name another target; if route ${other} is gone and none of its processes runs, remove the alias`,
      ),
    );

export const targetFindings = (facts: PreflightFacts, name: string, pair: PairFacts): Finding[] => {
  const { spec } = facts;
  const { target: index, targetSample } = pair;
  const say = about('target index', name);
  if (index === undefined)
    return [
      spec.createTarget
        ? say('ok', 'will be created')
        : say('refuse', 'does not exist', 'create it, or set createTarget: true'),
    ];
  const findings = [
    ...healthFindings(say, index),
    ...targetOfAnother(say, index, spec.route),
    ...contentFindings(say, index, { ...facts, targetSample }),
  ];
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
