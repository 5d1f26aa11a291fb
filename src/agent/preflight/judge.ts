/**
 * The preflight's judgement: ok, warn or refuse for each thing that decides whether an index can be migrated without
 * losing a document. A refusal names its reason and what to do; nothing that cannot be done well is let through.
 * Pure: one function per concern, all of them in one list, one table of tests. Indices are in judge-index.ts, aliases in
 * judge-alias.ts, pairs in judge-pair.ts, pipelines in judge-pipelines.ts; here are the clusters, the store and the traffic.
 */
import { type Side, sides } from '../../coordination/records.ts';
import { isWhole } from '../control-answers.ts';
import type { Finding, PairFacts, PreflightFacts } from './facts.ts';
import { about } from './finding.ts';
import { aliasFindings } from './judge-alias.ts';
import { sourceFindings, targetFindings, unreadHealth } from './judge-index.ts';
import { pairFindings } from './judge-pair.ts';
import { pipelineFindings } from './judge-pipelines.ts';
import type { MissingPrivilege } from './privileges.ts';

const supported = (distribution: string, major: number, minor: number): boolean =>
  distribution === 'opensearch' ? major >= 1 && major <= 3 : major === 7 && minor === 10;

const privilegeFinding = (side: Side, { privilege, on, without }: MissingPrivilege): Finding => {
  const say = about('privileges', side);
  const reason = `missing: ${privilege}${on === undefined ? '' : ` on ${on}`}`;
  if (without === undefined) return say('refuse', reason, 'grant it to the configured user');
  return say('warn', reason, `grant it to the configured user; without it ${without}`);
};

const foreignShard = 'some index lacks a primary shard; the route needs its own indices only';

const setting = 'rest.action.multi.allow_explicit_index';
const explicitIndexTodo: Record<Side, string> = {
  source: `bulks that reach several indices of the route are sent once more for each; ${setting} is false`,
  target: `so are those of the application after the cutover, unless it names the index in the path: take ${setting}: false out`,
};

const clusterFindings = ({ clusters }: PreflightFacts): Finding[] =>
  sides.flatMap((side) => {
    const { info, problem, health, missingPrivileges, refusesExplicitIndex, clockSkewSeconds } = clusters[side];
    const say = about('cluster', side);
    if (info === undefined)
      return [say('refuse', `cannot be asked: ${problem ?? 'no answer'}`, 'check URL, TLS and credentials')];
    const version = `${info.distribution} ${info.version}`;
    return [
      supported(info.distribution, info.major, info.minor)
        ? say('ok', version)
        : say('refuse', `${version} is not supported`, 'use OpenSearch 1.x to 3.x or Elasticsearch 7.10'),
      isWhole(health)
        ? say('ok', `health ${health}`)
        : say('warn', ...(unreadHealth(health) ?? ([`health ${health}`, foreignShard] as const))),
      ...missingPrivileges.map((missing) => privilegeFinding(side, missing)),
      ...(refusesExplicitIndex
        ? [say('warn', 'bulks that name an index in a line are refused', explicitIndexTodo[side])]
        : []),
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

/** After the cutover a target's name is the route's; what the application has under it would be out of its reach. */
const namesakeFindings = ({ namesakes }: PreflightFacts): Finding[] =>
  namesakes.map((name) =>
    about('target index', name)(
      'refuse',
      'an index or alias of its own has this name on the source',
      'give the target another name, or take the other away',
    ),
  );

/** Twice the source's size: the copy, and merges while it is written. What the target holds already is written over. */
const bytesWanted = ({ source, target }: PairFacts): number =>
  Math.max(0, 2 * (source?.storeBytes ?? 0) - (target?.storeBytes ?? 0));

const diskFindings = ({ clusters, pairs }: PreflightFacts): Finding[] => {
  const needed = pairs.reduce((sum, pair) => sum + bytesWanted(pair), 0);
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

/** The module has to be there for the agents; where a person looks from it may be missing. */
const transformFindings = ({ spec, transform }: PreflightFacts): Finding[] => {
  if (transform === undefined) return [];
  const say = about('transform', spec.transform ?? '');
  const todo = 'it needs a default export and `inverse`, both functions, at the same path for each agent and worker';
  return transform.where === 'agent'
    ? [say('refuse', transform.problem, todo)]
    : [say('warn', `${transform.problem}, on this host`, todo)];
};

export const judge = (facts: PreflightFacts): Finding[] => [
  ...clusterFindings(facts),
  ...facts.pairs.flatMap((pair, ordinal) => {
    const names = facts.spec.indices[ordinal] ?? { source: '', target: '' };
    return [
      ...sourceFindings(facts, names.source, pair.source),
      ...targetFindings(facts, names.target, pair),
      ...pairFindings(facts, ordinal, pair),
      ...pipelineFindings(facts, ordinal, pair),
    ];
  }),
  ...aliasFindings(facts),
  ...namesakeFindings(facts),
  ...diskFindings(facts),
  ...storeFindings(facts),
  ...byQueryFindings(facts),
  ...transformFindings(facts),
];
