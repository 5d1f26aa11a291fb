/**
 * Carries out a bulk: its actions go to the authorities of their routes in one request per side, once; items that met the
 * fence go again under the newer phase; and the client gets one answer in its own order. The ticket of every route stays
 * until the copies of its items have settled.
 */
import type { RouteState, Ticket } from '../../coordination/ports.ts';
import { CrossfadeError } from '../../errors.ts';
import { answersInJson } from '../answers-in-json.ts';
import type { Operation, Plan } from '../types.ts';
import { clientHeaders, showBody } from './answer-client.ts';
import { formOf } from './answer-form.ts';
import { admit, awaitReplay, replayBudgetMs, sendTo } from './attempts.ts';
import { type Addressed, type Addressing, type BulkInput, divide } from './bulk-groups.ts';
import { type BulkBody, parseBulk, refusable } from './bulk-lines.ts';
import { readDefaults } from './bulk-request.ts';
import { type BulkAttempt, type BulkContext, BulkRun } from './bulk-run.ts';
import { isAliasName, pathWithQuery, resolveWrite, shownNames, type WriteTarget } from './names.ts';
import type { Pipelines } from './pipelines.ts';
import type { WriteClient, WriteDeps } from './ports.ts';
import { isVersionMismatch } from './refusals.ts';
import { type RequestBody, readRequestBody } from './request-body.ts';

type BulkPlan = Extract<Plan, { kind: 'bulk' }>;
export type BulkTools = { readonly deps: WriteDeps; readonly pipelines: Pipelines };

export const createBulkWrite =
  (tools: BulkTools) =>
  async (client: WriteClient, plan: BulkPlan): Promise<void> => {
    const body = withoutMark(await readRequestBody(client, tools.deps.limits.maxBodyBytes));
    const parsed = parseIfJson(body);
    if (parsed === undefined || parsed.kind === 'malformed')
      return sendUnparsed(tools, client, parsed === undefined ? Buffer.from('x') : refusable(body.bytes, parsed), body);
    const input = inputOf(client, { operation: plan.operation, body });
    const addressed = parsed.actions.map((action, position) => ({
      position,
      action,
      name: action.index ?? plan.defaultIndex ?? '',
    }));
    const resolve = resolver(tools.deps);
    if (addressed.every(({ name }) => resolve(name).kind === 'unrouted'))
      return sendUnparsed(tools, client, body.bytes, body);
    if (!answersInJson(client.head))
      throw new CrossfadeError('UNSUPPORTED', 'A bulk on routed indices must ask for a JSON answer.');
    await runBulk({ ...tools, client, input, body, defaultName: plan.defaultIndex }, addressed);
  };

const byteOrderMark = Buffer.from('\ufeff');

/** The server's parser skips a byte order mark, which says nothing in UTF-8. */
const withoutMark = (body: RequestBody): RequestBody =>
  body.json && body.bytes.subarray(0, byteOrderMark.length).equals(byteOrderMark)
    ? { ...body, bytes: body.bytes.subarray(byteOrderMark.length) }
    : body;

/**
 * undefined = the server refuses the body for its type, as it does all but JSON and SMILE.
 * @throws CrossfadeError UNSUPPORTED for what the server would take and we cannot read
 */
const parseIfJson = ({ bytes, json, mediaType, headers }: RequestBody): BulkBody | undefined => {
  if (json) return parseBulk(bytes);
  if (bytes.length === 0) return { kind: 'actions', actions: [] };
  if (/smile/.test(mediaType))
    throw new CrossfadeError('UNSUPPORTED', 'Bulk bodies in SMILE cannot be routed; send JSON.');
  if (headers['content-encoding'] !== undefined)
    throw new CrossfadeError('UNSUPPORTED', 'Bulk bodies with this Content-Encoding cannot be routed.');
  return undefined;
};

/** Nothing in it is routed, or the server is certain to refuse it and should say so itself. */
const sendUnparsed = async (
  { deps }: BulkTools,
  client: WriteClient,
  bytes: Buffer,
  { headers }: RequestBody,
): Promise<void> => {
  const { method } = client.head;
  const request = { method, path: pathWithQuery(client.head), headers, body: bytes.length === 0 ? undefined : bytes };
  const answer = await sendTo(deps, client, { side: 'source', request });
  client.respond({ status: answer.status, headers: clientHeaders(answer.headers, new Map()), body: answer.body });
};

const inputOf = (
  { head }: WriteClient,
  { operation, body }: { operation: Operation; body: RequestBody },
): BulkInput => ({
  body: body.bytes,
  head,
  operation,
  defaults: readDefaults(head.query),
});

