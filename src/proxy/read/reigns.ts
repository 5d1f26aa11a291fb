/**
 * In which reign a token belongs that stands in an answer over several routes, or over routed and other indices: that of the
 * hit's own route, if the side that answered is its authority now. Such a token was given by the same shards that will be asked
 * to match it, where one pair of sequence number and term never names two revisions, so it does not matter if the cursor that
 * shows it was opened before a switch. Pure.
 */
import type { RouteState } from '../../coordination/ports.ts';
import { authorityIn, type Side } from '../../coordination/records.ts';
import type { RouteTable } from '../types.ts';
import { type CursorOrigin, noReign } from './cursor-token.ts';

/** By the index's name on the side that answers; undefined = the side is not its authority. */
export type ReignOf = (index: string) => number | undefined;

/** Writes to an index without a route go to the source as the client says them, as in the first reign. */
export const unroutedReign = 1;

type OnSide = { readonly side: Side; readonly sameCluster?: boolean | undefined };

export const reignsOn = ({ states }: Pick<RouteTable, 'states'>, { side, sameCluster = false }: OnSide): ReignOf => {
  const sides: readonly Side[] = sameCluster ? ['source', 'target'] : [side];
  const routed = new Map(sides.flatMap((own) => states.flatMap((state) => reignsBy(state, own))));
  return (index) => {
    if (routed.has(index)) return routed.get(index);
    return side === 'source' || sameCluster ? unroutedReign : undefined;
  };
};

const reignsBy = ({ spec, phase }: RouteState, side: Side) =>
  spec.indices.map((pair) => [pair[side], authorityIn(phase.phase) === side ? phase.reign : undefined] as const);

type Addressed = { readonly states: readonly RouteState[]; readonly unrouted: boolean };

/** The origin of an answer of the side that is the authority of all these routes. */
export const originOfAll = (side: Side, { states, unrouted }: Addressed): CursorOrigin => {
  const reigns = new Set([...states.map(({ phase }) => phase.reign), ...(unrouted ? [unroutedReign] : [])]);
  const [reign = noReign, ...others] = reigns;
  return { side, reign: others.length === 0 ? reign : noReign };
};
