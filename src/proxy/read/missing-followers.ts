/**
 * An expression that takes the follower of one cluster away again, though that may not be there: in `observe` not yet, in
 * `final` no more. Missing indices are passed over where every name of the client's is a route's, so that nothing of its own
 * can be missing; else the follower is looked for, because the client is to hear of what is missing of its own. What the
 * client says of missing indices itself stands.
 */
import type { ClientRequest } from '../client-request.ts';
import type { SaidAnew } from '../types.ts';
import { readRequestBody } from '../write/request-body.ts';
import type { Shared } from './shared.ts';

export type Asked = { readonly names: readonly string[]; readonly ignoreUnavailable: boolean };

/** `given`: what the client says of missing indices. */
export const withoutMissing = async (
  shared: Pick<Shared, 'deps'>,
  request: ClientRequest,
  { said, given }: { said: SaidAnew; given: boolean | undefined },
): Promise<Asked> => {
  const { names, mayMiss, isKnown } = said;
  if (mayMiss.length === 0 || given === true) return { names, ignoreUnavailable: false };
  if (given === undefined && isKnown) return { names, ignoreUnavailable: true };
  const gone = await Promise.all(mayMiss.map((name) => isMissing(shared, request, { said, name })));
  return {
    names: leaveOut(
      names,
      mayMiss.filter((_, i) => gone[i]),
    ),
    ignoreUnavailable: false,
  };
};

/** With the client's own rights; what cannot be seen is taken to be there. */
const isMissing = async (
  { deps }: Pick<Shared, 'deps'>,
  request: ClientRequest,
  { said, name }: { said: SaidAnew; name: string },
): Promise<boolean> => {
  const { headers } = await readRequestBody(request, deps.limits.maxBodyBytes);
  const path = `/${encodeURIComponent(name.slice(1))}`;
  try {
    const answer = await deps.transports[said.side].request({ method: 'HEAD', path, headers, signal: request.aborted });
    return answer.status === 404;
  } catch {
    return false;
  }
};

/** They stand at the end; the client may have said the same before. */
const leaveOut = (names: readonly string[], gone: readonly string[]): string[] => {
  const left = [...names];
  for (const name of gone) left.splice(left.lastIndexOf(name), 1);
  return left;
};
