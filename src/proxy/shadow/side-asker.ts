/**
 * Asks one side on behalf of a sample: own connections, own deadline, own bound, marked as shadow traffic so that neither
 * another sidecar nor this one takes it for the application's. A static X-Opaque-Id, because clusters remember each value
 * they see. The client's credentials are offered to both; a side gets them only if it may (upstream/credentials.ts), and then
 * both answers show what this client may see.
 */
import type { Answer } from '../../compare/types.ts';
import type { Side } from '../../coordination/records.ts';
import { isCrossfadeError } from '../../errors.ts';
import type { Transports } from '../../upstream/types.ts';
import type { ServedRead } from './ports.ts';

export const shadowHeader = 'x-crossfade-shadow';
const opaqueId = 'crossfade-shadow';

export type SideAnswer = { readonly answer: Answer; readonly ms: number };
export type AskSide = {
  readonly side: Side;
  readonly method: string;
  readonly contentType: string | undefined;
  readonly served: Pick<ServedRead, 'authorization'>;
  readonly wire: { readonly path: string; readonly query: string; readonly body: Buffer | undefined };
  readonly timeoutMs: number;
  readonly maxBodyBytes: number;
};

/** `too_large` and `stopped` say nothing about the side; any other failure is an answer worth comparing. */
export type Asked = SideAnswer | { readonly failed: 'too_large' | 'stopped' };

export const createSideAsker =
  ({ transports, now, stopping }: { transports: Transports; now: () => number; stopping: AbortSignal }) =>
  async ({ side, wire, ...ask }: AskSide): Promise<Asked> => {
    const sentAt = now();
    const took = () => now() - sentAt;
    try {
      const answer = await transports[side].request({
        method: ask.method,
        path: wire.query === '' ? wire.path : `${wire.path}?${wire.query}`,
        headers: headersFor(ask),
        body: wire.body,
        timeoutMs: ask.timeoutMs,
        maxBodyBytes: ask.maxBodyBytes,
        signal: stopping,
      });
      return { answer, ms: took() };
    } catch (error) {
      if (stopping.aborted) return { failed: 'stopped' };
      if (isCrossfadeError(error, 'UPSTREAM_BODY_TOO_LARGE')) return { failed: 'too_large' };
      return { answer: { status: 0, body: Buffer.alloc(0), failure: failureOf(error) }, ms: took() };
    }
  };
export type SideAsker = ReturnType<typeof createSideAsker>;

const headersFor = ({ contentType, served }: Pick<AskSide, 'contentType' | 'served'>): Record<string, string> => ({
  accept: 'application/json',
  'x-opaque-id': opaqueId,
  [shadowHeader]: '1',
  ...(contentType === undefined ? {} : { 'content-type': contentType }),
  ...(served.authorization === undefined ? {} : { authorization: served.authorization }),
});

const failureOf = (error: unknown): NonNullable<Answer['failure']> => {
  if (isCrossfadeError(error, 'UPSTREAM_TIMEOUT')) return 'timeout';
  if (isCrossfadeError(error, 'UPSTREAM_UNREACHABLE')) return 'unreachable';
  return isCrossfadeError(error, 'UPSTREAM_INVALID') ? 'invalid' : 'reset';
};
