/** What the preflight knows of a route before it judges: facts only, gathered by gather.ts, judged by judge.ts. */
import type { Side } from '../../coordination/records.ts';
import type { RouteSpec } from '../../coordination/route-spec.ts';
import type { AliasBody, ClusterInfo, IndexHealth } from '../control-answers.ts';
import type { DocAddress } from '../document-calls.ts';
import type { PipelineKind } from './pipeline-kind.ts';
import type { MissingPrivilege } from './privileges.ts';

export type IndexFacts = {
  /** Differs from the name asked for when that was an alias or a data stream. */
  concreteName: string;
  uuid: string;
  health: IndexHealth;
  shards: number;
  mappings: Record<string, unknown>;
  /** Flat keys, as the cluster prints them. */
  settings: Record<string, unknown>;
  aliases: Record<string, AliasBody>;
  seqSearchable: boolean;
  maxSeqNo: number;
  /** The highest of its shards; undefined when the cluster does not tell it to this user. */
  primaryTerm: number | undefined;
  storeBytes: number;
  /** Undefined when some shard did not say. */
  docs: number | undefined;
  /** Documents with a routing value. */
  routedDocs: number;
  /** Largest version among a sample: the application's own external versions, or stamps of another migration, are huge. */
  largestVersion: bigint;
  /** That sample. */
  sample: readonly DocAddress[];
};
export type ClusterFacts = {
  info: ClusterInfo | undefined;
  /** Why the cluster could not be asked. */
  problem: string | undefined;
  /** Of all its indices; `denied` when this user may not ask. */
  health: string;
  freeDiskBytes: number | undefined;
  /** Difference of the cluster's clock to ours. */
  clockSkewSeconds: number | undefined;
  missingPrivileges: readonly MissingPrivilege[];
  /** Its bulks must not name indices in their lines. */
  refusesExplicitIndex: boolean;
};
export type PairFacts = Record<Side, IndexFacts | undefined> & {
  /** Of some documents of the target: how many the source has too. Undefined when nobody looked. */
  targetSample?: { docs: number; onSource: number } | undefined;
};
export type StoreFacts = { kind: 'nats' | 'file'; connected: boolean; detail: string; members: number };
/** By index that carries an alias: how it does. */
export type AliasHolders = Readonly<Record<string, AliasBody>>;
export type PreflightFacts = {
  spec: RouteSpec;
  clusters: Record<Side, ClusterFacts>;
  pairs: readonly PairFacts[];
  /** Each listed alias as it is on the source; undefined when nobody could look. */
  aliases: ReadonlyMap<string, AliasHolders> | undefined;
  /** The default pipelines that the indices of a side name, by id; undefined = it is not there. Unread ones are left out. */
  pipelines: Record<Side, Record<PipelineKind, ReadonlyMap<string, unknown>>>;
  /** Targets that something else on the source's cluster is called like. */
  namesakes: readonly string[];
  store: StoreFacts;
  /** The route has been in `dual`, as far as the store tells. */
  copiedBefore: boolean;
  /** By-query and reindex requests that members have seen. */
  byQuerySeen: number;
  /** Why the route's transform cannot be used where it was tried, if so. */
  transform?: { problem: string; where: 'agent' | 'here' } | undefined;
};

export type Level = 'ok' | 'warn' | 'refuse';
/** `about` names the side or index; `todo` says what to do when the level is not ok. */
export type Finding = { check: string; level: Level; about: string; reason: string; todo?: string };
export const worst = (findings: readonly Finding[]): Level =>
  findings.some(({ level }) => level === 'refuse')
    ? 'refuse'
    : findings.some(({ level }) => level === 'warn')
      ? 'warn'
      : 'ok';
