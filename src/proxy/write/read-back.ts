/**
 * Reads documents back from the authority in real time: the way to a post-image when the request does not hold it. What
 * comes back carries its own position, which may be newer than the write that asked. It is read from the concrete index,
 * because a fenced alias would show an empty one. With segment replication a replica may answer with an older document or
 * none, so an answer that does not show the write is asked for again at the primary.
 * Invariant: what is returned as found is at least as new as the write.
 */
import { isCrossfadeError } from '../../errors.ts';
import { eachElement, members, parseSlice, rawOf } from '../../json/scan.ts';
import type { Transport } from '../../upstream/types.ts';
import { readFacts } from './answer-facts.ts';

export type Position = {
  readonly seq: number | undefined;
  readonly term: number | undefined;
  readonly version: string | undefined;
};
/** `position` is that of the write to be seen, as far as its answer told it. */
export type BackId = { readonly id: string; readonly routing: string | undefined; readonly position: Position };
export type BackRead =
  /** `routing`: as it is stored; an ingest pipeline may have set another than the client gave. */
  | {
      readonly kind: 'found';
      readonly source: Uint8Array;
      readonly routing: string | undefined;
      readonly position: Position;
    }
  | { readonly kind: 'absent' }
  | { readonly kind: 'failed' };

export type BackRequest = {
  readonly transport: Transport;
  readonly index: string;
  readonly docs: readonly BackId[];
  /** Credentials of the client, where Crossfade has none of its own; fields may be hidden from a client. */
  readonly headers: Record<string, string | string[]>;
  readonly maxBodyBytes: number;
};

const pageDocs = 200;

/** One result per document asked for, in order. Never throws. */
export const readBack = async (request: BackRequest): Promise<BackRead[]> => {
  const results: BackRead[] = [];
  for (let i = 0; i < request.docs.length; i += pageDocs)
    results.push(...(await readPage({ ...request, docs: request.docs.slice(i, i + pageDocs) })));
  return atPrimary(request, results);
};

const isOlder = ({ position }: BackId, read: BackRead): boolean =>
  read.kind === 'found' && position.seq !== undefined && (read.position.seq ?? -1) < position.seq;

/** Asks again for what does not show its write. A cluster that knows no such preference has no such replicas either. */
const atPrimary = async (request: BackRequest, first: readonly BackRead[]): Promise<BackRead[]> => {
  const doubtful = first.flatMap((read, i) => {
    const doc = request.docs[i] as BackId;
    return read.kind === 'absent' || isOlder(doc, read) ? [{ i, doc }] : [];
  });
  const results = [...first];
  if (doubtful.length === 0) return results;
  const again = await readPage({ ...request, docs: doubtful.map(({ doc }) => doc), preference: '_primary' });
  doubtful.forEach(({ i, doc }, n) => {
    const read = again[n] as BackRead;
    if (read.kind !== 'failed') results[i] = isOlder(doc, read) ? { kind: 'failed' } : read;
    else if (first[i]?.kind !== 'absent') results[i] = read;
  });
  return results;
};

type Page = BackRequest & { readonly preference?: string };

const readPage = async (request: Page): Promise<BackRead[]> => {
  const { transport, index, docs, headers, maxBodyBytes, preference } = request;
  const asked = docs.map(({ id, routing }) => ({ _id: id, ...(routing === undefined ? {} : { routing }) }));
  try {
    const answer = await transport.request({
      method: 'POST',
      path: `/${encodeURIComponent(index)}/_mget?realtime=true${preference === undefined ? '' : `&preference=${preference}`}`,
      headers: { ...headers, 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ docs: asked }),
      maxBodyBytes,
      ownAccount: true,
    });
    const page = answer.status === 200 ? parsePage(answer.body, docs.length) : undefined;
    const spoilt = page === undefined && answer.status <= 400;
    return page ?? (spoilt && docs.length > 1 ? readHalves(request) : failed(docs.length));
  } catch (error) {
    return isCrossfadeError(error, 'UPSTREAM_BODY_TOO_LARGE') && docs.length > 1
      ? readHalves(request)
      : failed(docs.length);
  }
};

/** Documents of very different sizes, or one that spoils the answer (see agent/odd-documents.ts): ask for fewer at once. */
const readHalves = async (request: Page): Promise<BackRead[]> => {
  const middle = Math.ceil(request.docs.length / 2);
  const first = await readPage({ ...request, docs: request.docs.slice(0, middle) });
  return [...first, ...(await readPage({ ...request, docs: request.docs.slice(middle) }))];
};

const failed = (count: number): BackRead[] => Array.from({ length: count }, () => ({ kind: 'failed' }));

/** Undefined when the answer cannot be read. */
const parsePage = (body: Buffer, count: number): BackRead[] | undefined => {
  const results: BackRead[] = [];
  try {
    const { docs } = members(body, 0, ['docs']);
    if (docs !== undefined) eachElement(body, docs.start, ({ start }) => results.push(parseDoc(body, start)));
  } catch {
    return undefined;
  }
  return results.length === count ? results : undefined;
};

const parseDoc = (body: Buffer, at: number): BackRead => {
  const { found, _source: source, _routing: routed } = members(body, at, ['found', '_source', '_routing']);
  if (found === undefined) return { kind: 'failed' };
  if (rawOf(body, found) !== 'true') return { kind: 'absent' };
  if (source === undefined) return { kind: 'failed' };
  const { seq, term, version } = readFacts(body, at);
  const routing = routed === undefined ? undefined : String(parseSlice(body, routed));
  return { kind: 'found', source: body.subarray(source.start, source.end), routing, position: { seq, term, version } };
};
