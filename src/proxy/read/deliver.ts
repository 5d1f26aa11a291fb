/** Gives a buffered answer of a cluster to the client, with the headers that depend on who answered. */
import type { RouteState } from '../../coordination/ports.ts';
import type { Side } from '../../coordination/records.ts';
import type { UpstreamAnswer } from '../../upstream/types.ts';
import type { ClientRequest } from '../client-request.ts';
import type { RouteTable } from '../types.ts';

const sideHeaderName = 'x-crossfade-side';

type HeaderRules = { readonly sideHeader: boolean; readonly table: () => Pick<RouteTable, 'states'> };

/** Empty when the process or the route has it switched off; for answers of no single route, when any route has. */
export const sideHeaders = (
  { sideHeader, table }: HeaderRules,
  side: Side | 'both',
  state: RouteState | undefined,
): Record<string, string> => {
  const asked = state === undefined ? table().states : [state];
  if (!sideHeader || asked.some(({ spec }) => !spec.reads.sideHeader)) return {};
  return { [sideHeaderName]: side === 'both' ? 'source, target' : side };
};

type Delivery = {
  readonly status: number;
  readonly headers: UpstreamAnswer['headers'];
  readonly body: Buffer;
  readonly extra: Readonly<Record<string, string>>;
};

/** An answer to HEAD keeps its length, because its body is empty. */
export const deliver = (request: Pick<ClientRequest, 'respond'>, { status, headers, body, extra }: Delivery): void =>
  request.respond({ status, headers: { ...headers, ...extra }, body });
