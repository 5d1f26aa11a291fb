/**
 * The buffered form of a request: the whole answer in memory, bounded, its content-encoding undone. Built on the
 * streaming form, so connections, credentials, deadlines and error codes are the same.
 */
import { CrossfadeError } from '../errors.ts';
import { decodeBody } from './decode.ts';
import { type HeaderRecord, isSetByTransport, toPairs, toRecord, withoutHeaders } from './header-pairs.ts';
import type {
  AnswerSink,
  BodyPieces,
  Cluster,
  StreamRequest,
  Transport,
  UpstreamAnswer,
  UpstreamRequest,
} from './types.ts';

/** For answers whose caller sets no bound. */
const defaultMaxBodyBytes = 100 * 1024 * 1024;

const isPieces = (body: UpstreamRequest['body']): body is BodyPieces => typeof body === 'object' && 'pieces' in body;

/** Pieces may be as small as a line; each write to a connection should be worth a system call. */
const writeBytes = 64 * 1024;

async function* gathered(body: BodyPieces): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  for (const piece of body.pieces()) {
    waiting.push(piece);
    bytes += piece.length;
    if (bytes < writeBytes) continue;
    yield waiting.length === 1 ? piece : Buffer.concat(waiting, bytes);
    waiting = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(waiting, bytes);
}

const asBody = (body: UpstreamRequest['body']): Pick<StreamRequest, 'body' | 'bodyLength'> => {
  if (isPieces(body)) return { body: body.byteLength === 0 ? null : gathered(body), bodyLength: body.byteLength };
  if (body === undefined || body.length === 0) return { body: null };
  if (typeof body === 'string') return { body: Buffer.from(body, 'utf8') };
  return { body: Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength) };
};

const asStreamRequest = ({
  method,
  path,
  headers = {},
  body,
  timeoutMs,
  safeToRepeat,
  ownAccount,
}: UpstreamRequest): StreamRequest => ({
  method,
  path,
  headers: withoutHeaders(toPairs(headers), isSetByTransport),
  ...asBody(body),
  timeoutMs,
  safeToRepeat,
  ownAccount,
});

type Raw = { status: number; pairs: string[]; body: Buffer };

const collect = (stream: Cluster['stream'], request: UpstreamRequest, maxBytes: number): Promise<Raw> =>
  new Promise((resolve, reject) => {
    const { signal } = request;
    const chunks: Buffer[] = [];
    const head = { status: 0, pairs: [] as string[], bytes: 0 };
    const leave = (): void => {
      upstream.abort();
      reject(new CrossfadeError('CLIENT_CLOSED', undefined, { cause: signal?.reason }));
    };
    const sink: AnswerSink = {
      onHead: (status, _, pairs) => Object.assign(head, { status, pairs }),
      onData: (chunk) => {
        head.bytes += chunk.length;
        if (head.bytes <= maxBytes) return chunks.push(chunk) > 0;
        upstream.abort();
        sink.onError(new CrossfadeError('UPSTREAM_BODY_TOO_LARGE'));
        return true;
      },
      onEnd: () => {
        signal?.removeEventListener('abort', leave);
        const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
        resolve({ status: head.status, pairs: head.pairs, body });
      },
      onError: (error) => {
        signal?.removeEventListener('abort', leave);
        reject(error);
      },
    };
    const upstream = stream(asStreamRequest(request), sink);
    signal?.addEventListener('abort', leave, { once: true });
  });

const encodingOf = (headers: HeaderRecord): string | undefined => {
  const value = headers['content-encoding'];
  return Array.isArray(value) ? value.join(',') : value;
};

/** Waits only when there is something to undo: most answers come plain. */
const decode = ({ status, pairs, body }: Raw, maxBytes: number): UpstreamAnswer | Promise<UpstreamAnswer> => {
  const headers = toRecord(pairs);
  const encoding = encodingOf(headers);
  const answer = { status, headers, body };
  return encoding === undefined || body.length === 0 ? answer : undo(answer, encoding, maxBytes);
};

const undo = async (
  { status, headers, body }: UpstreamAnswer,
  encoding: string,
  maxBytes: number,
): Promise<UpstreamAnswer> => {
  const decoded = await decodeBody(body, encoding, maxBytes);
  if (!decoded.ok) {
    if (decoded.reason === 'too_large') throw new CrossfadeError('UPSTREAM_BODY_TOO_LARGE');
    throw new CrossfadeError('UPSTREAM_INVALID', `The answer's content-encoding cannot be undone: ${decoded.reason}.`);
  }
  delete headers['content-encoding'];
  delete headers['content-length'];
  return { status, headers, body: decoded.body };
};

export const bufferedTransport = (stream: Cluster['stream']): Transport => ({
  request: async (request) => {
    if (request.signal?.aborted) throw new CrossfadeError('CLIENT_CLOSED', undefined, { cause: request.signal.reason });
    const maxBytes = request.maxBodyBytes ?? defaultMaxBodyBytes;
    return decode(await collect(stream, request, maxBytes), maxBytes);
  },
});
