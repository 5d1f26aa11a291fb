/**
 * The floor: what node:http and undici themselves cost. Takes a request, sends it on, passes the answer back, and does
 * nothing else: no checks, no hygiene, no deadline, no metrics. `node plain-proxy.ts PORT UPSTREAM_URL`
 */
import { createServer } from 'node:http';
import { Pool } from 'undici';

const [port = '0', upstream = ''] = process.argv.slice(2);
const pool = new Pool(upstream, { connections: 256, allowH2: false, headersTimeout: 0, bodyTimeout: 0 });

createServer({ noDelay: true, keepAlive: true }, (request, response) => {
  const body: Buffer[] = [];
  const answer: Buffer[] = [];
  let headers: string[] = [];
  request.on('data', (chunk: Buffer) => body.push(chunk));
  request.on('end', () =>
    pool.dispatch(
      {
        method: request.method ?? 'GET',
        path: request.url ?? '/',
        headers: { 'content-type': request.headers['content-type'] ?? 'application/json' },
        body: body.length === 0 ? null : Buffer.concat(body),
      },
      {
        onRequestStart: () => undefined,
        onResponseStart: (_, status, fields) => {
          response.statusCode = status;
          headers = [
            'content-type',
            String(fields['content-type']),
            'content-length',
            String(fields['content-length']),
          ];
        },
        onResponseData: (_, chunk) => answer.push(chunk),
        onResponseEnd: () => {
          response.writeHead(response.statusCode, headers);
          response.end(answer.length === 1 ? answer[0] : Buffer.concat(answer));
        },
        onResponseError: () => response.destroy(),
      },
    ),
  );
}).listen(Number(port), '127.0.0.1');
