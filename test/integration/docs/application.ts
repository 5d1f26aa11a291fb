/** The application of somebody who follows a page: an index with a few documents and an alias, read and written by HTTP. */
export type Answer = { status: number; side: string | null; json: Record<string, unknown> };

export const call = async (url: string, method: string, body?: unknown): Promise<Answer> => {
  const answer = await fetch(url, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  const text = await answer.text();
  const json = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {};
  return { status: answer.status, side: answer.headers.get('x-crossfade-side'), json };
};

/** `<name>_v1` with 200 documents under the alias `<name>`, before any sidecar exists. */
export const createIndex = async (url: string, name: string): Promise<void> => {
  const settings = { settings: { number_of_replicas: 0 }, aliases: { [name]: {} } };
  const made = await call(`${url}/${name}_v1`, 'PUT', settings);
  if (made.status !== 200) throw new Error(JSON.stringify(made.json));
  const lines = Array.from({ length: 200 }, (_, i) => `{"index":{"_id":"kept-${i}"}}\n{"name":"kept","n":${i}}\n`);
  await fetch(`${url}/${name}_v1/_bulk?refresh=true`, {
    method: 'POST',
    body: lines.join(''),
    headers: { 'content-type': 'application/x-ndjson' },
  });
};

export const write = (url: string, name: string, id: string): Promise<Answer> =>
  call(`${url}/${name}/_doc/${id}?refresh=true`, 'PUT', { name: 'written', id });

export const search = (url: string, name: string, preference: string): Promise<Answer> =>
  call(`${url}/${name}/_search?preference=${preference}`, 'POST', { query: { match: { name: 'kept' } } });

/** Documents by id with their content, of an index below one page. */
export const contents = async (url: string, index: string): Promise<Map<string, string>> => {
  await call(`${url}/${index}/_refresh`, 'POST');
  const { json } = await call(`${url}/${index}/_search`, 'POST', { size: 5000, query: { match_all: {} } });
  const { hits } = json['hits'] as { hits: { _id: string; _source: unknown }[] };
  return new Map(hits.map(({ _id, _source }) => [_id, JSON.stringify(_source)]));
};
