/**
 * Pure: stamped writes as one `_bulk` request, and its answer as the fate of each write. A write carries the stamp as
 * an external version, so the follower itself refuses what is older; a 409 is therefore success.
 * Invariant: no bulk made here can create an index. Index items are held to aliases by `require_alias`; an external
 * delete is not, but the cluster merges the flag over all items of a name, so a name that only has deletes gets one
 * guard item: an update of a document that does not exist, which changes nothing and consumes no sequence number.
 */
import { fenceIndex } from '../coordination/keys.ts';
import { isPassingStatus } from './retry.ts';

export type StampedWrite = {
  /** The follower's copy alias of the epoch. */
  alias: string;
  id: string;
  routing: string | undefined;
  stamp: bigint;
  /** Takes the place of a copy of the same stamp, for whoever knows that its content is another. */
  orEqual?: boolean;
} & ({ op: 'index'; source: Uint8Array } | { op: 'delete' });

export type EncodedBulk = { path: string; body: Uint8Array; aliases: string[] };

/**
 * busy: overload or outage. blocked: somebody must act (block, rights, missing index). error: the cluster failed inside with
 * this write. race: another document may have changed the mapping meanwhile.
 */
export type RetryCause = 'busy' | 'blocked' | 'error' | 'race';
export type WriteFate =
  | { kind: 'applied' }
  | { kind: 'superseded' }
  | { kind: 'quarantine'; reason: string }
  | { kind: 'retry'; cause: RetryCause; reason: string }
  | { kind: 'fenced' };
/**
 * `split`: the request as a whole was refused for what it holds; its halves may fare better. `failed`: the cluster, or what
 * stands before it, failed with the request as a whole, which says nothing of any write in it.
 */
export type BulkFate = { kind: 'items'; fates: WriteFate[] } | { kind: 'split' | 'failed'; reason: string };

const guardId = 'crossfade-guard';
const answerFields = 'errors,items.*.status,items.*.error.type,items.*.error.reason';

/** `shared`: the name is in the path, and only there: a cluster may take none in a line (`allow_explicit_index`). */
const namePart = (alias: string, shared: boolean): string => (shared ? '' : `"_index":${JSON.stringify(alias)},`);

const actionLine = (write: StampedWrite, shared: boolean): string => {
  const index = namePart(write.alias, shared);
  const routing = write.routing === undefined ? '' : `"routing":${JSON.stringify(write.routing)},`;
  const type = write.orEqual ? 'external_gte' : 'external';
  return `{"${write.op}":{${index}"_id":${JSON.stringify(write.id)},${routing}"version":${write.stamp},"version_type":"${type}"}}\n`;
};

const guardLine = (alias: string, shared: boolean): string =>
  `{"update":{${namePart(alias, shared)}"_id":"${guardId}"}}\n{"doc":{}}\n`;

const guardedAliases = (writes: readonly StampedWrite[]): string[] => {
  const held = new Set(writes.filter(({ op }) => op === 'index').map(({ alias }) => alias));
  return [...new Set(writes.map(({ alias }) => alias))].filter((alias) => !held.has(alias));
};

/** Sources must already be on one line (json/scan.ts `oneLine`). */
export const encodeBulk = (writes: readonly StampedWrite[]): EncodedBulk => {
  const [first] = writes;
  const shared = first !== undefined && writes.every(({ alias }) => alias === first.alias);
  const actions = writes.map((write) => actionLine(write, shared));
  const isHeld = shared && writes.some(({ op }) => op === 'index');
  const guards = isHeld
    ? ''
    : guardedAliases(writes)
        .map((alias) => guardLine(alias, shared))
        .join('');
  let size = Buffer.byteLength(guards);
  writes.forEach((write, i) => {
    size += Buffer.byteLength(actions[i] as string) + (write.op === 'index' ? write.source.length + 1 : 0);
  });
  const body = Buffer.allocUnsafe(size);
  let at = 0;
  writes.forEach((write, i) => {
    at += body.write(actions[i] as string, at);
    if (write.op !== 'index') return;
    body.set(write.source, at);
    at += write.source.length;
    body[at++] = 0x0a;
  });
  body.write(guards, at);
  const prefix = shared ? `/${encodeURIComponent(first.alias)}` : '';
  const path = `${prefix}/_bulk?require_alias=true&pipeline=_none&filter_path=${answerFields}`;
  return { path, body, aliases: [...new Set(writes.map(({ alias }) => alias))] };
};