/** Each name is looked up once, under one table. */
type Resolve = (name: string) => WriteTarget;
const resolver = (deps: WriteDeps): Resolve => {
  const table = deps.table();
  const date = deps.date?.() ?? new Date();
  const known = new Map<string, WriteTarget>();
  return (name) => {
    const before = known.get(name);
    if (before !== undefined) return before;
    const target = resolveWrite(table, name, date);
    known.set(name, target);
    return target;
  };
};

type BulkJob = BulkContext & { readonly defaultName: string | undefined };

const runBulk = async (context: BulkJob, actions: readonly Addressed[]): Promise<void> => {
  const { deps } = context;
  const run = new BulkRun(context, actions.length);
  let open = actions;
  let deadlineMs: number | undefined;
  while (open.length > 0) {
    const attempt = await begin(context, open).catch((error: unknown) => run.giveUpAll(open, error));
    if (attempt === undefined) break;
    const fenced = await run.attempt(attempt);
    if (fenced.size === 0) break;
    open = open.filter(({ position }) => fenced.has(position));
    const states = new Set(fenced.values());
    deadlineMs ??= deps.now() + Math.max(...[...states].map(replayBudgetMs));
    const stuck = await waitForNewer(deps, states, deadlineMs);
    open = run.giveUp(open, { fenced, stuck });
  }
  await respond(context, run);
};

/** Routes whose newer phase did not become known in time. */
const waitForNewer = async (deps: WriteDeps, states: Set<RouteState>, deadlineMs: number): Promise<Set<RouteState>> => {
  const stuck = new Set<RouteState>();
  await Promise.all([...states].map((state) => awaitReplay(deps, state, deadlineMs).catch(() => stuck.add(state))));
  return stuck;
};

/** Tickets of all routes that the actions lead to, and the actions divided under the states these carry. */
const begin = async (context: BulkJob, actions: readonly Addressed[]): Promise<BulkAttempt> => {
  const { deps, client } = context;
  for (;;) {
    const before = resolver(deps);
    const slugs = slugsOf(actions, before);
    const tickets = await admitAll(deps, client, slugs);
    // A route may have come, gone or changed while the bulk was held.
    const resolve = resolver(deps);
    if (slugsOf(actions, resolve).every((slug) => tickets.has(slug)))
      return attemptOf(context, { actions, tickets, resolve });
    for (const ticket of tickets.values()) ticket.done();
  }
};

const slugsOf = (actions: readonly Addressed[], resolve: Resolve): string[] => {
  const slugs = new Set<string>();
  for (const { name } of actions) {
    const target = resolve(name);
    if (target.kind === 'routed') slugs.add(target.index.state.slug);
  }
  // One order for all bulks, so that two of them never wait for each other's routes.
  return [...slugs].sort();
};

type Tickets = ReadonlyMap<string, Ticket>;

const admitAll = async (deps: WriteDeps, client: WriteClient, slugs: readonly string[]): Promise<Tickets> => {
  const tickets = new Map<string, Ticket>();
  try {
    for (const slug of slugs) tickets.set(slug, await admit(deps, client, { slug, kind: 'write' }));
    return tickets;
  } catch (error) {
    for (const ticket of tickets.values()) ticket.done();
    throw error;
  }
};

const attemptOf = (
  { deps, input, defaultName }: BulkJob,
  { actions, tickets, resolve }: { actions: readonly Addressed[]; tickets: Tickets; resolve: Resolve },
): BulkAttempt => {
  const date = deps.date?.() ?? new Date();
  const addressing: Addressing = {
    target: resolve,
    stateOf: (slug) => (tickets.get(slug) as Ticket).state,
    isAlias: (state, name) => isAliasName(state, name, date),
  };
  const defaultTarget = defaultName === undefined ? undefined : resolve(defaultName);
  const division = divide(input, actions, addressing);
  for (const { entry, refusal } of division.refused) {
    const target = resolve(entry.name);
    if (isVersionMismatch(refusal) && target.kind === 'routed')
      deps.onEvent?.({ kind: 'version_mode_mismatch', slug: target.index.state.slug });
  }
  return {
    division,
    states: [...tickets.values()].map((ticket) => ticket.state),
    defaultIndex: defaultTarget?.kind === 'routed' ? defaultTarget.index : undefined,
    end: () => {
      for (const ticket of tickets.values()) ticket.done();
    },
  };
};

const respond = async ({ client }: BulkContext, run: BulkRun): Promise<void> => {
  await run.acknowledged();
  const { status, headers, body } = run.answer();
  const { states } = run;
  if (states.length === 1) client.trace.routeSlug = states[0]?.slug;
  const names = shownNames(states);
  const shown = showBody(body, names, formOf(client.head.query));
  client.respond({ status, headers: clientHeaders(headers, names), body: shown });
};
