/**
 * Writes single documents to one index at a steady rate, in a process of its own so that its CPU is not the benchmark's,
 * and tells its parent of each acknowledgement: sequence number, wall-clock time and how long it took.
 * `node bench/lib/writer.ts URL INDEX PER_SECOND`, started by fork; ends with its parent.
 */
import { Agent, request } from 'undici';

const [url, index, perSecond] = process.argv.slice(2) as [string, string, string];
export type Acknowledged = { seq: number; atMs: number; tookMs: number };
export type Told = { acknowledged: Acknowledged[]; failed: number };

const dispatcher = new Agent({ connections: 64 });
const acknowledged: Acknowledged[] = [];
let written = 0;
let failed = 0;

const write = async (): Promise<void> => {
  const n = written++;
  const sentMs = performance.now();
  const answer = await request(`${url}/${index}/_doc/w-${n % 50_000}`, {
    method: 'PUT',
    dispatcher,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ n, text: 'x'.repeat(340) }),
  });
  const { _seq_no: seq } = (await answer.body.json()) as { _seq_no?: number };
  if (seq === undefined) failed++;
  else {
    const nowMs = performance.now();
    acknowledged.push({ seq, atMs: performance.timeOrigin + nowMs, tookMs: nowMs - sentMs });
  }
};

// A timer cannot fire a thousand times a second, so each tick writes what has come due.
const began = performance.now();
setInterval(() => {
  const due = Math.floor(((performance.now() - began) * Number(perSecond)) / 1000);
  while (written < due) write().catch(() => failed++);
}, 5);
setInterval(() => process.send?.({ acknowledged: acknowledged.splice(0), failed }), 200);
process.once('disconnect', () => process.exit(0));
