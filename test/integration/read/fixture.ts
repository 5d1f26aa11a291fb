/**
 * One route on the two real clusters: twenty documents on the source, the same on the target as stamped copies (the index
 * has another name there), and a third index without a route on the source alone.
 */
import { afterAll, beforeAll } from 'vitest';
import type { RouteState } from '../../../src/coordination/ports.ts';
import type { Percents, Phase, Side } from '../../../src/coordination/records.ts';
import { RouteSpec } from '../../../src/coordination/route-spec.ts';
import { packStamp } from '../../../src/coordination/stamp.ts';
import { type Got, type ReadStack, sendTo, startReadStack } from '../../support/read-stack.ts';
import { routeState } from '../../support/routes.ts';
import { services, uniqueName } from '../../support/services.ts';

export const documents = 20;

export type Fixture = {
  readonly stack: ReadStack;
  readonly slug: string;
  readonly source: string;
  readonly target: string;
  /** On the source only. */
  readonly unrouted: string;
  readonly urls: Readonly<Record<Side, string>>;
  on(side: Side, method: string, path: string, body?: unknown): Promise<Got>;
  /** Through the proxy. */
  send: ReadStack['send'];
  /** Puts the route into a phase with percentages. */
  set(change: { phase?: Phase; reign?: number; percent?: Partial<Percents>; stop?: boolean; spec?: object }): void;
};

type Options = Pick<Parameters<typeof startReadStack>[0], 'deps' | 'shadow'> & {
  /** Both indices on the first cluster. */
  oneCluster?: boolean;
};

let revisions = 1;
export const stateFor = (
  { slug, source, target }: Pick<Fixture, 'slug' | 'source' | 'target'>,
  { phase = 'dual', reign = 1, percent = {}, stop = false, spec = {} }: Parameters<Fixture['set']>[0],
): RouteState => {
  const indices = [{ source, target }];
  const state = routeState({ slug, phase, indices, aliases: [slug], percent, stop });
  const parsed = RouteSpec.parse({ route: slug, indices, aliases: [slug], ...spec });
  // What is derived from a spec is kept by its revision.
  // A reign after the first began with a switch, which leaves a floor.
  const percentFloor = reign > 1 ? 1 : 0;
  return { ...state, spec: parsed, specRevision: revisions++, phase: { ...state.phase, reign, percentFloor } };
};

export const useRoute = ({ oneCluster = false, ...options }: Options = {}): Fixture => {
  const fixture = {} as { -readonly [K in keyof Fixture]: Fixture[K] };
  beforeAll(async () => {
    const { sourceUrl, targetUrl: otherUrl } = await services();
    const targetUrl = oneCluster ? sourceUrl : otherUrl;
    const deps = oneCluster ? { ...options.deps, sameCluster: true } : options.deps;
    const slug = uniqueName('rd');
    const names = { slug, source: `${slug}-v1`, target: `${slug}-v2`, unrouted: `${slug}-other` };
    const urls = { source: sourceUrl, target: targetUrl };
    const stack = await startReadStack({ sourceUrl, targetUrl, ...options, ...(deps === undefined ? {} : { deps }) });
    Object.assign(fixture, { ...names, urls, stack, send: stack.send } satisfies Partial<Fixture>);
    fixture.on = (side, method, path, body) => sendTo(urls[side], method, path, { body });
    fixture.set = (change) => stack.setStates(stateFor(names, change));
    await createIndices(fixture);
    await fillIndices(fixture);
  });
  afterAll(async () => {
    await fixture.stack.close();
    await fixture.on('source', 'DELETE', `/${fixture.source},${fixture.unrouted}?ignore_unavailable=true`);
    await fixture.on('target', 'DELETE', `/${fixture.target}?ignore_unavailable=true`);
  });
  return fixture;
};

const settings = { number_of_shards: 1, number_of_replicas: 0 };

const createIndices = async ({ on, slug, source, target, unrouted }: Fixture): Promise<void> => {
  await on('source', 'PUT', `/${source}`, { settings, aliases: { [slug]: {} } });
  await on('target', 'PUT', `/${target}`, { settings });
  await on('source', 'PUT', `/${unrouted}`, { settings });
};

const fillIndices = async ({ on, source, target, unrouted }: Fixture): Promise<void> => {
  const ids = Array.from({ length: documents }, (_, i) => String(i + 1));
  const lines = ids.flatMap((id) => [{ index: { _id: id } }, content(id)]);
  const written = await on('source', 'POST', `/${source}/_bulk?refresh=true`, lines);
  const copies = written.json.items.flatMap(({ index }: { index: Written }) => copyLines(index));
  await on('target', 'POST', `/${target}/_bulk?refresh=true`, copies);
  await on('source', 'PUT', `/${unrouted}/_doc/u1?refresh=true`, { n: 0, text: 'without a route' });
};

export const content = (id: string) => ({ n: Number(id), text: `document ${id}`, exact: 1.5 });

type Written = { _id: string; _seq_no: number; _primary_term: number };

/** As the copier writes them. */
export const copyLines = ({ _id, _seq_no, _primary_term }: Written, reign = 1): object[] => {
  const version = Number(packStamp('narrow', { reign, term: _primary_term, seq: _seq_no }));
  return [{ index: { _id, version, version_type: 'external' } }, content(_id)];
};

export const sideOf = ({ headers }: Got): string | undefined => headers['x-crossfade-side'] as string | undefined;
