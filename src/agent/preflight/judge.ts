/**
 * The preflight's judgement: ok, warn or refuse for each thing that decides whether an index can be migrated without
 * losing a document. A refusal names its reason and what to do; nothing that cannot be done well is let through.
 * Pure: one function per concern, all of them in one list, one table of tests.
 */

import { type Side, sides } from '../../coordination/records.ts';
import { fitsLayout } from '../../coordination/stamp.ts';
import { differenceLines, mappingDifferences, settingDifferences, targetSettings } from './difference.ts';
import type { Finding, IndexFacts, Level, PairFacts, PreflightFacts } from './facts.ts';
import type { MissingPrivilege } from './privileges.ts';

type Say = (level: Level, reason: string, todo?: string) => Finding;
const about =
  (check: string, subject: string): Say =>
  (level, reason, todo) => ({
    check,
    level,
    about: subject,
    reason,
    ...(todo === undefined || level === 'ok' ? {} : { todo }),
  });

const supported = (distribution: string, major: number, minor: number): boolean =>
  distribution === 'opensearch' ? major >= 1 && major <= 3 : major === 7 && minor === 10;

const privilegeFinding = (side: Side, { privilege, on, without }: MissingPrivilege): Finding => {
  const say = about('privileges', side);
  const reason = `missing: ${privilege}${on === undefined ? '' : ` on ${on}`}`;
  if (without === undefined) return say('refuse', reason, 'grant it to the configured user');
  return say('warn', reason, `grant it to the configured user; without it ${without}`);
};

const clusterFindings = ({ clusters }: PreflightFacts): Finding[] =>
  sides.flatMap((side) => {
    const { info, problem, health, missingPrivileges, clockSkewSeconds } = clusters[side];
    const say = about('cluster', side);
    if (info === undefined)
      return [say('refuse', `cannot be asked: ${problem ?? 'no answer'}`, 'check URL, TLS and credentials')];
    const version = `${info.distribution} ${info.version}`;
    return [
      supported(info.distribution, info.major, info.minor)
        ? say('ok', version)
        : say('refuse', `${version} is not supported`, 'use OpenSearch 1.x to 3.x or Elasticsearch 7.10'),
      health === 'green' || health === 'yellow'
        ? say('ok', `health ${health}`)
        : say('refuse', `health ${health}`, 'bring every primary shard back first'),
      ...missingPrivileges.map((missing) => privilegeFinding(side, missing)),
      ...(Math.abs(clockSkewSeconds ?? 0) > 30
        ? [
            about('clocks', side)(
              'warn',
              `clock differs by ${Math.round(clockSkewSeconds ?? 0)} s`,
              'date-math index names are resolved by the sidecar: set the clocks',
            ),
          ]
        : []),
    ];
  });

