import { describe, expect, it } from 'vitest';
import type { Extent, StoredMessage } from '../../../src/coordination/bucket-mirror.ts';
import { type FollowerLink, NatsFollower } from '../../../src/coordination/nats-follower.ts';
import { ManualTime } from './manual-time.ts';

/** A stream that keeps the last message of each key, and in which somebody writes while it is read. */
class BusyStream {
  readonly bucket = 'b';
  readonly #messages = new Map<string, StoredMessage>();
  readonly #history: StoredMessage[] = [];
  #lastRevision = 0;
  readonly #meanwhile: string[];

  constructor(meanwhile: string[]) {
    this.#meanwhile = meanwhile;
  }

  write(key: string): void {
    this.#lastRevision += 1;
    const message = { key, value: `${this.#lastRevision}`, revision: this.#lastRevision };
    this.#history.push(message);
    this.#messages.set(key, message);
  }
  /** The server forgets its newest writes. */
  rewindTo(revision: number): void {
    const kept = this.#history.filter((message) => message.revision <= revision);
    this.#messages.clear();
    for (const message of kept) this.#messages.set(message.key, message);
    this.#lastRevision = revision;
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

describe('a stream that lost its end and grew again', () => {
  const setUp = async (keys: string[]) => {
    const { timers, now } = new ManualTime();
    const stream = new BusyStream([]);
    const follower = new NatsFollower({ timers, now, pollMs: 1_000, onLook: () => undefined });
    const attach = (): void =>
      follower.attach({ reader: stream, connection: undefined, republished: undefined } as unknown as FollowerLink);
    attach();
    for (const key of keys) stream.write(key);
    await follower.look();
    return { stream, follower, attach };
  };
  const revisions = (follower: NatsFollower) =>
    follower
      .entries('')
      .map(({ key, revision }) => `${key}@${revision}`)
      .sort();

  it('is read anew after the connection was lost, and what it lost is told', async () => {
    const { stream, follower, attach } = await setUp(['a', 'b', 'c', 'd']);
    follower.detach();
    stream.rewindTo(2);
    for (const key of ['e', 'a', 'a']) stream.write(key);
    attach();
    await follower.look();
    expect(revisions(follower)).toEqual(['a@5', 'b@2', 'e@3']);
    expect(follower.reach).toEqual({ lastRevision: 5, losses: 1, lost: { end: 5, kept: 2 } });
  });

  it('is no loss where it has only grown, nor where keys were written anew', async () => {
    const { stream, follower, attach } = await setUp(['a', 'b', 'c']);
    follower.detach();
    for (const key of ['c', 'd']) stream.write(key);
    attach();
    await follower.look();
    expect(revisions(follower)).toEqual(['a@1', 'b@2', 'c@4', 'd@5']);
    expect(follower.reach).toMatchObject({ lastRevision: 5, losses: 0 });
  });

  it('is read anew where a key is missing after a walk', async () => {
    const { stream, follower } = await setUp(['a', 'b', 'b']);
    stream.rewindTo(2);
    for (const key of ['x', 'y']) stream.write(key);
    await follower.look();
    expect(revisions(follower)).toEqual(['a@1', 'b@2', 'x@3', 'y@4']);
  });
});

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
