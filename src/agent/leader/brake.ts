/**
 * When the brake in `target`, which is a rollback, may be tried again. Each try that was given up has held the writes of all
 * members for nothing, so the tries become rarer; one that the gate refused cost nobody anything and may be repeated at
 * once. Pure.
 */
import type { AskResult } from '../../coordination/records.ts';

export type Brake = { readonly givenUp: number; readonly triedAtMs: number };
export const released: Brake = { givenUp: 0, triedAtMs: Number.NEGATIVE_INFINITY };

const firstMs = 5_000;
const longestMs = 60_000;

export const rests = ({ givenUp, triedAtMs }: Brake, nowMs: number): boolean =>
  givenUp > 0 && nowMs - triedAtMs < Math.min(firstMs * 2 ** (givenUp - 1), longestMs);

export const brakeAfter = (brake: Brake, end: AskResult['state'], nowMs: number): Brake => {
  if (end === 'done') return released;
  return end === 'refused' ? brake : { givenUp: brake.givenUp + 1, triedAtMs: nowMs };
};
