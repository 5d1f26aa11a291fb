import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Doubt, type Doubts, doubtRead, inDoubt, lookAgain, noDoubts } from '../../../src/agent/doubts.ts';

const looked = (maxSeqNo: number, globalCheckpoint: number) => [{ shard: 0, maxSeqNo, globalCheckpoint }];
const dated = (...doubts: Doubt[]): Doubts => ({ terms: [1], shards: [doubts] });

describe('what was read', () => {
  it.each<[string, Doubts, [number, number], Doubt[]]>([
    ['is in doubt from where the cursor stood', dated(), [4, 9], [{ from: 4 }]],
    ['adds to what is in doubt', dated({ from: 1, upTo: 7 }), [4, 9], [{ from: 1, upTo: 7 }, { from: 4 }]],
    [
      'widens the newer doubt, never the older one',
      dated({ from: 1, upTo: 7 }, { from: 4, upTo: 8 }),
      [6, 9],
      [{ from: 1, upTo: 7 }, { from: 4 }],
    ],
    ['leaves the doubts when it was nothing', dated({ from: 1, upTo: 7 }), [9, 9], [{ from: 1, upTo: 7 }]],
  ])('%s', (_title, doubts, [before, after], expected) => {
    expect(doubtRead(doubts, [before], [after])).toEqual({ terms: [1], shards: [expected] });
  });

  it('is in no doubt where no terms are told', () => {
    expect(doubtRead(noDoubts, [-1], [9])).toBe(noDoubts);
  });
});

describe('a look at the shard', () => {
  const at = (doubts: Doubts) => ({ doubts, cursors: [9] });

  it.each<[string, Doubts, [number, number], Doubt[]]>([
    ['says which number can hide at most', dated({ from: 4 }), [12, 9], [{ from: 4, upTo: 12 }]],
    ['ends the doubt when every replica has all numbers', dated({ from: 4 }), [12, 12], []],
    ['never moves a bound that was set', dated({ from: 4, upTo: 12 }), [20, 11], [{ from: 4, upTo: 12 }]],
    ['ends a doubt whose bound was passed, under load too', dated({ from: 4, upTo: 12 }), [20, 12], []],
    [
      'ends the older one and keeps the newer',
      dated({ from: 1, upTo: 7 }, { from: 4 }),
      [20, 12],
      [{ from: 4, upTo: 20 }],
    ],
  ])('%s', (_title, doubts, [max, checkpoint], left) => {
    expect(lookAgain(at(doubts), looked(max, checkpoint), [1])).toEqual({
      doubts: dated(...left),
      cursors: [9],
      rewound: false,
    });
  });

  it('sends the cursor back to the beginning of the older doubt under another primary, whatever its checkpoint', () => {
    const doubts = dated({ from: 1, upTo: 7 }, { from: 4 });
    expect(lookAgain(at(doubts), looked(20, 20), [2])).toEqual({
      doubts: { terms: [2], shards: [[]] },
      cursors: [1],
      rewound: true,
    });
  });

  it('lets another primary be where nothing is in doubt', () => {
    expect(lookAgain(at(dated()), looked(20, 9), [2])).toMatchObject({ cursors: [9], rewound: false });
  });

  it('touches only the shard whose primary is another one', () => {
    const doubts = { terms: [1, 5], shards: [[{ from: 2 }], [{ from: 3 }]] };
    const shards = [0, 1].map((shard) => ({ shard, maxSeqNo: 20, globalCheckpoint: 9 }));
    expect(lookAgain({ doubts, cursors: [9, 9] }, shards, [1, 6])).toEqual({
      doubts: { terms: [1, 6], shards: [[{ from: 2, upTo: 20 }], []] },
      cursors: [9, 3],
      rewound: true,
    });
  });

  it('ends all doubt where terms are told no more', () => {
    const { doubts } = lookAgain(at(dated({ from: 1 })), looked(20, 9), undefined);
    expect([doubts, inDoubt(doubts)]).toEqual([noDoubts, false]);
  });
});

/**
 * One shard of documents, each a list of its numbers. A search shows the newest; the tail keeps what it saw. Whatever the
 * primary does, nothing that every replica holds is missing when it has come to rest.
 */
const step = fc.oneof(
  fc.record({ write: fc.nat({ max: 1 }) }),
  fc.record({ replicate: fc.integer({ min: 1, max: 2 }) }),
  fc.constant('fail' as const),
  fc.constant('tail' as const),
);

const modelShard = () => {
  let log: { doc: number; term: number }[] = [];
  let checkpoint = -1;
  let term = 1;
  const seen = new Set<string>();
  const newest = () => new Map(log.map(({ doc, term: of }, seq) => [doc, { seq, key: `${doc}/${of}/${seq}` }]));
  let standing = { doubts: noDoubts, cursors: [-1] };
  const tail = () => {
    const look = lookAgain(standing, looked(log.length - 1, checkpoint), [term]);
    standing = look;
    if (look.rewound) return;
    const from = look.cursors[0] as number;
    for (const { seq, key } of newest().values()) if (seq > from && seq <= checkpoint) seen.add(key);
    standing = { cursors: [checkpoint], doubts: doubtRead(look.doubts, look.cursors, [checkpoint]) };
  };
  return {
    tail,
    write: (doc: number) => void log.push({ doc, term }),
    replicate: (count: number) => {
      checkpoint = Math.min(log.length - 1, checkpoint + count);
    },
    fail: () => {
      log = log.slice(0, checkpoint + 1);
      term++;
    },
    atRest: () => standing.cursors[0] === log.length - 1 && !inDoubt(standing.doubts),
    missing: () => [...newest().values()].filter(({ key }) => !seen.has(key)),
  };
};

describe('a tail over a shard whose primary fails', () => {
  it('has seen the newest write of every document once it has caught up and nothing is in doubt', () => {
    fc.assert(
      fc.property(fc.array(step, { size: 'max', maxLength: 16 }), (steps) => {
        const shard = modelShard();
        for (const one of steps) {
          if (one === 'tail') shard.tail();
          else if (one === 'fail') shard.fail();
          else if ('write' in one) shard.write(one.write);
          else shard.replicate(one.replicate);
        }
        shard.replicate(100);
        for (let turns = 0; turns < 4 && !shard.atRest(); turns++) shard.tail();
        expect([shard.atRest(), shard.missing()]).toEqual([true, []]);
      }),
      { numRuns: 20_000 },
    );
  });
});
