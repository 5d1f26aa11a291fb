/**
 * Stands for a cluster where answers must differ from request to request: writes get rising sequence numbers and the id
 * of their path, every other request an answer of a search. `node stub-cluster.ts PORT`
 */
import { createServer } from 'node:http';

const shards = '"_shards":{"total":1,"successful":1,"failed":0}';
const search = `{"took":1,"timed_out":false,${shards},"hits":{"total":{"value":0,"relation":"eq"},"max_score":null,"hits":[]}}`;
let seq = 0;

const answerTo = (method: string, url: string): string => {
  // No ingest pipeline: else every write would be read back.
  if (url.includes('/_settings/')) return '{}';
  const id = /^\/[^/]+\/_doc\/([^/?]+)/.exec(url)?.[1];
  if (id === undefined || method === 'GET') return search;
  seq++;
  return `{"_index":"bench_v1","_id":"${id}","_version":${seq},"result":"created",${shards},"_seq_no":${seq},"_primary_term":1}`;
};

createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  request.resume();
  request.on('end', () => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(answerTo(request.method ?? 'GET', request.url ?? '/'));
  });
}).listen(Number(process.argv[2] ?? 0), '127.0.0.1');
