/** A plain Transport over undici for tests of what speaks to clusters: no credentials, no TLS, one base URL. */
import { Readable } from 'node:stream';
import { type Dispatcher, getGlobalDispatcher } from 'undici';
import { CrossfadeError } from '../../src/errors.ts';
import type { BodyPieces, Transport, UpstreamRequest } from '../../src/upstream/types.ts';

const mapped = (error: unknown, signal: AbortSignal | undefined): CrossfadeError => {
  const code = (error as { code?: string }).code ?? '';
  if (signal?.aborted) return new CrossfadeError('CLIENT_CLOSED', undefined, { cause: error });
  if (code === 'ECONNREFUSED' || code === 'UND_ERR_CONNECT_TIMEOUT')
    return new CrossfadeError('UPSTREAM_UNREACHABLE', undefined, { cause: error });
  const timedOut = (error as Error).name === 'TimeoutError';
  return new CrossfadeError(timedOut ? 'UPSTREAM_TIMEOUT' : 'UPSTREAM_RESET', undefined, { cause: error });
};

const isPieces = (body: UpstreamRequest['body']): body is BodyPieces => typeof body === 'object' && 'pieces' in body;

export const testTransport = (baseUrl: string): Transport => ({
  request: async ({ method, path, headers = {}, body, timeoutMs = 30_000, signal, maxBodyBytes }: UpstreamRequest) => {
    const deadline = AbortSignal.timeout(timeoutMs);
    try {
      // Not `request` with a URL, which would take `/_doc/..` for the folder above.
      const answer = await getGlobalDispatcher().request({
        origin: baseUrl,
        path,
        method: method as Dispatcher.HttpMethod,
        headers: isPieces(body) ? { ...headers, 'content-length': String(body.byteLength) } : headers,
        body: isPieces(body) ? Readable.from(body.pieces()) : (body ?? null),
        signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
      });
      const bytes = Buffer.from(await answer.body.arrayBuffer());
      if (maxBodyBytes !== undefined && bytes.length > maxBodyBytes)
        throw new CrossfadeError('UPSTREAM_BODY_TOO_LARGE');
      return { status: answer.statusCode, headers: answer.headers as Record<string, string | string[]>, body: bytes };
    } catch (error) {
      throw error instanceof CrossfadeError ? error : mapped(error, signal);
    }
  },
});
