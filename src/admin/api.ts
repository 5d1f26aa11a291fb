/**
 * The JSON API under /api. Reads show the whole fleet, since every member reads the same store; changes are the same few
 * that the command line makes, named by POST. Bodies are strict: an unknown field is an error, not a silent no.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import * as z from 'zod';
import { appendAudit } from '../coordination/audit-log.ts';
import type { Store } from '../coordination/ports.ts';
import { askActions, phases } from '../coordination/records.ts';
import { CrossfadeError } from '../errors.ts';
import { type AskDeps, readResult, submitAsk } from '../fleet/ask-leader.ts';
import type { FleetStatus, RouteStatus } from '../fleet/fleet-status.ts';
import { readAudit } from '../fleet/read-audit.ts';
import { knobKey, knobNames, resetKnobs, turnKnob } from '../fleet/route-knobs.ts';
import { addDiscrepancies, type Discrepancies } from './discrepancies-api.ts';
import type { Sampler } from './sampler.ts';

export type AdminApi = {
  store: Store;
  member: string;
  version: string;
  /** Random per process start. */
  boot: string;
  fleet(): Promise<FleetStatus>;
  discrepancies: Discrepancies;
  /** What this member itself knows; served under /api/self. */
  self(): unknown;
  /** Told of every change, for the log; the audit has it already. */
  changed(what: { by: string; action: string; route: string; reason: string }): void;
  now(): number;
  sleep(ms: number): Promise<void>;
  newId(): string;
};

/** How long a change waits for somebody else's request to end before it answers 409. */
const turnMs = 3000;

const Who = { by: z.string().min(1).max(200).default('admin API'), reason: z.string().max(2000).default('') };
const SetBody = z.strictObject({
  setting: z.enum(knobNames),
  value: z.union([z.string(), z.number(), z.boolean()]),
  ...Who,
});
const ResetBody = z.strictObject(Who);
const AskBody = z.strictObject({
  action: z.enum(askActions),
  phase: z.enum(phases).optional(),
  args: z.record(z.string(), z.unknown()).optional(),
  ...Who,
});

const parse = <S extends z.ZodType>(schema: S, body: unknown): z.infer<S> => {
  const parsed = schema.safeParse(body ?? {});
  if (!parsed.success) throw new CrossfadeError('USAGE', z.prettifyError(parsed.error));
  return parsed.data;
};

const slugOf = (request: FastifyRequest): string => (request.params as { slug: string }).slug;
const queryOf = (request: FastifyRequest): Record<string, string | undefined> =>
  request.query as Record<string, string | undefined>;

const routeOf = async (api: AdminApi, request: FastifyRequest): Promise<RouteStatus> => {
  const slug = slugOf(request);
  const route = (await api.fleet()).routes.find((found) => found.route === slug);
  if (route === undefined) throw new CrossfadeError('ROUTE_UNKNOWN', `No route is called ${slug}.`);
  return route;
};

const addReads = (app: FastifyInstance, api: AdminApi, sampler: Pick<Sampler, 'findings'>): void => {
  app.get('/api/status', () => api.fleet());
  app.get('/api/self', async () => api.self());
  app.get('/api/members', async () => ({ members: (await api.fleet()).members }));
  app.get('/api/routes', async () => ({ routes: (await api.fleet()).routes }));
  app.get('/api/routes/:slug', (request) => routeOf(api, request));
  app.get('/api/routes/:slug/audit', async (request) => ({
    entries: await readAudit(api.store, (await routeOf(api, request)).route),
  }));
  app.get('/api/routes/:slug/ask', async (request) => ({
    result: (await readResult(api.store, slugOf(request))) ?? null,
  }));
  app.get('/api/routes/:slug/discrepancies', async (request) => {
    const { route } = await routeOf(api, request);
    const { severity, shape } = queryOf(request);
    return { discrepancies: api.discrepancies.list(route, { severity, shape }) };
  });
  app.get('/api/routes/:slug/findings', async (request) => {
    const { route } = await routeOf(api, request);
    return { findings: await sampler.findings(route) };
  });
};

type Change = { by: string; action: string; route: string; reason: string; evidence?: Record<string, unknown> };

/**
 * Asks are audited by the leader. A change that is recorded here stands already: when the audit log cannot be written the
 * answer says so, and nothing is undone.
 */
const record = async (api: AdminApi, { evidence, ...change }: Change): Promise<boolean> => {
  const { by, action, route, reason } = change;
  api.changed(change);
  const entry = { at: new Date(api.now()).toISOString(), by, what: action, reason };
  return appendAudit(api.store.config, route, { ...entry, ...(evidence === undefined ? {} : { evidence }) });
};

const askDeps = (api: AdminApi, { by, reason }: { by: string; reason: string }): AskDeps => ({
  store: api.store,
  by,
  reason,
  now: api.now,
  newId: api.newId,
  sleep: api.sleep,
});

const addChanges = (app: FastifyInstance, api: AdminApi): void => {
  app.post('/api/routes/:slug/set', async (request) => {
    const { route } = await routeOf(api, request);
    const { setting, value, by, reason } = parse(SetBody, request.body);
    const before = (await api.store.config.get(knobKey(route, setting)))?.value ?? null;
    const written = await turnKnob(api.store.config, { slug: route, knob: setting, text: String(value) });
    const action = `set ${setting} ${written.value}`;
    return { ...written, audited: await record(api, { by, action, route, reason, evidence: { before } }) };
  });
  app.post('/api/routes/:slug/reset', async (request) => {
    const { route } = await routeOf(api, request);
    const { by, reason } = parse(ResetBody, request.body);
    const deleted = await resetKnobs(api.store.config, route);
    return { deleted, audited: await record(api, { by, action: 'reset', route, reason }) };
  });
  app.post('/api/routes/:slug/ask', async (request, reply) => {
    const { route } = await routeOf(api, request);
    const { action, phase, args, ...who } = parse(AskBody, request.body);
    const submitted = await submitAsk(askDeps(api, who), { slug: route, action, phase, args }, turnMs);
    api.changed({ ...who, action, route });
    return reply.code(202).send({ id: submitted.ask.id });
  });
};

export const addApi = (app: FastifyInstance, api: AdminApi, sampler: Pick<Sampler, 'findings'>): void => {
  addReads(app, api, sampler);
  addChanges(app, api);
  addDiscrepancies(app, api.discrepancies);
};
