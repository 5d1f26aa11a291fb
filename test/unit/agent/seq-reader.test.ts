import { expect, it } from 'vitest';
import type { ClusterControl } from '../../../src/agent/cluster.ts';
import type { StoredDoc } from '../../../src/agent/documents.ts';
import type { KnownPages } from '../../../src/agent/page-size.ts';
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
  const sizes: number[] = [];
  const searchBySeq: ClusterControl['searchBySeq'] = async ({ after, upTo, size, maxBodyBytes = 0 }) => {
    sizes.push(size);
    const docs = Math.min(size, upTo - after, count - 1 - after);
    held.push(Math.min(docs * docBytes, maxBodyBytes));
    if (docs * docBytes > maxBodyBytes) throw new CrossfadeError('UPSTREAM_BODY_TOO_LARGE');
    return Array.from({ length: docs }, (_, i) => docOf(after + 1 + i, docBytes));
  };
  return { cluster: { searchBySeq } as unknown as ClusterControl, held, sizes };
};

const readAll = async (
  cluster: ClusterControl,
  to: number,
  { known, from = -1, maxPageDocs = 5_000 }: { known?: KnownPages; from?: number; maxPageDocs?: number } = {},
): Promise<number[]> => {
  const limits = { pageBytes: 4_000_000, maxPageDocs };
  const range = { index: 'i', shard: 0, node: 'n', from, to };
  const seen: number[] = [];
  for await (const page of readSeqRange(range, { cluster, runtime: hastyRuntime(), limits, known, source: true }))
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

it('begins where an earlier walk of the index ended with its pages, within the limits of now', async () => {
  const { cluster, sizes } = shardOf(4_000, 500);
  const known: KnownPages = new Map();
  await readAll(cluster, 1_999, { known });
  expect(sizes).toEqual([64, 256, 1_024, 4_096]);
  sizes.length = 0;
  const rest = Array.from({ length: 2_000 }, (_, i) => 2_000 + i);
  expect(await readAll(cluster, 3_999, { known, from: 1_999 })).toEqual(rest);
  expect(sizes).toHaveLength(1);
  sizes.length = 0;
  expect(await readAll(cluster, 3_999, { known, from: 1_999, maxPageDocs: 1_000 })).toEqual(rest);
  expect(sizes).toEqual([1_000, 1_000]);
});
