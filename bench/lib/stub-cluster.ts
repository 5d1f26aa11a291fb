/**
 * Stands for a cluster where answers must differ from request to request: writes get rising sequence numbers and the id
 * of their path, a bulk an item for each of its documents, every other request an answer of a search. `node stub-cluster.ts PORT`
 */
import { createServer } from 'node:http';

const shards = '"_shards":{"total":1,"successful":1,"failed":0}';
const search = `{"took":1,"timed_out":false,${shards},"hits":{"total":{"value":0,"relation":"eq"},"max_score":null,"hits":[]}}`;
let seq = 0;

const item = `{"index":{"_index":"bench_v2","_id":"1","_version":1,"result":"created",${shards},"_seq_no":1,"_primary_term":1,"status":201}}`;
/** Of index actions alone, each with its document. */
const bulkAnswer = (body: Buffer): string => {
  let lines = 0;
  for (let at = body.indexOf(0x0a); at >= 0; at = body.indexOf(0x0a, at + 1)) lines++;
  return `{"took":1,"errors":false,"items":[${Array.from({ length: lines / 2 }, () => item).join(',')}]}`;
};

const answerTo = (method: string, url: string, body: Buffer): string => {
  if (url.includes('/_bulk')) return bulkAnswer(body);
  // No ingest pipeline: else every write would be read back.
  if (url.includes('/_settings/')) return '{}';
  const id = /^\/[^/]+\/_doc\/([^/?]+)/.exec(url)?.[1];
  if (id === undefined || method === 'GET') return search;
  seq++;
  return `{"_index":"bench_v1","_id":"${id}","_version":${seq},"result":"created",${shards},"_seq_no":${seq},"_primary_term":1}`;
};

createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  const pieces: Buffer[] = [];
  request.on('data', (piece: Buffer) => pieces.push(piece));
  request.on('end', () => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(answerTo(request.method ?? 'GET', request.url ?? '/', Buffer.concat(pieces)));
  });
}).listen(Number(process.argv[2] ?? 0), '127.0.0.1');
