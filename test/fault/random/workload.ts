/**
 * Clients of every kind of write that applications send, at a steady rate, through whichever agents are up: several at
 * once on a few hot documents, each value used once. Reads go along, and what they showed is kept. What each client is told
 * is judged by the letter, as in load.ts, each item of a bulk by itself; a document of its own id whose creation nobody heard of is told by its value.
 */
import type { Random } from '../../sim/random.ts';
import type { Change, Documents, Outcome, Read } from '../checker.ts';
import { documentIds, listIds } from '../load.ts';
import type { Recorded, Recorder } from '../recorder.ts';
import { type Ask, createClient, outcomeOf, type Reply, type Told } from './client.ts';

const named = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}-${i}`);
const registers = documentIds.slice(0, 40);
const hot = registers.slice(0, 4);

/** Made by whoever appends first. */
const upserted = named('made', 4);
/** Of those that no other client writes to: by queries, and whole. */
const byQuery = named('more', 6);

export type WorkloadOptions = {
  alias: string;
  agents(): readonly { name: string; url: string }[];
  recorder: Recorder;
  random: Random;
  perSecond: number;
};
/** One document as one client read it. */
export type Seen = Read & { told: Told };
export type Workload = {
  told: Told[];
  reads: Seen[];
  /** Of documents that the cluster was to name, whose name nobody heard. */
  unnamed: Recorded[];
  /** No more by-query requests: while one runs, no switch begins. */
  calm(): void;
  stop(): Promise<void>;
};

const append = (token: string) => ({
  script: { source: 'ctx._source.tokens.add(params.token)', lang: 'painless', params: { token } },
});
type BulkItem = { action: 'index' | 'create' | 'update' | 'delete'; change: Extract<Change, { kind: 'set' }> };
const bulkLines = (items: readonly BulkItem[]): string =>
  items
    .flatMap(({ action, change: { id, value } }) => [
      { [action]: { _id: id } },
      ...(action === 'delete' ? [] : [action === 'update' ? { doc: { value } } : { value }]),
    ])
    .map((line) => `${JSON.stringify(line)}\n`)
    .join('');

type BulkResult = { status: number; error?: { type: string } };
/** An answer of 200 tells of each item by itself. */
export const failureOf = (whole: Told, what: string, { status, error }: BulkResult): Told[] =>
  status < 300
    ? []
    : [{ ...whole, what, status, answer: `${status} ${error?.type ?? ''} in a bulk`.replace('  ', ' ') }];

type GetAnswer = { _id: string; found?: boolean; _source?: { value?: string } };
/** Undefined where an answer tells nothing of the document: the index was not there, or an error stands in its place. */
const documentsIn = ({ status, code, text }: Reply): GetAnswer[] => {
  if (code !== undefined || (status !== 200 && status !== 404)) return [];
  const answer = JSON.parse(text) as GetAnswer & { docs?: GetAnswer[] };
  return (answer.docs ?? [answer]).filter(({ found }) => found !== undefined);
};

export const startWorkload = (options: WorkloadOptions): Workload => {
  const { alias, recorder, random, perSecond } = options;
  const { send, told, close } = createClient(options);
  const underWay = new Set<Promise<void>>();
  const unnamed: Recorded[] = [];
  let values = 0;
  const value = (): string => `v${values++}`;

  const settle = (operation: Recorded, outcome: Outcome, reply: Reply | Outcome): void =>
    recorder.settle(operation, outcome, typeof reply === 'string' ? reply : `${reply.status} ${reply.code ?? ''}`);
  const one = async (change: Change, ask: Ask): Promise<void> => {
    const operation = recorder.begin(change);
    const reply = await send(ask);
    const outcome = typeof reply === 'string' ? reply : outcomeOf(reply.status, reply.code, ask.method === 'DELETE');
    settle(operation, outcome, reply);
  };
  const id = (): string => (random.chance(0.4) ? random.pick(hot) : random.pick(registers));
  const refresh = (): string => (random.chance(0.1) ? '?refresh=wait_for' : '');

  const index = (): Promise<void> => {
    const change: Change = { kind: 'set', id: id(), value: value() };
    const path = `/${alias}/_doc/${change.id}${refresh()}`;
    return one(change, { method: 'PUT', path, body: { value: change.value }, what: 'index' });
  };
  const remove = (): Promise<void> => {
    const change: Change = { kind: 'set', id: id(), value: undefined };
    return one(change, { method: 'DELETE', path: `/${alias}/_doc/${change.id}`, what: 'delete' });
  };
  const create = (): Promise<void> => {
    const change: Change = { kind: 'set', id: id(), value: value() };
    const path = `/${alias}/_create/${change.id}`;
    return one(change, { method: 'PUT', path, body: { value: change.value }, what: 'create' });
  };
  const partial = (): Promise<void> => {
    const change: Change = { kind: 'set', id: id(), value: value() };
    const body = { doc: { value: change.value }, ...(random.chance(0.5) ? { doc_as_upsert: true } : {}) };
    return one(change, { method: 'POST', path: `/${alias}/_update/${change.id}`, body, what: 'update' });
  };
  const scripted = (): Promise<void> => {
    const change: Change = { kind: 'append', id: random.pick(listIds), token: value() };
    const path = `/${alias}/_update/${change.id}${random.chance(0.5) ? '?retry_on_conflict=3' : ''}`;
    return one(change, { method: 'POST', path, body: append(change.token), what: 'script' });
  };
  const upsert = (): Promise<void> => {
    const change: Change = { kind: 'append', id: random.pick(upserted), token: value() };
    const body = { ...append(change.token), upsert: { tokens: [change.token] } };
    return one(change, { method: 'POST', path: `/${alias}/_update/${change.id}`, body, what: 'upsert' });
  };
  const auto = async (): Promise<void> => {
    const created = value();
    const operation = recorder.begin({ kind: 'set', id: `unnamed-${created}`, value: created });
    const reply = await send({
      method: 'POST',
      path: `/${alias}/_doc`,
      body: { value: created },
      what: 'auto id',
    });
    const outcome = typeof reply === 'string' ? reply : outcomeOf(reply.status, reply.code, false);
    if (typeof reply !== 'string' && outcome === 'acknowledged')
      Object.assign(operation, { id: (JSON.parse(reply.text) as { _id: string })._id });
    else unnamed.push(operation);
    settle(operation, outcome, reply);
  };
  const bulk = async (): Promise<void> => {
    const ids = new Set(Array.from({ length: 6 }, id));
    const items = [...ids].map((id): BulkItem => {
      const action = random.pick(['index', 'index', 'create', 'update', 'delete'] as const);
      return { action, change: { kind: 'set', id, value: action === 'delete' ? undefined : value() } };
    });
    const operations = items.map(({ change }) => recorder.begin(change));
    const reply = await send({ method: 'POST', path: `/${alias}/_bulk`, body: bulkLines(items), what: 'bulk' });
    const results =
      typeof reply !== 'string' && reply.status === 200
        ? (JSON.parse(reply.text) as { items: Record<string, BulkResult>[] }).items
        : [];
    operations.forEach((operation, i) => {
      if (typeof reply === 'string') return settle(operation, reply, reply);
      const { action } = items[i]!;
      const result = Object.values(results[i] ?? {})[0];
      if (result !== undefined) told.push(...failureOf(reply.told, action, result));
      const status = result?.status ?? reply.status;
      settle(operation, outcomeOf(status, reply.code, action === 'delete'), { ...reply, status });
    });
  };
  /** What a query only perhaps changed stays in doubt. */
  const query = async (
    ids: readonly string[],
    ask: Ask & { value: string | undefined; count: string },
  ): Promise<void> => {
    const operations = ids.map((id) => recorder.begin({ kind: 'set', id, value: ask.value }));
    const reply = await send(ask);
    const judged = typeof reply === 'string' ? reply : outcomeOf(reply.status, reply.code, false);
    const whole =
      typeof reply !== 'string' &&
      judged === 'acknowledged' &&
      (JSON.parse(reply.text) as Record<string, unknown>)[ask.count] === ids.length;
    const outcome = judged === 'acknowledged' && !whole ? 'unknown' : judged;
    for (const operation of operations) settle(operation, outcome, reply);
  };
  const updateByQuery = (): Promise<void> => {
    const next = value();
    return query(byQuery, {
      method: 'POST',
      path: `/${alias}/_update_by_query?refresh=true&conflicts=proceed`,
      body: {
        query: { ids: { values: byQuery } },
        script: { source: 'ctx._source.value = params.v', lang: 'painless', params: { v: next } },
      },
      what: 'update by query',
      value: next,
      count: 'updated',
    });
  };
  const deleteByQuery = async (): Promise<void> => {
    const ids = named(`gone-${values++}`, 3);
    for (const id of ids) {
      const change: Change = { kind: 'set', id, value: value() };
      const path = `/${alias}/_doc/${id}?refresh=true`;
      await one(change, { method: 'PUT', path, body: { value: change.value }, what: 'index' });
    }
    await query(ids, {
      method: 'POST',
      path: `/${alias}/_delete_by_query?refresh=true&conflicts=proceed`,
      body: { query: { ids: { values: ids } } },
      what: 'delete by query',
      value: undefined,
      count: 'deleted',
    });
  };
  const got: Seen[] = [];
  const get = async (ask: Ask): Promise<void> => {
    const began = recorder.now();
    const reply = await send(ask);
    if (typeof reply === 'string') return;
    for (const { _id, _source } of documentsIn(reply))
      got.push({ ...recorder.read({ id: _id, began, value: _source?.value }), told: reply.told });
  };
  const gets: (() => Ask)[] = [
    () => ({ method: 'GET', path: `/${alias}/_doc/${id()}`, what: 'read get' }),
    () => ({ method: 'POST', path: `/${alias}/_mget`, body: { ids: [id(), id()] }, what: 'read mget' }),
  ];
  const searches: (() => Ask)[] = [
    () => ({
      method: 'POST',
      path: `/${alias}/_search`,
      body: { query: { ids: { values: [id()] } } },
      what: 'read search',
    }),
    () => ({ method: 'GET', path: `/${alias}/_count`, what: 'read count' }),
  ];
  const search = async (): Promise<void> => void (await send(random.pick(searches)()));
  const read = (): Promise<void> => (random.chance(0.5) ? get(random.pick(gets)()) : search());
  const kinds: readonly [number, () => Promise<void>][] = [
    [26, index],
    [12, remove],
    [5, create],
    [8, partial],
    [9, scripted],
    [4, upsert],
    [6, auto],
    [10, bulk],
    [0.7, updateByQuery],
    [0.7, deleteByQuery],
    [20, read],
  ];
  const total = kinds.reduce((sum, [weight]) => sum + weight, 0);
  let isCalm = false;
  /** Now and then for a while: a switch has to find its time. */
  const mayQuery = (): boolean => !isCalm && Date.now() % 60_000 < 15_000;
  const act = (): Promise<void> => {
    let draw = random.next() * total;
    const [, kind] = kinds.find(([weight]) => (draw -= weight) < 0) ?? kinds[0]!;
    return (kind === updateByQuery || kind === deleteByQuery) && !mayQuery() ? read() : kind();
  };
  const timer = setInterval(() => {
    if (underWay.size > 400) return;
    const work = act().finally(() => underWay.delete(work));
    underWay.add(work);
  }, 1000 / perSecond);
  return {
    told,
    reads: got,
    unnamed,
    calm: () => {
      isCalm = true;
    },
    stop: async () => {
      clearInterval(timer);
      await Promise.all(underWay);
      await close();
    },
  };
};

/** Gives those whose name nobody heard the names under which they are found; each is found under one at most. */
export const nameThem = (unnamed: readonly Recorded[], sides: readonly Documents[]): string[] => {
  const problems: string[] = [];
  const byValue = new Map(unnamed.flatMap((one) => (one.kind === 'set' ? [[one.value, one] as const] : [])));
  const found = new Map<Recorded, string>();
  for (const [id, { value }] of sides.flatMap((side) => [...side])) {
    const writer = byValue.get(value);
    if (writer === undefined) continue;
    const name = found.get(writer);
    if (name !== undefined && name !== id) problems.push(`${value} was created twice, as ${name} and ${id}`);
    found.set(writer, id);
    Object.assign(writer, { id });
  }
  return problems;
};
