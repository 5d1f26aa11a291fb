/**
 * `route set|reset|delete`: the keys that people turn, and the end of a route.
 */

import { meant } from '../../config/closest.ts';
import { bootPrefix, keys } from '../../coordination/keys.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { CrossfadeError } from '../../errors.ts';
import { doubtOf } from '../../fleet/known-routes.ts';
import { type KnobName, knobKey, knobNames, resetKeys, resetKnobs, turnKnob } from '../../fleet/route-knobs.ts';
import { audited } from '../audited.ts';
import { CliError } from '../cli-error.ts';
import { confirm } from '../confirm.ts';
import type { CliContext, Outcome } from '../context.ts';
import { openRequest, requireRoute } from '../route-states.ts';

/** `products.pct.read` into slug and knob; a slug holds no dot. */
const splitName = (name: string): { slug: string; knob: string } => {
  const dot = name.indexOf('.');
  if (dot < 1) throw new CliError('usage', `${name} names no setting; write for example ${name}.pct.read`);
  return { slug: name.slice(0, dot), knob: name.slice(dot + 1) };
};

const knobOf = (name: string): KnobName => {
  const knob = knobNames.find((known) => known === name);
  if (knob === undefined) throw new CliError('usage', `${name} is no setting of a route; ${meant(name, knobNames)}`);
  return knob;
};

/** What a person may not expect of a value just set: that it changes nothing yet, or more than it says. */
const noteFor = (state: RouteState, { knob, value }: { knob: KnobName; value: string }): string | undefined => {
  const phase = state.phase.phase;
  if (knob === 'stop' && value === 'on' && phase === 'target')
    return 'The route is in target: stop asks the leader for a rollback, again and again until it is done.';
  if (knob.startsWith('pct.') && phase !== 'dual' && phase !== 'target')
    return `The route is in ${phase}: percentages take effect in dual.`;
  if (knob === 'pct.read' && state.stop) return 'The stop key is on: all reads stay on the authority until it is off.';
  return undefined;
};

export const routeSet = async (
  context: CliContext,
  { name, value }: { name: string; value: string },
): Promise<Outcome> => {
  const { slug, knob: knobName } = splitName(name);
  const turn = { slug, knob: knobOf(knobName), text: value };
  const { dryRun } = context.options;
  const state = await requireRoute(context.store, slug);
  const before = (await context.store.config.get(knobKey(slug, turn.knob)))?.value ?? null;
  const written = await turnKnob(context.store.config, turn, dryRun);
  await audited(context, { slug, what: `set ${turn.knob} ${written.value}`, evidence: { before } });
  const note = noteFor(state, { knob: turn.knob, value: written.value });
  if (note !== undefined) context.io.note(note);
  return {
    text: `${name} ${dryRun ? 'would be' : 'is'} ${written.value}`,
    json: written,
    next: `status ${slug}`,
  };
};

export const routeReset = async (context: CliContext, { slug }: { slug: string }): Promise<Outcome> => {
  const { dryRun } = context.options;
  await requireRoute(context.store, slug);
  const deleted = dryRun ? resetKeys(slug) : await resetKnobs(context.store.config, slug);
  await audited(context, { slug, what: 'reset' });
  return {
    text: `${slug} ${dryRun ? 'would be' : 'is'} reset: read 0 %, shadow 0 %, write 100 %, stop off`,
    json: { route: slug, deleted },
    next: `status ${slug}`,
  };
};

/** Elsewhere a member that starts would find a route in force whose traffic it cannot tell, and refuse everything. */
const deletable = (state: RouteState): void => {
  const { slug, phase } = { slug: state.slug, phase: state.phase.phase };
  const doubt = doubtOf(state);
  if (doubt !== undefined) throw new CrossfadeError('PHASE_REFUSED', doubt);
  if (phase === 'off') return;
  throw new CrossfadeError('PHASE_REFUSED', `A route can be deleted in off only; ${slug} is in ${phase}.`);
};

const refuseOpenAsk = async ({ store }: CliContext, slug: string): Promise<void> => {
  const open = await openRequest(store, slug);
  if (open !== undefined) throw new CrossfadeError('STORE_CONFLICT', open);
};

/** The spec goes first, and only the one that was there before the last look: nothing of a route that moves is deleted. */
const deleteKeys = async (context: CliContext, slug: string, gone: readonly string[]): Promise<void> => {
  const { config } = context.store;
  const spec = await config.get(keys.config(slug));
  await refuseOpenAsk(context, slug);
  deletable(await requireRoute(context.store, slug));
  if (context.options.dryRun) return;
  if (spec !== undefined) await config.delete(spec.key, spec.revision);
  for (const key of gone) await config.delete(key);
};

/** The phase record stays: epochs are never used twice, also when a route of this name is applied again. */
export const routeDelete = async (context: CliContext, { slug }: { slug: string }): Promise<Outcome> => {
  deletable(await requireRoute(context.store, slug));
  await confirm(context, `Delete route ${slug}?`);
  const { config } = context.store;
  // Who may still write to the source is lost to a route of this name that is applied again, unless the list of them stays.
  const job = (await config.list(`job.${slug}.`)).filter(({ key }) => !key.startsWith(bootPrefix(slug)));
  const settings = knobNames.map((knob) => knobKey(slug, knob));
  const gone = [keys.ask(slug), ...settings, ...job.map(({ key }) => key)];
  // The question may have stood for minutes.
  await deleteKeys(context, slug, gone);
  await audited(context, { slug, what: 'route deleted' });
  return {
    text: `${slug} ${context.options.dryRun ? 'would be' : 'is'} deleted`,
    json: { route: slug, deleted: [keys.config(slug), ...gone] },
    next: 'status',
  };
};
