/**
 * Stands for a cluster on machines of its own: answers every request with one search, after some time and next to no
 * work. A process of its own, so that what else the benchmark serves does not delay it.
 * `node slow-stub.ts PORT DELAY_MS`
 */
import { createServer } from 'node:http';
import { searchAnswer } from './servers.ts';

const [port, delayMs] = process.argv.slice(2).map(Number);
const head = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(searchAnswer) };

createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  request.resume();
  // `_settings`: which ingest pipelines there are; none.
  const body = request.url?.includes('/_settings') === true ? '{}' : searchAnswer;
  request.on('end', () => {
    setTimeout(() => {
      response.writeHead(200, body === searchAnswer ? head : { 'content-type': 'application/json' }).end(body);
    }, delayMs);
  });
}).listen(port, '127.0.0.1');
