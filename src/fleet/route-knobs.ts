/**
 * The keys of a route that people turn: percentages, stop, rate. Shared by command line and admin API, so that both take
 * the same texts and write the same bytes as `nats kv put`: unconditionally, last writer wins, because the brake and the
 * throttle must never answer "conflict".
 */
import { formatPercent, type Parsed, parsePercent, parseRate, parseStop } from '../coordination/human-values.ts';
import { keys, type PercentKind, percentKinds } from '../coordination/keys.ts';
import type { Bucket } from '../coordination/ports.ts';
import { CrossfadeError } from '../errors.ts';

export const knobNames = ['pct.read', 'pct.shadow', 'pct.write', 'stop', 'rate'] as const;
export type KnobName = (typeof knobNames)[number];

const map = <T>(parsed: Parsed<T>, to: (value: T) => string): Parsed<string> =>
  parsed.ok ? { ok: true, value: to(parsed.value) } : parsed;

export const knobKey = (slug: string, knob: KnobName): string => {
  if (knob === 'stop') return keys.stop(slug);
  return knob === 'rate' ? keys.rate(slug) : keys.percent(slug, knob.slice('pct.'.length) as PercentKind);
};

/** The bytes to write for a text that a person typed. */
export const readKnob = (knob: KnobName, text: string): Parsed<string> => {
  switch (knob) {
    case 'pct.read':
    case 'pct.shadow':
    case 'pct.write':
      return map(parsePercent(text), formatPercent);
    case 'stop':
      return map(parseStop(text), (on) => (on ? 'on' : 'off'));
    case 'rate':
      return map(parseRate(text), String);
    default:
      return knob satisfies never;
  }
};

export type Turn = { slug: string; knob: KnobName; text: string };

/** @throws CrossfadeError USAGE when the text is no value of the knob; what the store throws */
export const turnKnob = async (config: Bucket, { slug, knob, text }: Turn, dryRun = false) => {
  const parsed = readKnob(knob, text);
  if (!parsed.ok) throw new CrossfadeError('USAGE', parsed.message);
  const key = knobKey(slug, knob);
  return { key, value: parsed.value, revision: dryRun ? null : await config.put(key, parsed.value) };
};

/** In this order: reads come home with the first deletion, and the brake goes last, so that nothing leaves in between. */
export const resetKeys = (slug: string): string[] => [
  ...percentKinds.map((kind) => keys.percent(slug, kind)),
  keys.stop(slug),
];

export const resetKnobs = async (config: Bucket, slug: string): Promise<string[]> => {
  const reset = resetKeys(slug);
  for (const key of reset) await config.delete(key);
  return reset;
};
