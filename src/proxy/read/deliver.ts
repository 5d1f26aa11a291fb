/** Gives a buffered answer of a cluster to the client, with the headers that depend on who answered. */
import type { RouteState } from '../../coordination/ports.ts';
import type { Side } from '../../coordination/records.ts';
import type { UpstreamAnswer } from '../../upstream/types.ts';
import type { ClientRequest } from '../client-request.ts';

export const sideHeaderName = 'x-crossfade-side';

/** Empty when the process or the route has it switched off. */
export const sideHeaders = (
  deps: { readonly sideHeader: boolean },
  side: Side | 'both',
  state: RouteState | undefined,
): Record<string, string> =>
  deps.sideHeader && state?.spec.reads.sideHeader !== false
    ? { [sideHeaderName]: side === 'both' ? 'source, target' : side }
    : {};

type Delivery = {
  readonly status: number;
  readonly headers: UpstreamAnswer['headers'];
  readonly body: Buffer;
  readonly extra: Readonly<Record<string, string>>;
};

/** An answer to HEAD keeps its length, because its body is empty. */
export const deliver = (request: Pick<ClientRequest, 'respond'>, { status, headers, body, extra }: Delivery): void =>
  request.respond({ status, headers: { ...headers, ...extra }, body });