/** What makes any index unfit, on the side that is read. */
const sourceFindings = (facts: PreflightFacts, name: string, index: IndexFacts | undefined): Finding[] => {
  const say = about('source index', name);
  if (index === undefined) return [say('refuse', 'does not exist', 'create it or correct the name')];
  const findings: Finding[] = [];
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
  if (
    Object.keys(index.aliases).some(
      (alias) => /^crossfade-.+-c\d+(-\d+)?$/.test(alias) && !alias.startsWith(`crossfade-${facts.spec.route}-`),
    )
  )
    refuse('is the follower of another route', 'finish or delete that route first');
  if (
    index.largestVersion > 2n ** 48n &&
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

const targetFindings = ({ spec }: PreflightFacts, name: string, index: IndexFacts | undefined): Finding[] => {
  const say = about('target index', name);
  if (index === undefined)
    return [
      spec.createTarget
        ? say('ok', 'will be created')
        : say('refuse', 'does not exist', 'create it, or set createTarget: true'),
    ];
  const findings: Finding[] = [];
  if (index.concreteName !== name)
    findings.push(say('refuse', `is an alias of ${index.concreteName}`, 'name the concrete index'));
  const pipeline = index.settings['index.final_pipeline'];
  if (pipeline !== undefined && pipeline !== '_none')
    findings.push(
      say(
        'refuse',
        `has the final pipeline ${pipeline}`,
        'it would change every copy: remove it until the migration is over',
      ),
    );
  if (index.settings['index.blocks.write'] === 'true')
    findings.push(say('refuse', 'is write-blocked', 'remove the block'));
  const source = index.mappings['_source'] as { enabled?: boolean } | undefined;
  if (source?.enabled === false) findings.push(say('refuse', '_source is disabled', 'the way back needs it'));
  return findings.length > 0 ? findings : [say('ok', `${index.shards} shards`)];
};

const aliasFindings = ({ spec }: PreflightFacts, ordinal: number, index: IndexFacts | undefined): Finding[] => {
  if (index === undefined) return [];
  const listed = new Map(spec.aliases.map((alias) => [alias.name, alias]));
  const source = spec.indices[ordinal]?.source ?? '';
  return Object.entries(index.aliases)
    .filter(([alias]) => !alias.startsWith('crossfade-'))
    .flatMap(([alias, body]) => {
      const say = about('alias', alias);
      const own = listed.get(alias);
      const routing = body.index_routing ?? body.search_routing;
      if (body.filter !== undefined)
        return [say('refuse', 'has a filter', 'reads through it cannot be moved faithfully: use a plain alias')];
      if (own === undefined)
        return [
          say(
            'refuse',
            `points at ${source} and is not listed`,
            `requests through it would go past the route: add it under aliases`,
          ),
        ];
      if (routing !== own.routing)
        return [
          say(
            'refuse',
            `carries the routing ${routing ?? 'none'} and the route says ${own.routing ?? 'none'}`,
            'set routing on the alias in the route',
          ),
        ];
      return [say('ok', 'listed')];
    });
};

const pipelineFindings = (name: string, index: IndexFacts | undefined): Finding[] =>
  ['index.default_pipeline', 'index.final_pipeline']
    .filter((key) => index?.settings[key] !== undefined && index.settings[key] !== '_none')
    .map((key) =>
      about('pipelines', name)(
        'warn',
        `${key} is ${index?.settings[key]}: each write is read back before it is copied`,
        'expect one more request per write; a pipeline that reads _index finds the alias that members write through',
      ),
    );

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
    const created = side === 'target' && index === undefined ? targetSettings(spec.targetSettings) : {};
    const durability = (index?.settings ?? created)['index.translog.durability'];
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

const pairFindings = (facts: PreflightFacts, ordinal: number, pair: PairFacts): Finding[] => {
  const { source, target } = pair;
  const name = facts.spec.indices[ordinal]?.source ?? '';
  const findings = [...pipelineFindings(name, source), ...termFindings(pair), ...durabilityFindings(facts, pair)];
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

/** Twice the source's size: the copy, and merges while it is written. */
const diskFindings = ({ clusters, pairs }: PreflightFacts): Finding[] => {
  const needed = 2 * pairs.reduce((sum, pair) => sum + (pair.source?.storeBytes ?? 0), 0);
  const free = clusters.target.freeDiskBytes;
  if (free === undefined) return [];
  const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;
  const say = about('disk', 'target');
  return [
    free >= needed
      ? say('ok', `${megabytes(free)} free`)
      : say('refuse', `${megabytes(free)} free, ${megabytes(needed)} wanted`, 'add disk to the target'),
  ];
};

const storeFindings = ({ store }: PreflightFacts): Finding[] => {
  const say = about('store', store.kind);
  if (!store.connected) return [say('refuse', store.detail, 'bring the store back')];
  if (store.kind === 'file' && store.members > 1)
    return [say('refuse', 'the embedded store serves one replica', 'configure NATS')];
  return [say('ok', store.detail)];
};

const byQueryFindings = ({ byQuerySeen }: PreflightFacts): Finding[] =>
  byQuerySeen === 0
    ? []
    : [
        about('by-query', 'traffic')(
          'warn',
          `${byQuerySeen} by-query or reindex requests under way`,
          'each needs a sweep, and a cutover waits for them',
        ),
      ];

export const judge = (facts: PreflightFacts): Finding[] => [
  ...clusterFindings(facts),
  ...facts.pairs.flatMap((pair, ordinal) => {
    const names = facts.spec.indices[ordinal] ?? { source: '', target: '' };
    return [
      ...sourceFindings(facts, names.source, pair.source),
      ...targetFindings(facts, names.target, pair.target),
      ...aliasFindings(facts, ordinal, pair.source),
      ...pairFindings(facts, ordinal, pair),
    ];
  }),
  ...diskFindings(facts),
  ...storeFindings(facts),
  ...byQueryFindings(facts),
];