type ItemError = { type?: string; reason?: string };
type Item = { status: number; error?: ItemError };

const explain = (status: number, error: ItemError | undefined): string =>
  `${status} ${error?.type ?? 'error'}: ${(error?.reason ?? '').slice(0, 500)}`;

const isFence = (error: ItemError | undefined): boolean =>
  error?.type === 'cluster_block_exception' && (error.reason ?? '').includes(`[${fenceIndex}]`);

/** An alias without a write index is answered 400, yet it says nothing about the document. */
const isAliasTrouble = (error: ItemError | undefined): boolean =>
  error?.type === 'illegal_argument_exception' &&
  (error.reason ?? '').startsWith('no write index is defined for alias');

/**
 * Two documents that map the same new field differently at the same moment: the loser is told that the type cannot be
 * changed. Tried again it meets the mapping that won, which then takes or refuses it for good.
 */
const isMappingRace = (error: ItemError | undefined): boolean =>
  error?.type === 'illegal_argument_exception' && / cannot be changed from type \[/.test(error.reason ?? '');

/** Somebody changes analyzers, and will open it again. */
const isClosed = (error: ItemError | undefined): boolean => error?.type === 'index_closed_exception';
/** And redirects: what stands before a cluster wants somebody to log in. */
const blockedStatus: ReadonlySet<number> = new Set([401, 403, 404, 405]);

const applied: WriteFate = { kind: 'applied' };
const superseded: WriteFate = { kind: 'superseded' };

/** The fate of one item by its status; `error` is present exactly when the write was not applied. */
export const itemFate = ({ status, error }: Item): WriteFate => {
  if (status < 300 || (status === 404 && error === undefined)) return applied;
  if (status === 409) return superseded;
  const reason = explain(status, error);
  if (isFence(error)) return { kind: 'fenced' };
  if (status === 500) return { kind: 'retry', cause: 'error', reason };
  if (isMappingRace(error)) return { kind: 'retry', cause: 'race', reason };
  if (isPassingStatus(status) || status > 500) return { kind: 'retry', cause: 'busy', reason };
  const blocked = blockedStatus.has(status) || status < 400 || isAliasTrouble(error) || isClosed(error);
  return blocked ? { kind: 'retry', cause: 'blocked', reason } : { kind: 'quarantine', reason };
};

const parseAnswer = (body: Uint8Array): { items?: Record<string, Item>[]; error?: ItemError | string } | undefined => {
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8'));
  } catch {
    return undefined;
  }
};

/** A request of one write that fails is that write. */
export const failedFate = (count: number, reason: string): BulkFate =>
  count > 1 ? { kind: 'failed', reason } : sameFate(count, { kind: 'retry', cause: 'error', reason });

/** Every one of `count` writes gets the fate of the request as a whole. */
export const sameFate = (count: number, fate: WriteFate): BulkFate => ({
  kind: 'items',
  fates: Array.from({ length: count }, () => fate),
});

/** What stands before a cluster, and its own check of passwords, answers without JSON. */
const plainText = (body: Uint8Array): string => Buffer.from(body).subarray(0, 200).toString('utf8').trim();

const wholeFate = (status: number, body: Uint8Array, count: number): BulkFate => {
  const parsed = parseAnswer(body);
  const error = parsed === undefined ? plainText(body) : parsed.error;
  const cause = typeof error === 'string' ? { type: 'error', reason: error } : error;
  const fate = itemFate({ status, error: cause ?? {} });
  if (fate.kind === 'retry' && fate.cause === 'error') return failedFate(count, fate.reason);
  if (fate.kind !== 'quarantine') return sameFate(count, fate);
  return count > 1 ? { kind: 'split', reason: fate.reason } : sameFate(count, fate);
};

/** Reads the answer to a bulk of `count` writes; items beyond them belong to guards. */
export const decodeBulk = (answer: { status: number; body: Uint8Array }, count: number): BulkFate => {
  if (answer.status >= 300) return wholeFate(answer.status, answer.body, count);
  const items = parseAnswer(answer.body)?.items;
  const unclear: WriteFate = { kind: 'retry', cause: 'busy', reason: 'the answer does not list every item' };
  if (items === undefined || items.length < count) return sameFate(count, unclear);
  const fates = items.slice(0, count).map((item) => {
    const [entry] = Object.values(item);
    return entry === undefined ? unclear : itemFate(entry);
  });
  return { kind: 'items', fates };
};
