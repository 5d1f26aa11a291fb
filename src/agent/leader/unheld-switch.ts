/**
 * Ends a switch that was prepared and never held: its preparation failed half-way, or its leader died before the hold. Its
 * write aliases stand open on both sides, by which nobody could tell the authority, and they must not be closed under the
 * present record, from which a leader that wakes up late could hold still. So a record passes them over, and with that
 * one settled they are closed as after any switch. Invariant: the aliases of that record are open before it is written.
 */
import { authorityIn, hasFollower, sides } from '../../coordination/records.ts';
import { switchEpochs } from '../../coordination/phase-machine.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { ensureFence, openAliases } from './alias-keeper.ts';
import { patient } from './alias-watch.ts';
import { openEpoch } from './epochs.ts';
import type { Leading } from './leading.ts';

const reason = 'a switch was prepared and never held';

/** After the asks of a turn: who repeats the switch needs what was prepared. @throws what clusters and store throw */
export const endUnheldSwitch = async (leading: Leading, state: RouteState): Promise<void> => {
  const { deps, writer, journal } = leading;
  const { slug, spec, phase: record, phaseRevision: revision } = state;
  if (!leading.prepared || !deps.lease.isHeld()) return;
  if (record.hold !== undefined || !hasFollower(record.phase)) return;
  const clusters = patient(leading);
  const authority = authorityIn(record.phase);
  const { release } = switchEpochs(record.epoch);
  for (const side of sides) {
    await ensureFence(clusters[side]);
    await openAliases(clusters[side], slug, openEpoch(spec, release, { authority, side }));
  }
  const step = await writer.step({ kind: 'pass_over' }, { reason, from: { record, revision } });
  // Under another record it is looked for anew.
  leading.prepared = false;
  if (!step.ok) return;
  deps.onStep?.(slug, step.write);
  await journal.audit({ what: 'switch passed over', reason });
};
