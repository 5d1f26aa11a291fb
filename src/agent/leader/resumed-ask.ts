/**
 * What became of an ask whose leader died after it had begun: told from the phase record as it was then and as it is now.
 * Repeating it blindly would be wrong, because `advance` means another step once the first one was done. Whoever asked gets
 * an answer also when somebody else's ask has taken its place meanwhile. Pure.
 */
import * as z from 'zod';
import type { Ask, AskResult, PhaseRecord } from '../../coordination/records.ts';
import { askActions, phases } from '../../coordination/records.ts';

/** Where the route stood when a leader began an ask; kept in the answer `running`. */
export const Begun = z.object({ phase: z.enum(phases), epoch: z.int(), reign: z.int() });
export type Begun = z.infer<typeof Begun>;
export const begunAt = ({ phase, epoch, reign }: PhaseRecord): Begun => ({ phase, epoch, reign });

/** Begun, not answered, and replaced by a newer ask. */
export type Overtaken = Pick<AskResult, 'id'> & { action: Ask['action'] | undefined; begun: Begun | undefined };
/** `details` as they were left in the answer `running`. */
export const overtaken = ({ id, details }: Pick<AskResult, 'id' | 'details'>): Overtaken => {
  const known = Begun.extend({ action: z.enum(askActions) }).safeParse(details).data;
  return { id, action: known?.action, begun: known };
};

type Result = Pick<AskResult, 'state' | 'code' | 'message'>;

/** These step from wherever the route stands; all others name what they want and can be repeated. */
const relative: ReadonlySet<Ask['action']> = new Set(['advance', 'rollback', 'rehearse']);

/** The answer that is due, or undefined when the ask must (still) be carried out. */
export const resumedResult = (
  { action }: Pick<Ask, 'action'>,
  begun: Begun | undefined,
  now: Begun,
): Result | undefined => {
  if (begun === undefined || !relative.has(action)) return undefined;
  if (now.phase !== begun.phase || now.reign !== begun.reign)
    return { state: 'done', message: `phase ${now.phase}, reached by the leader before` };
  if (now.epoch === begun.epoch) return undefined;
  return {
    state: 'aborted',
    code: 'CUTOVER_ABORTED',
    message: 'the leader of the switch is gone, writes were released',
  };
};

/** The answer that is due to an ask in whose place another one stands. */
export const overtakenResult = ({ action, begun }: Overtaken, now: Begun): Result =>
  (action && resumedResult({ action }, begun, now)) ?? {
    state: 'aborted',
    code: 'STORE_CONFLICT',
    message: 'somebody else asked for something before it was done',
  };
