import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planChunks } from '../../../src/agent/chunks.ts';
import {
  canonical,
  canonicalNumber,
  differingPaths,
  parseExact,
  stringifyExact,
} from '../../../src/agent/exact-json.ts';
import { firstPage, nextPage, smallerPage } from '../../../src/agent/page-size.ts';
import { backoffMs, isPassing, retrying } from '../../../src/agent/retry.ts';
import { freeGovernor, fullBucket, type Governor, govern, restMs, take } from '../../../src/agent/throttle.ts';
import { bucketCount, bucketOf, isInShare } from '../../../src/coordination/bucket.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import { hastyRuntime } from '../../support/manual-runtime.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);

describe('chunks of a backfill', () => {
  it('cover every sequence number of every shard exactly once', () => {
    const extent = fc.record({ index: fc.nat(2), shard: fc.nat(3), checkpoint: fc.integer({ min: -1, max: 300 }) });
    const extents = fc.uniqueArray(extent, { selector: ({ index, shard }) => `${index}/${shard}` });
    fc.assert(
      fc.property(extents, fc.integer({ min: 1, max: 50 }), (all, chunkDocs) => {
        const seen = planChunks(all, chunkDocs).flatMap(({ index, shard, fromSeq, toSeq }) =>
          Array.from({ length: toSeq - fromSeq }, (_, i) => `${index}/${shard}/${fromSeq + 1 + i}`),
        );
        const wanted = all.flatMap(({ index, shard, checkpoint }) =>
          Array.from({ length: checkpoint + 1 }, (_, seq) => `${index}/${shard}/${seq}`),
        );
        expect(seen.sort()).toEqual(wanted.sort());
      }),
    );
  });

  it('take turns between shards, so that workers spread over nodes', () => {
    const chunks = planChunks(
      [0, 1, 2].map((shard) => ({ index: 0, shard, checkpoint: 99 })),
      50,
    );
    expect(chunks.map(({ shard }) => shard)).toEqual([0, 1, 2, 0, 1, 2]);
  });

  it('grow for an index so large that their number would become a burden', () => {
    expect(planChunks([{ index: 0, shard: 0, checkpoint: 10_000_000_000 }], 1000).length).toBeLessThanOrEqual(100_000);
  });
});

describe('the size of pages', () => {
  const limits = { pageBytes: 100_000, maxPageDocs: 5000 };
  const settle = (docBytes: number, density = 1) => {
    let plan = firstPage(limits);
    for (let i = 0; i < 20; i++) {
      const docs = Math.min(plan.docs, Math.floor(plan.span * density));
      plan = nextPage(plan, { docs, bytes: docs * docBytes, span: plan.span }, limits);
    }
    return plan;
  };

  it.each([
    [10, 5000],
    [100, 1000],
    [50_000, 2],
    [10_000_000, 1],
  ])('settles for documents of %i bytes at %i per page', (docBytes, docs) => {
    expect(settle(docBytes).docs).toBe(docs);
  });

  it('asks for a span of sequence numbers that holds a page, also where most were overwritten', () => {
    expect(settle(100).span).toBe(1000);
    expect(settle(100, 0.01).span / 100_000).toBeCloseTo(1, 2);
  });

  it('grows over stretches without any document', () => {
    const empty = nextPage({ docs: 64, span: 64 }, { docs: 0, bytes: 0, span: 64 }, limits);
    expect(empty.span).toBeGreaterThan(64);
  });

  it('halves when an answer was too large, down to one document', () => {
    expect(smallerPage({ docs: 5, span: 100 })).toEqual({ docs: 2, span: 2 });
    expect(smallerPage({ docs: 1, span: 1 })).toBeUndefined();
  });
});

describe('backing off', () => {
  it('draws below a ceiling that doubles up to the cap', () => {
    const ceiling = (attempt: number) => backoffMs({ baseMs: 50, capMs: 5000 }, attempt, () => 1);
    expect([1, 2, 3, 8, 100].map(ceiling)).toEqual([50, 100, 200, 5000, 5000]);
    expect(backoffMs({ baseMs: 50, capMs: 5000 }, 3, () => 0)).toBe(0);
  });

  it.each<[boolean, unknown]>([
    [true, new CrossfadeError('UPSTREAM_UNREACHABLE')],
    [true, new CrossfadeError('UPSTREAM_TIMEOUT')],
    [true, new CrossfadeError('UPSTREAM_REFUSED', 'x', { details: { upstreamStatus: 429 } })],
    [true, new CrossfadeError('UPSTREAM_REFUSED', 'x', { details: { upstreamStatus: 503 } })],
    [false, new CrossfadeError('UPSTREAM_REFUSED', 'x', { details: { upstreamStatus: 400 } })],
    [false, new CrossfadeError('UPSTREAM_REFUSED', 'x', { details: { upstreamStatus: 403 } })],
    [false, new CrossfadeError('UPSTREAM_BODY_TOO_LARGE')],
    [false, new TypeError('a bug')],
  ])('is worth it: %s for %s', (worth, error) => {
    expect(isPassing(error)).toBe(worth);
  });

  it('ends with the last failure when the attempts are used up, and at once when it cannot pass', async () => {
    let asked = 0;
    const failing = (error: Error) =>
      retrying(
        () => {
          asked++;
          return Promise.reject(error);
        },
        { runtime: hastyRuntime(), attempts: 4 },
      );
    await expect(failing(new CrossfadeError('UPSTREAM_RESET'))).rejects.toThrow(CrossfadeError);
    expect(asked).toBe(4);
    await expect(failing(new TypeError('a bug'))).rejects.toThrow(TypeError);
    expect(asked).toBe(5);
  });
});

