/**
 * The executors of routed plans, as one type: execute.ts switches over the kinds and calls them, the write and read rooms
 * implement them. An executor answers its request exactly once, or throws a CrossfadeError, which is then the answer.
 */
import type { ClientRequest } from './client-request.ts';
import type { Plan } from './types.ts';

/** Kinds that need more than the streaming of bytes or the rendering of an error. */
export type RoutedKind = Exclude<Plan['kind'], 'pass' | 'reject'>;

export type Executors = {
  readonly [K in RoutedKind]: (request: ClientRequest, plan: Extract<Plan, { kind: K }>) => Promise<void>;
};
