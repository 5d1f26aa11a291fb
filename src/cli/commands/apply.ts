/** `apply -f`: puts route files into the store, each by compare-and-set on the spec that was looked at. */
import { readFileSync } from 'node:fs';
import { renderIssues } from '../../config/issues.ts';
import { readRouteFile } from '../../config/route-file.ts';
import type { RouteStates } from '../../coordination/ports.ts';
import type { RouteSpec } from '../../coordination/route-spec.ts';
import { CrossfadeError } from '../../errors.ts';
import { changedFields, type Objection, objectionTo } from '../apply-check.ts';
import { audited } from '../audited.ts';
import { CliError } from '../cli-error.ts';
import type { CliContext, Outcome } from '../context.ts';
import { readStates } from '../route-states.ts';
import { writeSpec } from '../write-spec.ts';

const readText = async (path: string, { io }: CliContext): Promise<string> => {
  if (path === '-') return io.readStdin();
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new CliError('config', `${path} cannot be read: ${(error as Error).message}`);
  }
};

const readSpecs = async (path: string, context: CliContext): Promise<RouteSpec[]> => {
  const file = readRouteFile(await readText(path, context));
  if (!file.ok) throw new CliError('config', renderIssues(file.issues).replace('configuration', path));
  return file.specs;
};

type Applied = { route: string; changed: string[]; revision: number | null };

const refuseRepeated = (specs: readonly RouteSpec[]): void => {
  const repeated = specs.find(({ route }, i) => specs.findIndex((other) => other.route === route) < i);
  if (repeated !== undefined) throw new CliError('config', `route ${repeated.route} stands in the file twice`);
};

/** All routes once the file is applied, so that its documents are held against each other too. */
const specsAfter = (specs: readonly RouteSpec[], states: RouteStates): RouteSpec[] => {
  const replaced = new Set(specs.map(({ route }) => route));
  return [...specs, ...[...states.values()].map(({ spec }) => spec).filter(({ route }) => !replaced.has(route))];
};

const refusalOf = ({ kind, message }: Objection): Error =>
  kind === 'config' ? new CliError('config', message) : new CrossfadeError('PHASE_REFUSED', message);

const wouldApply = (spec: RouteSpec, states: RouteStates): Applied => ({
  route: spec.route,
  changed: changedFields(states.get(spec.route)?.spec, spec),
  revision: null,
});

/** Judged again: a file has been written before it, and a route may move at any time. */
const applyOne = async (context: CliContext, spec: RouteSpec, specs: readonly RouteSpec[]): Promise<Applied> => {
  const written = await writeSpec(context.store, spec, (states) => specsAfter(specs, states));
  if (written.objection !== undefined) throw refusalOf(written.objection);
  const { changed, revision } = written;
  if (revision !== null) await audited(context, { slug: spec.route, what: 'apply', evidence: { changed } });
  return { route: spec.route, changed, revision };
};

const line = ({ route, changed, revision }: Applied): string => {
  if (changed.length === 0) return `${route}: unchanged`;
  return `${route}: ${revision === null ? 'would apply' : 'applied'} (${changed.join(', ')})`;
};

export const apply = async (context: CliContext, { file }: { file: string }): Promise<Outcome> => {
  const specs = await readSpecs(file, context);
  const states = await readStates(context.store);
  refuseRepeated(specs);
  const all = specsAfter(specs, states);
  for (const spec of specs) {
    const objection = objectionTo(spec, states.get(spec.route), all);
    if (objection !== undefined) throw refusalOf(objection);
  }
  const applied: Applied[] = [];
  for (const spec of specs)
    applied.push(context.options.dryRun ? wouldApply(spec, states) : await applyOne(context, spec, specs));
  const fresh = specs.find(({ route }) => (states.get(route)?.phase.phase ?? 'off') === 'off');
  return {
    text: applied.map(line).join('\n'),
    json: { applied },
    next: fresh === undefined ? `status ${specs[0]?.route}` : `phase ${fresh.route} observe`,
  };
};
