/**
 * Sends a request to the one side that must answer it. Nothing to change = it is streamed, body and answer; else both are
 * held, changed and delivered. Errors of that side are the client's to see.
 */
import type { RouteState } from '../../coordination/ports.ts';
import type { Side } from '../../coordination/records.ts';
import type { ClientRequest } from '../client-request.ts';
import { readRequestBody } from '../write/request-body.ts';
import { type AnswerContext, type AnswerNeeds, editAnswer, needsNothing, refuseOtherFormats } from './answer-edits.ts';
import type { Mac } from './cursor-token.ts';
import { deliver, sideHeaders } from './deliver.ts';
import type { AskedAnswer, PassOptions, ReadDeps } from './ports.ts';

export type Forward = {
  readonly side: Side;
  /** Decides whether the answer may name its side. */
  readonly state: RouteState | undefined;
  /** Raw path and query on the wire. */
  readonly target: string;
  /** Stands in for the client's body. */
  readonly body?: Buffer | undefined;
  readonly context: Omit<AnswerContext, 'mac'>;
  readonly needs: AnswerNeeds;
  readonly safeToRepeat: boolean;
  readonly tee?: PassOptions['tee'];
  /** The answer came in one piece already. */
  readonly answer?: AskedAnswer | undefined;
};

export type Forwarder = (request: ClientRequest, forward: Forward) => Promise<void>;

export const createForwarder =
  (deps: ReadDeps, mac: Mac): Forwarder =>
  async (request, forward) => {
    refuseOtherFormats(forward.needs, request.head);
    request.trace.side = forward.side;
    if (needsNothing(forward.needs) && forward.body === undefined && forward.answer === undefined)
      return deps.streams.pass(request, {
        side: forward.side,
        target: forward.target,
        answerHeaders: sideHeaders(deps, forward.side, forward.state),
        safeToRepeat: forward.safeToRepeat,
        ...(forward.tee === undefined ? {} : { tee: forward.tee }),
      });
    const answer = forward.answer ?? (await askSide(deps, request, forward));
    deliver(request, {
      status: answer.status,
      headers: answer.headers,
      body: editAnswer(answer, { ...forward.context, mac }, forward.needs),
      extra: sideHeaders(deps, forward.side, forward.state),
    });
    tell(forward.tee, answer);
  };

export type SideQuestion = {
  readonly side: Side;
  readonly target: string;
  readonly body?: Buffer | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly safeToRepeat?: boolean;
};

/** A buffered request on the application's own connections; the client's leaving cancels it on the cluster. */
export const askSide = async (
  deps: Pick<ReadDeps, 'transports' | 'limits' | 'now'>,
  request: ClientRequest,
  { side, target, body, signal, safeToRepeat = true }: SideQuestion,
): Promise<AskedAnswer> => {
  const own = await readRequestBody(request, deps.limits.maxBodyBytes);
  const sentAt = deps.now();
  try {
    const answer = await deps.transports[side].request({
      method: request.head.method,
      path: target,
      headers: own.headers,
      body: body ?? own.bytes,
      signal: signal ?? request.aborted,
      maxBodyBytes: deps.limits.maxBodyBytes,
      safeToRepeat,
    });
    return { ...answer, ms: deps.now() - sentAt };
  } finally {
    request.trace.upstreamMs += deps.now() - sentAt;
  }
};

const tell = (tee: PassOptions['tee'], answer: AskedAnswer): void => {
  if (tee === undefined) return;
  if (answer.body.length > tee.maxBytes) tee.done(undefined, 'too_large');
  else tee.done(answer, 'failed');
};
