/**
 * How a control call is made, whatever it asks: JSON over the Transport port, with a deadline, an answer checked against its
 * shape, and one way to refuse. Invariant: an error status throws UPSTREAM_REFUSED with the status, and an answer of another
 * shape UPSTREAM_INVALID; neither is read as "nothing there".
 */
import type * as z from 'zod';
import { CrossfadeError } from '../errors.ts';
import type { Transport, UpstreamAnswer } from '../upstream/types.ts';
import { AcknowledgedAnswer } from './control-answers.ts';

export type CallOptions = { timeoutMs?: number; signal?: AbortSignal | undefined; maxBodyBytes?: number };
/** `without`: a query for documents that do not count. */
export type CountOptions = CallOptions & { primary?: boolean; without?: Record<string, unknown> | undefined };
/** A call takes at most this long, whatever it asked for itself. */
export type CallLimits = { timeoutMs: () => number; signal?: (() => AbortSignal | undefined) | undefined };

/** `reads`: a POST that changes nothing, so the transport may repeat it, as any GET, when a pooled connection proves dead. */
export type Call = CallOptions & { method: string; path: string; body?: unknown; reads?: boolean };

export interface ControlCalls {
  readonly transport: Transport;
  /** Error statuses are returned, not thrown. */
  send(call: Call): Promise<UpstreamAnswer>;
  body(call: Call): Promise<Buffer>;
  /** Undefined when there is no such thing. */
  bodyIfAny(call: Call): Promise<Buffer | undefined>;
  ask<T>(schema: z.ZodType<T>, call: Call): Promise<T>;
  /** Undefined when there is no such thing. */
  find<T>(schema: z.ZodType<T>, call: Call): Promise<T | undefined>;
  acknowledged(call: Call): Promise<boolean>;
}

export const defaultTimeoutMs = 30_000;
const jsonHeaders = { 'content-type': 'application/json', accept: 'application/json' };
type ErrorBody = { type?: string; reason?: string; root_cause?: ErrorBody[] };

/** The reason in an error answer of OpenSearch, short enough for a log line. */
export const reasonOf = (body: Buffer): { type: string; reason: string } => {
  try {
    const { error } = JSON.parse(body.toString('utf8')) as { error?: ErrorBody | string };
    if (typeof error === 'string') return { type: 'error', reason: error };
    // A failed search says only "all shards failed" at the top.
    const cause = error?.root_cause?.[0] ?? error;
    return { type: cause?.type ?? 'unknown', reason: cause?.reason ?? '' };
  } catch {
    return { type: 'unknown', reason: body.subarray(0, 200).toString('utf8') };
  }
};

const nameOf = ({ method, path }: Call): string => `${method} ${path}`;

export const refusal = (what: string, status: number, cause: { type: string; reason: string }): CrossfadeError =>
  new CrossfadeError('UPSTREAM_REFUSED', `${what}: ${status} ${cause.type}: ${cause.reason}`, {
    details: { upstreamStatus: status, upstreamType: cause.type },
  });

export const parse = <T>(what: string, schema: z.ZodType<T>, body: Buffer): T => {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw new CrossfadeError('UPSTREAM_INVALID', `${what}: the answer is not JSON`, { cause });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new CrossfadeError('UPSTREAM_INVALID', `${what}: unexpected answer`, { cause: parsed.error });
};

/** The same transport, for calls that may take no longer than `limits` say. */
export const limited = (transport: Transport, { timeoutMs, signal }: CallLimits): Transport => ({
  request: (request) => {
    const signals = [request.signal, signal?.()].filter((one) => one !== undefined);
    const own = request.timeoutMs ?? defaultTimeoutMs;
    return transport.request({
      ...request,
      timeoutMs: Math.min(own, timeoutMs()),
      signal: signals.length > 1 ? AbortSignal.any(signals) : signals[0],
    });
  },
});

export const createControlCalls = (transport: Transport): ControlCalls => {
  const send = ({ method, path, body, timeoutMs, signal, maxBodyBytes, reads }: Call): Promise<UpstreamAnswer> =>
    transport.request({
      method,
      path,
      headers: jsonHeaders,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      timeoutMs: timeoutMs ?? defaultTimeoutMs,
      signal,
      safeToRepeat: reads ?? method === 'GET',
      ...(maxBodyBytes === undefined ? {} : { maxBodyBytes }),
    });
  const accepted = (call: Call, { status, body }: UpstreamAnswer): Buffer => {
    if (status >= 300) throw refusal(nameOf(call), status, reasonOf(body));
    return body;
  };
  const body = async (call: Call): Promise<Buffer> => accepted(call, await send(call));
  const bodyIfAny = async (call: Call): Promise<Buffer | undefined> => {
    const answer = await send(call);
    return answer.status === 404 ? undefined : accepted(call, answer);
  };
  const ask = async <T>(schema: z.ZodType<T>, call: Call): Promise<T> => parse(nameOf(call), schema, await body(call));
  const find = async <T>(schema: z.ZodType<T>, call: Call): Promise<T | undefined> => {
    const found = await bodyIfAny(call);
    return found && parse(nameOf(call), schema, found);
  };
  const acknowledged = async (call: Call): Promise<boolean> => (await ask(AcknowledgedAnswer, call)).acknowledged;
  return { transport, send, body, bodyIfAny, ask, find, acknowledged };
};
