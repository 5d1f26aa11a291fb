/**
 * The storage rules of an OpenSearch cluster that a migration leans on, deterministic and in memory: sequence numbers and
 * terms per shard, internal and external versions, tombstones that can vanish, aliases with one write index, write
 * blocks, refresh. Used by the simulation; test/integration/sim holds it against a real cluster, case by case.
 * A document's source is kept as text and given back as it came.
 */
export type Doc = {
  id: string;
  routing: string | undefined;
  source: string;
  seq: number;
  term: number;
  version: bigint;
};
type Tombstone = { version: bigint; at: number };
/** A write on the primary that its replicas do not hold yet: what it replaced, should the primary fail. */
type Unreplicated = { seq: number; id: string; doc: Doc | undefined; tombstone: Tombstone | undefined };
type Shard = {
  nextSeq: number;
  docs: Map<string, Doc>;
  tombstones: Map<string, Tombstone>;
  visible: Map<string, Doc>;
  unreplicated: Unreplicated[];
  /** Sequence numbers below it survive a failure of the primary. */
  durable: number;
};
export type Index = {
  name: string;
  uuid: string;
  shards: Shard[];
  term: number;
  blocked: boolean;
  hidden: boolean;
  autoCreated: boolean;
};

export type WriteOp = {
  op: 'index' | 'create' | 'update' | 'delete';
  index: string;
  id: string;
  routing?: string | undefined;
  source?: string | undefined;
  version?: bigint | undefined;
  external?: boolean;
  /** An external version takes the place of an equal one too. */
  orEqual?: boolean;
  ifSeqNo?: number | undefined;
  ifTerm?: number | undefined;
  requireAlias?: boolean;
  /** Concrete index that the name stood for when the request was resolved; it is not looked up again. */
  resolved?: string | undefined;
};
/** One write as a shard applied it; told to whoever watches the storage. */
export type Applied = {
  index: string;
  op: WriteOp;
  before: Doc | undefined;
  after: Doc | undefined;
  seq: number;
  term: number;
  version: bigint;
};
export type WriteAnswer = {
  status: number;
  index: string;
  result?: 'created' | 'updated' | 'deleted' | 'not_found' | 'noop';
  doc?: { seq: number; term: number; version: bigint };
  source?: string;
  error?: { type: string; reason: string };
};

export type AliasProblem = { kind: 'missing' | 'two_write_indices'; name: string };

const gcDeletesMs = 60_000;

/** Any stable spread over shards will do: placement is never compared between clusters. */
const spread = (text: string): number => {
  let hash = 2166136261;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  return hash >>> 0;
};

export class Storage {
  readonly indices = new Map<string, Index>();
  readonly aliases = new Map<string, Set<string>>();
  readonly #now: () => number;
  readonly #shards: number;
  /** Writes stay open to be lost by `failOver` until `replicate` is called. */
  readonly #replicateLater: boolean;
  onApplied: (applied: Applied) => void = () => undefined;
  onLost: (lost: { index: string; seq: number; term: number; id: string }) => void = () => undefined;
  /** Why this cluster refuses a document, as a mapping does. */
  refusal: (source: string) => string | undefined = () => undefined;
  #uuids = 0;

  constructor(options: { now: () => number; shards?: number; replicateLater?: boolean }) {
    this.#now = options.now;
    this.#shards = options.shards ?? 2;
    this.#replicateLater = options.replicateLater ?? false;
  }

