/**
 * The streaming of the data plane as reads use it: bytes pass untouched, and a sampled answer is kept beside its way to
 * the client. Keeping never slows the stream: beyond its bound the copy is dropped and the stream goes on.
 */
import type { Side } from '../../coordination/records.ts';
import { decodeBody } from '../../upstream/decode.ts';
import { toPairs, toRecord } from '../../upstream/header-pairs.ts';
import type { Cluster } from '../../upstream/types.ts';
import { type AnswerTap, relay } from '../relay.ts';
import type { PassOptions, PassThrough } from './ports.ts';

type Tee = NonNullable<PassOptions['tee']>;
type Kept = { status: number; headers: readonly string[]; chunks: Buffer[]; bytes: number; ms: number | undefined };

export const createPassThrough = (clusters: Readonly<Record<Side, Cluster>>): PassThrough => ({
  pass: async (request, { side, target, answerHeaders, safeToRepeat, tee }) => {
    const kept: Kept = { status: 0, headers: [], chunks: [], bytes: 0, ms: undefined };
    const result = await relay(request, {
      cluster: clusters[side],
      safeToRepeat,
      ...(target === undefined ? {} : { path: target }),
      ...(answerHeaders === undefined ? {} : { answerHeaders: toPairs(answerHeaders) }),
      ...(tee === undefined ? {} : { tap: tapFor(kept, tee) }),
    });
    if (!result.ok) request.respondError(result.error);
    if (tee !== undefined) await settle(kept, tee);
  },
});

const tapFor = (kept: Kept, { maxBytes }: Tee): AnswerTap => ({
  onHead: (status, headers) => Object.assign(kept, { status, headers }),
  onData: (chunk) => {
    kept.bytes += chunk.length;
    if (kept.bytes <= maxBytes) kept.chunks.push(chunk);
    else kept.chunks.length = 0;
  },
  onEnd: (tookMs) => {
    kept.ms = tookMs;
  },
});

const settle = async ({ status, headers, chunks, bytes, ms }: Kept, { maxBytes, done }: Tee): Promise<void> => {
  if (ms === undefined) return done(undefined, 'failed');
  if (bytes > maxBytes) return done(undefined, 'too_large');
  const record = toRecord(headers);
  const encoding = record['content-encoding'];
  const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
  if (encoding === undefined) return done({ status, headers: record, body, ms }, 'failed');
  const decoded = await decodeBody(body, [encoding].flat().join(','), maxBytes);
  if (!decoded.ok) return done(undefined, decoded.reason === 'too_large' ? 'too_large' : 'failed');
  done({ status, headers: record, body: decoded.body, ms }, 'failed');
};
