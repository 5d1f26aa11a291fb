/** The index of a fault test on real clusters: created with the documents that every client knows of, and read at rest. */
import type { Document, Documents } from './checker.ts';
import { documentIds, listIds } from './load.ts';
import type { Recorder } from './recorder.ts';

export const call = async (url: string, method: string, body?: unknown): Promise<unknown> => {
  const type = typeof body === 'string' ? 'application/x-ndjson' : 'application/json';
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await fetch(url, {
    method,
    signal: AbortSignal.timeout(30_000),
    ...(body === undefined ? {} : { body: text, headers: { 'content-type': type } }),
  });
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`);
  return answer.json();
};

export type SeedOptions = {
  index: string;
  alias: string;
  recorder: Recorder;
  more: number;
  /** Mapping type, on clusters that have them. */
  type?: string | undefined;
  /** Of the index, over the usual ones. */
  settings?: Record<string, unknown> | undefined;
  /** False: without the documents that clients update by script. */
  updates?: boolean | undefined;
};

/** `more` documents besides those that the load writes to, which only a backfill brings to the other side. */
export const seed = async (
  url: string,
  { index, alias, recorder, more, type, settings, updates = true }: SeedOptions,
): Promise<void> => {
  const keyword = { type: 'keyword' };
  const mapping = { properties: { value: keyword, tokens: keyword } };
  await call(`${url}/${index}${type === undefined ? '' : '?include_type_name=true'}`, 'PUT', {
    // The engine refreshes where it has to; every second of everything is work for nothing.
    settings: { number_of_shards: 2, number_of_replicas: 0, 'index.refresh_interval': '5s', ...settings },
    mappings: type === undefined ? mapping : { [type]: mapping },
    aliases: { [alias]: {} },
  });
  const ids = [...documentIds, ...Array.from({ length: more }, (_, i) => `more-${i}`)];
  const documents: [string, Document][] = [
    ...ids.map((id): [string, Document] => [id, { value: `seed-${id}` }]),
    ...(updates ? listIds : []).map((id): [string, Document] => [id, { tokens: [] }]),
  ];
  const lines = documents.map(([_id, source]) => `${JSON.stringify({ index: { _id } })}\n${JSON.stringify(source)}\n`);
  await call(`${url}/${index}/_bulk?refresh=true`, 'POST', lines.join(''));
  for (const id of ids)
    recorder.settle(recorder.begin({ kind: 'set', id, value: `seed-${id}` }), 'acknowledged', '201');
};

type Page = { hits: { hits: { _id: string; _source: Document }[] } };

export const readAll = async (url: string, index: string): Promise<Documents> => {
  await call(`${url}/${index}/_refresh`, 'POST');
  const { hits } = (await call(`${url}/${index}/_search`, 'POST', { size: 10_000 })) as Page;
  return new Map(hits.hits.map(({ _id, _source }) => [_id, _source]));
};