  createIndex(
    name: string,
    options: { hidden?: boolean; blocked?: boolean; shards?: number; autoCreated?: boolean } = {},
  ): Index {
    const shards = Array.from({ length: options.shards ?? this.#shards }, () => ({
      nextSeq: 0,
      docs: new Map<string, Doc>(),
      tombstones: new Map<string, Tombstone>(),
      visible: new Map<string, Doc>(),
      unreplicated: [],
      durable: 0,
    }));
    const index = {
      name,
      uuid: `uuid-${++this.#uuids}`,
      shards,
      term: 1,
      blocked: options.blocked ?? false,
      hidden: options.hidden ?? false,
      autoCreated: options.autoCreated ?? false,
    };
    this.indices.set(name, index);
    return index;
  }

  deleteIndex(name: string): boolean {
    for (const holders of this.aliases.values()) holders.delete(name);
    return this.indices.delete(name);
  }

  /** The concrete index behind a name, or undefined. An alias here always has one holder: its write index. */
  resolve(name: string): Index | undefined {
    const holder = [...(this.aliases.get(name) ?? [])][0];
    return this.indices.get(holder ?? name);
  }

  /** All actions at once, or none: then what is wrong. Every alias here is added as a write index. */
  updateAliases(
    actions: readonly { kind: 'add' | 'remove'; index: string; alias: string; mustExist?: boolean }[],
  ): AliasProblem | undefined {
    for (const { kind, index, alias, mustExist } of actions) {
      if (!this.indices.has(index)) return { kind: 'missing', name: index };
      // A missing alias is an error only when it must exist: otherwise the removal is left out.
      if (kind === 'remove' && mustExist && !this.aliases.get(alias)?.has(index))
        return { kind: 'missing', name: alias };
    }
    const changed = new Map<string, Set<string>>();
    for (const { kind, index, alias } of actions) {
      const holders = changed.get(alias) ?? new Set(this.aliases.get(alias));
      if (kind === 'add') holders.add(index);
      else holders.delete(index);
      changed.set(alias, holders);
    }
    for (const [alias, holders] of changed) if (holders.size > 1) return { kind: 'two_write_indices', name: alias };
    for (const [alias, holders] of changed)
      if (holders.size === 0) this.aliases.delete(alias);
      else this.aliases.set(alias, holders);
    return undefined;
  }

  write(op: WriteOp): WriteAnswer {
    const found = op.resolved === undefined ? this.resolve(op.index) : this.indices.get(op.resolved);
    // `require_alias` never applies to deletes; a delete by external version creates a missing index like any write.
    if (op.requireAlias && op.resolved === undefined && op.op !== 'delete' && !this.aliases.has(op.index))
      return this.#error(
        404,
        op.index,
        'index_not_found_exception',
        `no such index [${op.index}] and [require_alias] request flag is [true] and [${op.index}] is not an alias`,
      );
    if (found === undefined && op.op === 'delete' && !op.external)
      return this.#error(404, op.index, 'index_not_found_exception', `no such index [${op.index}]`);
    const index = found ?? this.createIndex(op.index, { autoCreated: true });
    if (index.blocked)
      return this.#error(
        403,
        index.name,
        'cluster_block_exception',
        `index [${index.name}] blocked by: [FORBIDDEN/8/index write (api)];`,
      );
    return op.op === 'update' ? this.#update(index, op) : this.#apply(index, op);
  }

  /** What a request resolved now would write to; `require_alias` is judged by the same look. */
  pin(name: string): string | undefined {
    return this.aliases.has(name) ? this.resolve(name)?.name : undefined;
  }

  /** The replicas hold this write: it can no longer be lost. */
  replicate({
    index,
    id,
    seq,
    routing,
  }: {
    index: string;
    id: string;
    seq: number;
    routing?: string | undefined;
  }): void {
    const held = this.indices.get(index);
    if (held === undefined) return;
    const shard = this.#shardOf(held, { id, routing });
    const at = shard.unreplicated.findIndex((write) => write.seq === seq);
    if (at < 0) return;
    shard.unreplicated.splice(at, 1);
    // Replicas take writes in order, so an older one that is still open here has arrived as well.
    shard.durable = Math.max(shard.durable, seq + 1);
  }

  /** The highest sequence number below which every copy of the shard holds every write. */
  checkpoint(shard: Shard): number {
    return Math.min(shard.nextSeq, ...shard.unreplicated.map(({ seq }) => seq)) - 1;
  }

  /**
   * Primaries fail: writes that no replica holds are gone, their numbers are given out again under a new term. Not held
   * against a real cluster: the conformance suite asks one node, and that cannot fail like this.
   */
  failOver(name: string): void {
    const index = this.resolve(name);
    if (index === undefined) return;
    for (const shard of index.shards) {
      const open = shard.unreplicated.splice(0);
      const lost = open.filter(({ seq }) => seq >= shard.durable).sort((a, b) => b.seq - a.seq);
      for (const write of lost) this.#undo(shard, write);
      shard.nextSeq = shard.durable;
      shard.visible = new Map(shard.docs);
      for (const { id, seq } of lost) this.onLost({ index: index.name, id, seq, term: index.term });
    }
    index.term++;
  }

  #undo(shard: Shard, { id, doc, tombstone }: Unreplicated): void {
    if (doc === undefined) shard.docs.delete(id);
    else shard.docs.set(id, doc);
    if (tombstone === undefined) shard.tombstones.delete(id);
    else shard.tombstones.set(id, tombstone);
  }

  #error(status: number, index: string, type: string, reason: string): WriteAnswer {
    return { status, index, error: { type, reason } };
  }

  #shardOf(index: Index, op: { id: string; routing?: string | undefined }): Shard {
    return index.shards[spread(op.routing ?? op.id) % index.shards.length] as Shard;
  }

  #tombstone(shard: Shard, id: string): Tombstone | undefined {
    const tombstone = shard.tombstones.get(id);
    if (tombstone !== undefined && this.#now() - tombstone.at > gcDeletesMs) return undefined;
    return tombstone;
  }

  #conflict(index: Index, id: string, why: string): WriteAnswer {
    return this.#error(409, index.name, 'version_conflict_engine_exception', `[${id}]: version conflict, ${why}`);
  }

  #apply(index: Index, op: WriteOp): WriteAnswer {
    const shard = this.#shardOf(index, op);
    const existing = shard.docs.get(op.id);
    const known = existing?.version ?? this.#tombstone(shard, op.id)?.version;
    if (
      op.ifSeqNo !== undefined &&
      (existing === undefined || existing.seq !== op.ifSeqNo || existing.term !== op.ifTerm)
    )
      return this.#conflict(index, op.id, `required seqNo [${op.ifSeqNo}], primary term [${op.ifTerm}]`);
    if (op.external && known !== undefined && (op.version as bigint) < known + (op.orEqual ? 0n : 1n)) {
      const than = op.orEqual ? 'higher than' : 'higher or equal to';
      return this.#conflict(index, op.id, `current version [${known}] is ${than} the one provided [${op.version}]`);
    }
    if (op.op === 'create' && existing !== undefined)
      return this.#conflict(index, op.id, `document already exists (current version [${existing.version}])`);
    const refusal = op.op === 'delete' ? undefined : this.refusal(op.source ?? '{}');
    if (refusal !== undefined) return this.#error(400, index.name, 'mapper_parsing_exception', refusal);
    const tombstone = shard.tombstones.get(op.id);
    const doc = {
      seq: shard.nextSeq++,
      term: index.term,
      version: op.external ? (op.version as bigint) : (known ?? 0n) + 1n,
    };
    if (this.#replicateLater) shard.unreplicated.push({ seq: doc.seq, id: op.id, doc: existing, tombstone });
    else shard.durable = shard.nextSeq;
    const tell = (after: Doc | undefined): void =>
      this.onApplied({ index: index.name, op, before: existing, after, ...doc });
    if (op.op === 'delete') {
      shard.docs.delete(op.id);
      shard.tombstones.set(op.id, { version: doc.version, at: this.#now() });
      tell(undefined);
      return { status: existing ? 200 : 404, index: index.name, result: existing ? 'deleted' : 'not_found', doc };
    }
    shard.tombstones.delete(op.id);
    const after = { id: op.id, routing: op.routing, source: op.source ?? '{}', ...doc };
    shard.docs.set(op.id, after);
    tell(after);
    return { status: existing ? 200 : 201, index: index.name, result: existing ? 'updated' : 'created', doc };
  }

  /** Partial documents only: scripts are the real cluster's matter. */
  #update(index: Index, op: WriteOp): WriteAnswer {
    const existing = this.#shardOf(index, op).docs.get(op.id);
    const body = JSON.parse(op.source ?? '{}') as {
      doc?: Record<string, unknown>;
      upsert?: Record<string, unknown>;
      doc_as_upsert?: boolean;
    };
    const insert = body.upsert ?? (body.doc_as_upsert ? body.doc : undefined);
    if (existing === undefined && insert === undefined)
      return this.#error(404, index.name, 'document_missing_exception', `[${op.id}]: document missing`);
    if (existing === undefined) {
      const source = JSON.stringify(insert);
      return { ...this.#apply(index, { ...op, op: 'index', source }), source };
    }
    const before = JSON.parse(existing.source) as Record<string, unknown>;
    const source = JSON.stringify({ ...before, ...body.doc });
    if (source === JSON.stringify(before)) {
      const { seq, term, version } = existing;
      return { status: 200, index: index.name, result: 'noop', doc: { seq, term, version }, source };
    }
    return { ...this.#apply(index, { ...op, op: 'index', source }), source };
  }

  get(name: string, at: { id: string; routing?: string | undefined }): Doc | undefined {
    const index = this.resolve(name);
    return index && this.#shardOf(index, at).docs.get(at.id);
  }

  refresh(name: string): void {
    for (const shard of this.resolve(name)?.shards ?? []) shard.visible = new Map(shard.docs);
  }

  /** Documents that a search of one shard sees with `after < seq <= upTo`, ascending. */
  searchBySeq(name: string, range: { shard: number; after: number; upTo: number; size: number }): Doc[] {
    const visible = this.resolve(name)?.shards[range.shard]?.visible.values() ?? [];
    return [...visible]
      .filter(({ seq }) => seq > range.after && seq <= range.upTo)
      .sort((a, b) => a.seq - b.seq)
      .slice(0, range.size);
  }

  count(name: string): number {
    return (this.resolve(name)?.shards ?? []).reduce((sum, shard) => sum + shard.visible.size, 0);
  }

  /** What the cluster holds right now, for the invariants: id to source. */
  contents(name: string): Map<string, Doc> {
    return new Map((this.resolve(name)?.shards ?? []).flatMap((shard) => [...shard.docs]));
  }

  /** A restart or a failed-over replica: deletes are remembered no more, and a new primary begins a new term. */
  loseTombstones(name: string): void {
    for (const shard of this.resolve(name)?.shards ?? []) shard.tombstones.clear();
  }
  newTerm(name: string): void {
    const index = this.resolve(name);
    if (index !== undefined) index.term++;
  }
}
