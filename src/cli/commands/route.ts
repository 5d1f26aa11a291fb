/**
 * `route set|reset|delete`: the keys that people turn. They are written unconditionally, the last writer wins, exactly as
 * `nats kv put` does it, because these are the brake and the throttle and must never answer "conflict".
 */
import { formatPercent, type Parsed, parsePercent, parseRate, parseStop } from '../../coordination/human-values.ts';
import { keys, type PercentKind, percentKinds } from '../../coordination/keys.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { CrossfadeError } from '../../errors.ts';
import { CliError } from '../cli-error.ts';
import { confirm } from '../confirm.ts';
import type { CliContext, Outcome } from '../context.ts';
import { requireRoute } from '../route-states.ts';

type Knob = { key: string; read: (text: string) => Parsed<string> };

const map = <T>(parsed: Parsed<T>, to: (value: T) => string): Parsed<string> =>
  parsed.ok ? { ok: true, value: to(parsed.value) } : parsed;

const percentKnob = (slug: string, kind: PercentKind): Knob => ({
  key: keys.percent(slug, kind),
  read: (text) => map(parsePercent(text), formatPercent),
});

const knobsOf = (slug: string): ReadonlyMap<string, Knob> =>
  new Map([
    ...percentKinds.map((kind): [string, Knob] => [`pct.${kind}`, percentKnob(slug, kind)]),
    ['stop', { key: keys.stop(slug), read: (text) => map(parseStop(text), (on) => (on ? 'on' : 'off')) }],
    ['rate', { key: keys.rate(slug), read: (text) => map(parseRate(text), String) }],
  ]);

/** `products.pct.read` into slug and knob; a slug holds no dot. */
const splitName = (name: string): { slug: string; knob: string } => {
  const dot = name.indexOf('.');
  if (dot < 1) throw new CliError('usage', `${name} names no setting; write for example ${name}.pct.read`);
  return { slug: name.slice(0, dot), knob: name.slice(dot + 1) };
};

const knobOf = (slug: string, name: string): Knob => {
  const knobs = knobsOf(slug);
  const knob = knobs.get(name);
  if (knob === undefined)
    throw new CliError('usage', `${name} is no setting of a route; there are ${[...knobs.keys()].join(', ')}`);
  return knob;
};

/** Why a value just set changes nothing yet; undefined when it does. */
const noteFor = (state: RouteState, knob: string): string | undefined => {
  const phase = state.phase.phase;
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
  const knob = knobOf(slug, knobName);
  const parsed = knob.read(value);
  if (!parsed.ok) throw new CliError('usage', parsed.message);
  const state = await requireRoute(context.store, slug);
  const note = noteFor(state, knobName);
  if (note !== undefined) context.io.note(note);
  const { dryRun } = context.options;
  const revision = dryRun ? null : await context.store.config.put(knob.key, parsed.value);
  return {
    text: `${name} ${dryRun ? 'would be' : 'is'} ${parsed.value}`,
    json: { key: knob.key, value: parsed.value, revision },
    next: `status ${slug}`,
  };
};

export const routeReset = async (context: CliContext, { slug }: { slug: string }): Promise<Outcome> => {
  await requireRoute(context.store, slug);
  // Reads come home with the first deletion; the brake goes last, so that nothing leaves again in between.
  const reset = [...percentKinds.map((kind) => keys.percent(slug, kind)), keys.stop(slug)];
  if (!context.options.dryRun) for (const key of reset) await context.store.config.delete(key);
  return {
    text: `${slug} ${context.options.dryRun ? 'would be' : 'is'} reset: read 0 %, shadow 0 %, write 100 %, stop off`,
    json: { route: slug, deleted: reset },
    next: `status ${slug}`,
  };
};

const deletable = (state: RouteState): void => {
  const { phase } = state.phase;
  if (phase === 'off' || phase === 'final') return;
  throw new CrossfadeError('PHASE_REFUSED', `A route can be deleted in off or final; ${state.slug} is in ${phase}.`);
};

/** The phase record stays: epochs are never used twice, also when a route of this name is applied again. */
export const routeDelete = async (context: CliContext, { slug }: { slug: string }): Promise<Outcome> => {
  deletable(await requireRoute(context.store, slug));
  await confirm(context, `Delete route ${slug}?`);
  const { config } = context.store;
  const job = await config.list(`job.${slug}.`);
  const settings = [...knobsOf(slug).values()].map(({ key }) => key);
  const gone = [keys.config(slug), keys.ask(slug), ...settings, ...job.map(({ key }) => key)];
  if (!context.options.dryRun) for (const key of gone) await config.delete(key);
  return {
    text: `${slug} ${context.options.dryRun ? 'would be' : 'is'} deleted`,
    json: { route: slug, deleted: gone },
    next: 'status',
  };
};
