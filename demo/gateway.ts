/**
 * The application of the demo: a small product catalogue over HTTP that knows one OpenSearch URL and nothing of
 * Crossfade. Started with OPENSEARCH_URL and PORT, as any gateway in a pod would be.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { type API, Client } from '@opensearch-project/opensearch';

const index = 'products';
const client = new Client({ node: process.env['OPENSEARCH_URL'] ?? 'http://127.0.0.1:9200', maxRetries: 0 });

type Product = { name: string; category: string; price: number; stock: number };
type Handler = (id: string, request: IncomingMessage, query: URLSearchParams) => Promise<unknown>;

const search: Handler = async (_id, _request, query) => {
  const dsl: unknown = {
    size: 10,
    query: { match: { name: query.get('q') ?? '' } },
    aggs: { categories: { terms: { field: 'category' } } },
  };
  const { body } = await client.search({ index, body: dsl as NonNullable<API.Search_Request['body']> });
  return { total: body.hits.total, names: body.hits.hits.map((hit) => (hit._source as Product).name) };
};

const routes: Record<string, Handler> = {
  'GET /search': search,
  'GET /products/:id': async (id) => (await client.get({ index, id })).body._source,
  'PUT /products/:id': async (id, request) => {
    const { body } = await client.index({ index, id, body: (await json(request)) as Product });
    return { result: body.result };
  },
  'POST /products': async (_id, request) => {
    const { body } = await client.index({ index, body: (await json(request)) as Product });
    return { id: body._id, result: body.result };
  },
  'POST /products/:id/sell': async (id) => {
    const { body } = await client.update({
      index,
      id,
      retry_on_conflict: 3,
      body: { script: { source: 'ctx._source.stock -= 1', lang: 'painless' } },
    });
    return { result: body.result };
  },
  'DELETE /products/:id': async (id) => ({ result: (await client.delete({ index, id })).body.result }),
  'POST /import': async (_id, request) => {
    const products = (await json(request)) as (Product & { id: string })[];
    const { body } = await client.bulk({
      body: products.flatMap(({ id, ...product }) => [{ index: { _index: index, _id: id } }, product]),
    });
    if (body.errors) throw new Error('not every product was imported');
    return { items: body.items.length };
  },
};

const match = (method: string, path: string): { handler: Handler; id: string } | undefined => {
  const [, first = '', id = '', action] = path.split('/');
  const pattern = `${method} /${first}${id === '' ? '' : '/:id'}${action === undefined ? '' : `/${action}`}`;
  const handler = routes[pattern];
  return handler === undefined ? undefined : { handler, id: decodeURIComponent(id) };
};

const answer = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
};

const server = createServer(async (request, response) => {
  const url = new URL(request.url ?? '/', 'http://gateway');
  const found = match(request.method ?? 'GET', url.pathname);
  if (found === undefined) return answer(response, 404, { error: 'no such page' });
  try {
    answer(response, 200, await found.handler(found.id, request, url.searchParams));
  } catch (error) {
    const status = (error as { statusCode?: number }).statusCode ?? 502;
    answer(response, status, { error: (error as Error).message });
  }
});
server.listen(Number(process.env['PORT'] ?? 8080), '127.0.0.1');
process.once('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
