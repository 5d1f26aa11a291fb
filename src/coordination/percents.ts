/**
 * The percentages in force: what people wrote, after phase and stop. There is a follower to send anything to in `dual` and
 * `target` only. `read` and `shadow` are shares sent to the follower, so the brake `stop` takes both to 0 and brings
 * every read home; copies go on, or the follower would fall behind because somebody braked.
 */
import type { RouteState } from './ports.ts';
import type { Percents } from './records.ts';

export const effectivePercents = ({
  phase,
  percent,
  stop,
}: Pick<RouteState, 'phase' | 'percent' | 'stop'>): Percents => {
  if (phase.phase !== 'dual' && phase.phase !== 'target') return { read: 0, shadow: 0, write: 0 };
  return stop ? { read: 0, shadow: 0, write: percent.write } : percent;
};
