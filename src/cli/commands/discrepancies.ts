/**
 * `discrepancies`: mismatches that shadow reads found. Where a route puts them into the store's stream, access to NATS is
 * enough; otherwise, and for a replay, the agents' admin listeners are asked, since samples are kept where they were
 * found. Values were redacted by the agents; nothing here makes them readable.
 */
import { parseSample, ReplayRecord, type SampleRecord } from '../../compare/sample-record.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { readFleet } from '../../fleet/read-fleet.ts';
import { type AdminClient, AgentError } from '../admin-client.ts';
import { CliError } from '../cli-error.ts';
import type { CliContext, Outcome } from '../context.ts';
import { renderReplay, renderSample } from '../render-sample.ts';
import { allRoutes, requireRoute } from '../route-states.ts';
import { table } from '../table.ts';

export type Filter = { severity: string | undefined; shape: string | undefined };
type Asking = { admin: AdminClient; pods: boolean };
type Found = { samples: SampleRecord[]; unreachable: string[] };

const queryOf = (filter: Filter): string => {
  const given = Object.entries(filter).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
};

const adminUrls = async ({ store }: CliContext, admin: AdminClient): Promise<string[]> => {
  if (admin.url !== undefined) return [admin.url];
  const urls = (await readFleet(store)).members.flatMap((member) => member.admin ?? []);
  if (urls.length === 0)
    throw new CliError('agent', 'No agent with an admin listener is running; set CROSSFADE_ADMIN_URL.');
  return urls;
};

type Asked = { answers: unknown[]; failed: { url: string; error: Error }[] };

const askAll = async (urls: readonly string[], ask: (url: string) => Promise<unknown>): Promise<Asked> => {
  const settled = await Promise.allSettled(urls.map(ask));
  return {
    answers: settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])),
    failed: settled.flatMap((one, i) =>
      one.status === 'rejected' ? [{ url: urls[i] as string, error: one.reason as Error }] : [],
    ),
  };
};

const fromPods = async (
  context: CliContext,
  slug: string,
  { admin, filter }: { admin: AdminClient; filter: Filter },
): Promise<Found> => {
  const urls = await adminUrls(context, admin);
  const path = `/api/routes/${slug}/discrepancies${queryOf(filter)}`;
  const { answers, failed } = await askAll(urls, (url) => admin.get(url, path));
  const unreachable = failed.map(({ url, error }) => `${url}: ${error.message}`);
  for (const text of unreachable) context.io.note(text);
  if (failed.length === urls.length) throw new CliError('agent', 'No agent could be asked.');
  const listed = answers.flatMap((answer) => (answer as { discrepancies?: unknown[] }).discrepancies ?? []);
  return { samples: listed.flatMap((one) => parseSample(one) ?? []), unreachable };
};

const json = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

const fromStream = async (
  { store }: CliContext,
  kind: { slug?: string } & Partial<Filter>,
): Promise<SampleRecord[]> => {
  const { slug, severity, shape } = kind;
  const texts = await store.samples?.list({
    ...(slug && { slug }),
    ...(severity && { severity }),
    ...(shape && { shape }),
  });
  return (texts ?? []).flatMap((text) => parseSample(json(text)) ?? []);
};

const isStreamed = ({ store }: CliContext, { spec }: RouteState): boolean =>
  store.samples !== undefined && spec.shadow.samples.stream;

const newestFirst = (a: SampleRecord, b: SampleRecord): number => b.atMs - a.atMs;

const row = ({ id, at, member, severity, family, shape, shapeLabel, summary }: SampleRecord): string[] => [
  id,
  at,
  member,
  severity,
  family,
  shape,
  summary,
  shapeLabel,
];

export const discrepancies = async (
  context: CliContext,
  { slug, admin, pods, ...filter }: Filter & Asking & { slug: string },
): Promise<Outcome> => {
  const state = await requireRoute(context.store, slug);
  const found =
    isStreamed(context, state) && !pods
      ? { samples: await fromStream(context, { slug, ...filter }), unreachable: [] }
      : await fromPods(context, slug, { admin, filter });
  const samples = found.samples.toSorted(newestFirst);
  const head = ['id', 'at', 'member', 'severity', 'family', 'shape', 'differs by', 'query'];
  return {
    text: samples.length === 0 ? `no discrepancy of ${slug} is kept` : table(head, samples.map(row)),
    json: { route: slug, discrepancies: samples, unreachable: found.unreachable },
    next: samples[0] === undefined ? `status ${slug}` : `discrepancies show ${samples[0].id}`,
  };
};

const statusOf = (error: Error): number | undefined => (error instanceof AgentError ? error.status : undefined);

/** Nothing was found: an agent that does not keep it says 404, one that does may refuse, and another cannot be asked. */
const notFound = (id: string, failed: Asked['failed'], unless: string): CliError => {
  const errors = failed.map(({ error }) => error).filter((error) => statusOf(error) !== 404);
  const refusal = errors.find((error) => [400, 409].includes(statusOf(error) ?? 0));
  if (refusal !== undefined) return new CliError('refused', refusal.message);
  if (errors.length === 0) return new CliError('refused', `No agent keeps a discrepancy ${id}; ${unless}.`);
  return new CliError(
    'agent',
    `No agent that answered keeps ${id}: ${errors.map(({ message }) => message).join('; ')}`,
  );
};

/** In the stream of a route that has one, else at the agents. */
const findSample = async (context: CliContext, id: string, { admin, pods }: Asking): Promise<SampleRecord> => {
  const streamed = pods ? [] : (await allRoutes(context.store)).filter((state) => isStreamed(context, state));
  for (const { slug } of streamed) {
    const found = (await fromStream(context, { slug })).find((sample) => sample.id === id);
    if (found !== undefined) return found;
  }
  const { answers, failed } = await askAll(await adminUrls(context, admin), (url) =>
    admin.get(url, `/api/discrepancies/${id}`),
  );
  const found = answers.flatMap((answer) => parseSample((answer as { discrepancy?: unknown }).discrepancy) ?? [])[0];
  if (found === undefined) throw notFound(id, failed, 'it may have given way to newer ones');
  return found;
};

export const showDiscrepancy = async (
  context: CliContext,
  { id, curl, rows, ...asking }: Asking & { id: string; curl: boolean; rows: number },
): Promise<Outcome> => {
  const sample = await findSample(context, id, asking);
  return {
    text: renderSample(sample, { curl, rows }),
    json: sample,
    next: sample.replayable ? `discrepancies replay ${id}` : undefined,
  };
};

/** Only the agent that found it holds the request. */
export const replayDiscrepancy = async (
  context: CliContext,
  { id, rows, admin }: { id: string; rows: number; admin: AdminClient },
): Promise<Outcome> => {
  const urls = await adminUrls(context, admin);
  const { answers, failed } = await askAll(urls, (url) => admin.post(url, `/api/discrepancies/${id}/replay`, {}));
  const replayed = answers.flatMap(
    (answer) => ReplayRecord.safeParse((answer as { replay?: unknown }).replay).data ?? [],
  )[0];
  if (replayed === undefined) throw notFound(id, failed, 'only the one that found it can replay it');
  const isClean = replayed.severity === 'none' && replayed.skipped === undefined;
  return {
    text: renderReplay(replayed, { rows }),
    json: replayed,
    exit: replayed.skipped !== undefined ? 'refused' : isClean || replayed.severity >= 'S8' ? 'done' : 'different',
  };
};
