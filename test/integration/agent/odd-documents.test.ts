/**
 * Documents that a cluster takes and that spoil the answers they stand in, or that it cannot show at all. None of them may
 * stop the tail or a verification, and each that cannot be copied is named.
 */
import { describe, expect, it } from 'vitest';
import { repairIds } from '../../../src/agent/repair.ts';
import { beginTail } from '../../../src/agent/tail.ts';
import { beginVerify, verifyStep } from '../../../src/agent/verify.ts';
import { testTransport } from '../../support/transport.ts';
import { type RealRoute, realRoute } from './setup.ts';

const cborText = (...bytes: number[]) => Buffer.from([0xbf, 0x61, 0x61, 0x60 + bytes.length, ...bytes, 0xff]);
const longId = `é/?#%+&;=,"\\ .${'x'.repeat(490)}😀`;

type Odd = { id: string; body: Buffer; type?: string; copy?: string };
const copied: Odd[] = [
  { id: 'comment', body: Buffer.from('{"a":1} // end'), copy: '{"a":1}' },
  { id: 'comment-inside', body: Buffer.from('{"a":/* " } */1}'), copy: `{"a":${' '.repeat(9)}1}` },
  { id: 'comment-to-cr', body: Buffer.from('{"a":1 // x }\r}//\n'), copy: `{"a":1${' '.repeat(8)}}` },
  { id: 'comment-swallowing', body: Buffer.from('{"a":1\n,"b":2}\n// tail\n'), copy: '{"a":1 ,"b":2}' },
  { id: 'mark', body: Buffer.from('\ufeff{"a":1}'), copy: '{"a":1}' },
  { id: 'surrogate', body: Buffer.from('{"a":"\\ud800"}') },
  { id: 'surrogate-bytes', body: Buffer.from('7b2261223a22eda080227d', 'hex') },
  { id: 'digits', body: Buffer.from(`{"n":${'9'.repeat(400)},"e":1e999999,"f":-0.0}`) },
  { id: 'prototype', body: Buffer.from('{"__proto__":{"a":1},"constructor":2}') },
  { id: 'separators', body: Buffer.from('{"a":"\u2028\u0085"}') },
  { id: 'empty', body: Buffer.from('{}') },
  { id: '.', body: Buffer.from('{"a":1}') },
  { id: '..', body: Buffer.from('{"a":1}//'), copy: '{"a":1}' },
  { id: longId, body: Buffer.from('{"a":1} //'), copy: '{"a":1}' },
  { id: 'cbor', body: cborText(0x78), type: 'application/cbor', copy: '{"a":"x"}' },
];
const refused: Odd[] = [
  { id: 'utf16', body: Buffer.from('{"a":"\u0a0a"}', 'utf16le') },
  { id: 'broken-cbor', body: cborText(0xff), type: 'application/cbor' },
];

const put = async ({ urls, names }: RealRoute, { id, body, type = 'application/json' }: Odd, routing?: string) => {
  const query = routing === undefined ? '' : `?routing=${encodeURIComponent(routing)}`;
  const path = `/${names.source}/_doc/${encodeURIComponent(id)}${query}`;
  const headers = { 'content-type': type };
  const { status } = await testTransport(urls.source).request({ method: 'PUT', path, headers, body });
  expect({ id, status }).toEqual({ id, status: 201 });
};

const filled = async (odd: readonly Odd[]): Promise<RealRoute> => {
  const mappings = { dynamic: false };
  const route = await realRoute({ source: { mappings }, target: { mappings } });
  for (const [i, one] of odd.entries()) {
    await put(route, { id: `plain ${i}`, body: Buffer.from(`{"i":${i}}`) });
    await put(route, one);
    if (i % 3 === 0) await put(route, { ...one, id: `${one.id.slice(0, 100)}+` }, 'r,1 é/?&');
  }
  return route;
};
const verifyAll = async ({ io }: RealRoute) => {
  const begun = await beginVerify({ mode: 'full' }, io);
  if (begun.kind !== 'ok') throw new Error(begun.detail);
  const { onPage: _, ...rest } = io;
  return verifyStep(begun.state, { ...rest, maxPages: 1000, recheck: { rounds: 1, delayMs: 10 } });
};

describe('a document that spoils the answers it stands in', () => {
  it('is copied with all its neighbours, verified and repaired', async () => {
    const route = await filled(copied);
    expect(await route.tailAll()).toMatchObject({ kind: 'ok', caughtUp: true, behind: 0 });
    expect(route.io.quarantine.record().docs).toEqual([]);
    const target = await route.contents('target');
    for (const { id, body, copy } of copied) expect([id, target[id]]).toEqual([id, copy ?? body.toString()]);
    for (const i of copied.keys()) expect(target[`plain ${i}`]).toBe(`{"i":${i}}`);
    expect(await verifyAll(route)).toMatchObject({ kind: 'done', state: { findings: [], unstable: 0 } });
  });

  it('is repaired like any other', async () => {
    const route = await filled(copied);
    const docs = [...copied, { id: 'plain 0' }].map(({ id }) => ({ ordinal: 0, id }));
    const begun = await beginTail('start', route.io);
    if (begun.kind !== 'ok') throw new Error(begun.detail);
    const repaired = await repairIds(docs, { ...route.io, pins: begun.state.indices });
    expect(repaired.map(({ outcome }) => outcome.kind)).toEqual(docs.map(() => 'copied'));
  });

  it('and cannot be copied is refused alone, with the reason', async () => {
    const route = await filled(refused);
    expect(await route.tailAll()).toMatchObject({ kind: 'ok', caughtUp: true, behind: 0 });
    const { docs } = route.io.quarantine.record();
    expect(Object.fromEntries(docs.map(({ id, reason }) => [id, reason]))).toMatchObject({
      utf16: 'its _source is no JSON object in UTF-8',
      'broken-cbor': expect.stringContaining('the cluster cannot show its _source'),
    });
    expect(Object.keys(await route.contents('target')).sort()).toEqual(['plain 0', 'plain 1']);
    const { kind, state } = await verifyAll(route);
    expect(kind).toBe('done');
    expect(state.findings.map((found) => `${found.kind} ${found.id}`).sort()).toEqual([
      'missing broken-cbor',
      'missing utf16',
      'missing utf16+',
    ]);
  });
});
