import { describe, expect, it } from 'vitest';
import { readLeaderRecord } from '../../../src/agent/leader-record.ts';
import { ManualTime } from '../coordination/manual-time.ts';
import { memoryStore } from '../coordination/memory-bucket.ts';

describe('the record of a leader, as other processes read it', () => {
  it.each<[string, string | undefined, { paused: boolean; filled: boolean }]>([
    ['is absent', undefined, { paused: false, filled: false }],
    ['is damaged', '{"paused":tr', { paused: false, filled: false }],
    ['has fields of another version', '{"schema":9,"paused":true,"more":1}', { paused: true, filled: false }],
    ['says that the backfill runs', '{"work":{"backfill":"copying"}}', { paused: false, filled: false }],
    ['does not tell of a sweep', '{"work":{"backfill":"done"}}', { paused: false, filled: false }],
    [
      'says that no sweep has ended, so that documents which were deleted before may still be there',
      '{"work":{"backfill":"done","sweep":{"coveredEvents":-1,"removed":0}}}',
      { paused: false, filled: false },
    ],
    [
      'says that the backfill and a sweep are done',
      '{"paused":false,"work":{"backfill":"done","sweep":{"coveredEvents":0,"removed":0}}}',
      { paused: false, filled: true },
    ],
    [
      'says that counts which differ want another sweep than the one that has ended',
      '{"work":{"backfill":"done","sweep":{"coveredEvents":-1,"removed":1,"finishedAt":"t"}}}',
      { paused: false, filled: true },
    ],
  ])('%s', async (_what, text, expected) => {
    const { config } = memoryStore(new ManualTime());
    if (text !== undefined) await config.put('job.products.state', text);
    expect(await readLeaderRecord(config, 'products')).toEqual(expected);
  });
});
