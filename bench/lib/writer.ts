/**
 * Writes single documents to one index at a steady rate, in a process of its own so that its CPU is not the benchmark's,
 * and tells its parent of each acknowledgement: sequence number, wall-clock time and how long it took. With a target it
 * also copies each write there, as a member does that copies all of them directly.
 * `node bench/lib/writer.ts URL INDEX PER_SECOND [--tellEveryMs 200] [--copyTo TARGET_URL]`, started by fork; tells at
 * once when it gets a message, and ends with its parent.
 */
import { parseArgs } from 'node:util';
import { Agent, request } from 'undici';
import { sendOnce } from '../../src/agent/bulk-send.ts';
import type { StampedWrite } from '../../src/agent/copy-bulk.ts';
import { directionOf, stampOf } from '../../src/agent/direction.ts';
import { prepareWrite } from '../../src/agent/stamped-write.ts';
import { benchRoute, connectSides } from './route.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { tellEveryMs: { type: 'string', default: '200' }, copyTo: { type: 'string' } },
});
const [url, index, perSecond] = positionals as [string, string, string];
export type Acknowledged = { seq: number; atMs: number; tookMs: number };
export type Told = { acknowledged: Acknowledged[]; failed: number };
type Answer = { _seq_no?: number; _primary_term?: number };

const dispatcher = new Agent({ connections: 64 });
const acknowledged: Acknowledged[] = [];
let written = 0;
let failed = 0;

const direction = directionOf(benchRoute());
let copies: StampedWrite[] = [];
const copy = async (id: string, body: string, { _seq_no: seqNo = 0, _primary_term: primaryTerm = 1 }: Answer) => {
  const stamp = stampOf(direction, { seqNo, primaryTerm });
  const content = { ordinal: 0, id, routing: undefined, stamp, source: Buffer.from(body) };
  const prepared = await prepareWrite(content, direction, undefined);
  if (prepared.ok) copies.push(prepared.write);
};
if (values.copyTo !== undefined) {
  const { target } = connectSides([url, values.copyTo]);
  setInterval(() => {
    const due = copies;
    copies = [];
    if (due.length > 0) void sendOnce(due, { cluster: target });
  }, 10);
}

const write = async (): Promise<void> => {
  const n = written++;
  const sentMs = performance.now();
  const id = `w-${n % 50_000}`;
  const body = JSON.stringify({ n, text: 'x'.repeat(340) });
  const answer = await request(`${url}/${index}/_doc/${id}`, {
    method: 'PUT',
    dispatcher,
    headers: { 'content-type': 'application/json' },
    body,
  });
  const told = (await answer.body.json()) as Answer;
  if (told._seq_no === undefined) failed++;
  else {
    const nowMs = performance.now();
    acknowledged.push({ seq: told._seq_no, atMs: performance.timeOrigin + nowMs, tookMs: nowMs - sentMs });
    if (values.copyTo !== undefined) await copy(id, body, told);
  }
};

// A timer cannot fire a thousand times a second, so each tick writes what has come due.
const began = performance.now();
setInterval(() => {
  const due = Math.floor(((performance.now() - began) * Number(perSecond)) / 1000);
  while (written < due) write().catch(() => failed++);
}, 5);
const tell = (): void => void process.send?.({ acknowledged: acknowledged.splice(0), failed } satisfies Told);
setInterval(tell, Number(values.tellEveryMs));
process.on('message', tell);
process.once('disconnect', () => process.exit(0));
