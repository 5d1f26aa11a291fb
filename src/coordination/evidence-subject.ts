/**
 * What the evidence of shadow reads is about, as a text that changes when it does: another spec, phase, reign or share of
 * reads begins anew, so that a verdict never rests on what was true of another step, nor on what was missing while the
 * backfill ran. Every member computes the same text.
 */
import type { RouteState } from './ports.ts';

export const evidenceSubject = ({ specRevision, phase, percent, stop }: RouteState, isFilled: boolean): string =>
  [
    specRevision,
    phase.phase,
    phase.reign,
    stop ? 'stop' : percent.read,
    ...(phase.phase === 'dual' && !isFilled ? ['filling'] : []),
  ].join(' ');
