import { describe, expect, it } from 'vitest';
import type { Extent, StoredMessage } from '../../../src/coordination/bucket-mirror.ts';
import { type FollowerLink, NatsFollower } from '../../../src/coordination/nats-follower.ts';
import { ManualTime } from './manual-time.ts';

/** A stream that keeps the last message of each key, and in which somebody writes while it is read. */
class BusyStream {
  readonly bucket = 'b';
  readonly #messages = new Map<string, StoredMessage>();
  #lastRevision = 0;
  readonly #meanwhile: string[];

  constructor(meanwhile: string[]) {
    this.#meanwhile = meanwhile;
  }

  write(key: string): void {
    this.#lastRevision += 1;
    this.#messages.set(key, { key, value: `${this.#lastRevision}`, revision: this.#lastRevision });
  }
  extent = async (): Promise<Extent> => ({
    created: 'once',
    lastRevision: this.#lastRevision,
    keys: this.#messages.size,
  });
  all = async (): Promise<StoredMessage[]> => [...this.#messages.values()];
  keys = async () => ({ keys: new Set(this.#messages.keys()), lastRevision: this.#lastRevision });
  walk = async (after: number, upTo: number): Promise<StoredMessage[]> => {
    const key = this.#meanwhile.shift();
    if (key !== undefined) this.write(key);
    return [...this.#messages.values()].filter(({ revision }) => revision > after && revision <= upTo);
  };
}

const listed = async (meanwhile: string[]): Promise<string[]> => {
  const { timers, now } = new ManualTime();
  const stream = new BusyStream(meanwhile);
  const follower = new NatsFollower({ timers, now, pollMs: 1_000, onLook: () => undefined });
  follower.attach({ reader: stream, connection: undefined, republished: undefined } as unknown as FollowerLink);
  stream.write('hb.a');
  await follower.look();
  stream.write('hb.b');
  await follower.look();
  return follower.entries('hb.').map(({ key }) => key);
};

describe('a look at a stream', () => {
  it.each([
    ['nobody writes', []],
    ['the new key is written again while it is read', ['hb.b']],
    ['the new key is written again and again', ['hb.b', 'hb.b', 'hb.b']],
  ])('brings every key that was written before it, where %s', async (_, meanwhile) => {
    expect(await listed(meanwhile)).toEqual(['hb.a', 'hb.b']);
  });

  it('ends also where somebody writes without a pause', async () => {
    expect(await listed(Array.from({ length: 1_000 }, () => 'hb.a'))).toContain('hb.a');
  });
});
