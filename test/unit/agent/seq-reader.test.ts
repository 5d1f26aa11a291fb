import { expect, it } from 'vitest';
import type { ClusterControl } from '../../../src/agent/cluster.ts';
import type { StoredDoc } from '../../../src/agent/documents.ts';
import { readSeqRange } from '../../../src/agent/seq-reader.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import { hastyRuntime } from '../../support/manual-runtime.ts';

const docOf = (seqNo: number, bytes: number): StoredDoc => ({
  id: `d${seqNo}`,
  routing: undefined,
  seqNo,
  primaryTerm: 1,
  version: undefined,
  source: new Uint8Array(bytes),
});

/** A shard of documents of one size, behind a client that holds no more of an answer than it is allowed to. */
const shardOf = (count: number, docBytes: number) => {
  const held: number[] = [];
  const searchBySeq: ClusterControl['searchBySeq'] = async ({ after, upTo, size, maxBodyBytes = 0 }) => {
    const docs = Math.min(size, upTo - after, count - 1 - after);
    held.push(Math.min(docs * docBytes, maxBodyBytes));
    if (docs * docBytes > maxBodyBytes) throw new CrossfadeError('UPSTREAM_BODY_TOO_LARGE');
    return Array.from({ length: docs }, (_, i) => docOf(after + 1 + i, docBytes));
  };
  return { cluster: { searchBySeq } as unknown as ClusterControl, held };
};

const readAll = async (cluster: ClusterControl, to: number): Promise<number[]> => {
  const limits = { pageBytes: 4_000_000, maxPageDocs: 5_000 };
  const range = { index: 'i', shard: 0, node: 'n', from: -1, to };
  const seen: number[] = [];
  for await (const page of readSeqRange(range, { cluster, runtime: hastyRuntime(), limits, source: true }))
    seen.push(...page.docs.map(({ seqNo }) => seqNo));
  return seen;
};

it.each([
  ['a few megabytes', 3_000_000],
  ['more than a page may have', 50_000_000],
])('documents of %s are read whole and in order, without holding many of them at once', async (_, docBytes) => {
  const { cluster, held } = shardOf(100, docBytes);
  expect(await readAll(cluster, 99)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  expect(Math.max(...held)).toBeLessThanOrEqual(Math.max(docBytes, 4 * 4_000_000 + 64 * 2_000));
});
