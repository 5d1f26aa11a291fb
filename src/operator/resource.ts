/**
 * A `Migration`, the resource that people keep in Git, as far as the operator reads and writes it. Pure. `spec.route` is a
 * route file without its name, which is the name of the resource; what it may hold is judged by RouteSpec, not by the
 * custom resource definition. Fields left out of the spec are left alone in the store.
 */
import * as z from 'zod';
import { fromZod } from '../config/issues.ts';
import { schemaNode } from '../config/settings.ts';
import { percentKinds } from '../coordination/keys.ts';
import { phases } from '../coordination/records.ts';
import { RouteSpec } from '../coordination/route-spec.ts';
import { stages } from '../coordination/job-status.ts';
import { type KnobName, readKnob } from '../fleet/route-knobs.ts';

export const group = 'crossfade.dev';
export const version = 'v1alpha1';
export const plural = 'migrations';

const percent = z.number().min(0).max(100);
export const MigrationSpec = z.strictObject({
  route: z.record(z.string(), z.unknown()),
  phase: z.enum(phases).optional(),
  percent: z.strictObject({ read: percent, shadow: percent, write: percent }).partial().optional(),
  stop: z.boolean().optional(),
  rate: z.union([z.number(), z.literal('pause')]).optional(),
});
export type MigrationSpec = z.infer<typeof MigrationSpec>;

export const conditionTypes = ['Accepted', 'PhaseReached', 'SafeToAdvance', 'SafeToRollBack'] as const;
export const Condition = z.object({
  type: z.enum(conditionTypes),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string(),
  message: z.string(),
  observedGeneration: z.int(),
  lastTransitionTime: z.string(),
});
export type Condition = z.infer<typeof Condition>;

/** What was asked of the leader on behalf of one generation of the spec, and is not asked again. */
export const Asked = z.object({
  generation: z.int(),
  requests: z.array(z.object({ what: z.string(), id: z.string() })),
});
export type Asked = z.infer<typeof Asked>;

const known = (values: readonly unknown[]): Condition[] =>
  values.flatMap((value) => Condition.safeParse(value).data ?? []);

/**
 * Each field is read for itself: a condition that somebody else wrote, or a stage of another version, must not make the
 * operator forget what it asked for. The definition keeps `asked` whole.
 */
export const MigrationStatus = z.object({
  observedGeneration: z.int().optional().catch(undefined),
  phase: z.enum(phases).optional().catch(undefined),
  stage: z.enum(stages).optional().catch(undefined),
  epoch: z.int().optional().catch(undefined),
  reign: z.int().optional().catch(undefined),
  asked: Asked.optional(),
  conditions: z.array(z.unknown()).default([]).transform(known),
});
export type MigrationStatus = z.infer<typeof MigrationStatus>;

/** Strict in what is asked for, lenient in what only the API server and this operator write. */
export const Migration = z.object({
  metadata: z.object({
    name: z.string(),
    uid: z.string(),
    generation: z.int(),
    resourceVersion: z.string(),
    deletionTimestamp: z.string().optional(),
  }),
  spec: z.unknown(),
  status: MigrationStatus.optional(),
});
export type Migration = z.infer<typeof Migration>;

export type Knob = { knob: KnobName; text: string };

/** The keys that the spec names, with what a person would write. */
export const knobsIn = ({ percent = {}, stop, rate }: Pick<MigrationSpec, 'percent' | 'stop' | 'rate'>): Knob[] => [
  ...percentKinds.flatMap((kind): Knob[] =>
    percent[kind] === undefined ? [] : [{ knob: `pct.${kind}`, text: String(percent[kind]) }],
  ),
  ...(rate === undefined ? [] : [{ knob: 'rate' as const, text: String(rate) }]),
  // The brake last when it is let go, and with everything else when it is put on.
  ...(stop === undefined ? [] : [{ knob: 'stop' as const, text: stop ? 'on' : 'off' }]),
];

/** Judged as a whole before the first is turned: one that fails later would have the others turned again each pass. */
const knobProblems = (spec: MigrationSpec): string[] =>
  knobsIn(spec).flatMap(({ knob, text }) => {
    const parsed = readKnob(knob, text);
    return parsed.ok ? [] : [`${knob.replace('pct.', 'percent.')}: ${parsed.message}`];
  });

export type Wanted = Omit<MigrationSpec, 'route'> & { route: RouteSpec };
export type ReadSpec = { ok: true; wanted: Wanted } | { ok: false; message: string };

const issuesOf = (error: z.ZodError, schema: z.ZodType, values: unknown): string =>
  error.issues
    .flatMap((issue) => fromZod(issue, { root: schemaNode(schema), values, variables: undefined }))
    .map(({ path, expected }) => `${path}: expected ${expected}`)
    .join('; ');

export const readSpec = (name: string, spec: unknown): ReadSpec => {
  const outer = MigrationSpec.safeParse(spec);
  if (!outer.success) return { ok: false, message: issuesOf(outer.error, MigrationSpec, spec) };
  const problems = knobProblems(outer.data);
  if (problems.length > 0) return { ok: false, message: problems.join('; ') };
  if ('route' in outer.data.route)
    return { ok: false, message: 'route.route: expected nothing; the route has the name of the resource' };
  const values = { ...outer.data.route, route: name };
  const route = RouteSpec.safeParse(values);
  if (!route.success) return { ok: false, message: issuesOf(route.error, RouteSpec, values) };
  return { ok: true, wanted: { ...outer.data, route: route.data as RouteSpec } };
};