describe('throttling', () => {
  it('keeps to the rate over any stretch of pages, after a short burst', () => {
    const pages = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 5, maxLength: 50 });
    fc.assert(
      fc.property(pages, fc.integer({ min: 10, max: 20_000 }), (sizes, rate) => {
        let bucket = fullBucket(rate, 0);
        let nowMs = 0;
        for (const docs of sizes) {
          const taken = take(bucket, { docs, rate, nowMs });
          bucket = taken.bucket;
          nowMs += taken.waitMs;
        }
        const total = sizes.reduce((sum, docs) => sum + docs, 0);
        expect(nowMs).toBeGreaterThanOrEqual(((total - rate * 0.25) / rate) * 1000 - 1);
        expect(nowMs).toBeLessThanOrEqual((total / rate) * 1000 + 1);
      }),
    );
  });

  const page = { docs: 1000, sendMs: 100, pushedBack: false };
  const governed = (pages: (typeof page)[], from: Governor = freeGovernor) => pages.reduce(govern, from);

  it.each([
    ['the follower pushes back', { pushedBack: true }],
    ['the follower became slow against its own best', { sendMs: 1000 }],
  ])('works less when %s, and recovers', (_why, trouble) => {
    const calm = governed([page, page]);
    expect(calm.duty).toBe(1);
    const troubled = governed(
      [
        { ...page, ...trouble },
        { ...page, ...trouble },
      ],
      calm,
    );
    expect(troubled.duty).toBeLessThan(0.7);
    expect(restMs(troubled.duty, 100)).toBeGreaterThan(40);
    expect(
      governed(
        Array.from({ length: 60 }, () => page),
        troubled,
      ).duty,
    ).toBe(1);
  });

  it('never stops altogether', () => {
    const battered = governed(Array.from({ length: 500 }, () => ({ ...page, pushedBack: true })));
    expect(battered.duty).toBeGreaterThan(0);
  });
});

describe('documents as values', () => {
  it('keep whole numbers that a double would round', () => {
    const text =
      '{"big":12345678901234567890,"neg":-9007199254740993,"small":7,"half":0.5,"text":"12345678901234567890"}';
    const value = parseExact(bytes(text)) as Record<string, unknown>;
    expect(value).toMatchObject({
      big: 12345678901234567890n,
      neg: -9007199254740993n,
      small: 7,
      text: '12345678901234567890',
    });
    expect(stringifyExact(value)).toBe(text);
  });

  it.each([
    ['1', '1.0'],
    ['15', '1.50e1'],
    ['0', '-0.000'],
    ['100', '1E+2'],
    ['0.001', '1e-3'],
    ['12345678901234567890', '1234567890123456789.0e1'],
  ])('mean the same number as %s and %s', (a, b) => {
    expect(canonicalNumber(a)).toBe(canonicalNumber(b));
  });

  it.each([
    ['12345678901234567890', '12345678901234567000'],
    ['0.1', '0.10000000000000000001'],
    ['1', '-1'],
    ['1', '10'],
  ])('mean different numbers by %s and %s', (a, b) => {
    expect(canonicalNumber(a)).not.toBe(canonicalNumber(b));
  });

  it('of many digits take no time that grows faster than they do', () => {
    const begunMs = performance.now();
    expect(canonicalNumber(`1${'0'.repeat(30_000)}1`)).toMatch(/^10+1e0$/);
    expect(performance.now() - begunMs).toBeLessThan(1_000);
  });

  it('are equal whatever the order of keys and the white space', () => {
    expect(canonical(bytes('{"a":[1.0,{"x":null,"y":"é"}],"b":true}'))).toBe(
      canonical(bytes('{ "b":true, "a":[1,{"y":"\\u00e9","x":null}] }')),
    );
  });

  it('are equal exactly when they parse to equal values', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        const [left, right] = [JSON.stringify(a), JSON.stringify(b)];
        expect(canonical(bytes(left))).toBe(canonical(bytes(JSON.stringify(JSON.parse(left), null, 2))));
        const equal = isDeepStrictEqual(JSON.parse(left), JSON.parse(right));
        expect(canonical(bytes(left)) === canonical(bytes(right))).toBe(equal);
      }),
    );
  });

  it('differ at paths that can be told without telling values', () => {
    const paths = differingPaths(
      bytes('{"a":{"b":1,"c":[1,2]},"d":1,"e":2}'),
      bytes('{"a":{"b":1.0,"c":[1,3]},"d":"1","f":2}'),
    );
    expect(paths).toEqual(['a.c.1', 'd', 'e', 'f']);
  });
});

describe('buckets of documents', () => {
  it('stay in range, spread evenly, and only gain keys as the share grows', () => {
    const draws = Array.from({ length: 20_000 }, (_, i) => bucketOf('write:products', `doc-${i}`));
    expect(draws.every((bucket) => bucket >= 0 && bucket < bucketCount)).toBe(true);
    for (const percent of [1, 10, 25, 50]) {
      const share = draws.filter((bucket) => isInShare(bucket, percent)).length / draws.length;
      expect(Math.abs(share - percent / 100)).toBeLessThan(0.012);
    }
    expect(draws.every((bucket) => !isInShare(bucket, 10) || isInShare(bucket, 10.001))).toBe(true);
    expect([isInShare(0, 0), isInShare(bucketCount - 1, 100), isInShare(0, 0.001), isInShare(1, 0.001)]).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });
});
