import { describe, expect, it } from 'vitest';
import { CrossfadeError, type ErrorCode } from '../../../src/errors.ts';
import { askFollower } from '../../../src/proxy/read/ask-follower.ts';
import type { Judgement } from '../../../src/proxy/read/judge-follower.ts';
import type { AskedAnswer } from '../../../src/proxy/read/ports.ts';

const answer = (text: string, status = 200): AskedAnswer => ({ status, headers: {}, body: Buffer.from(text), ms: 1 });
const good = (text: string) => answer(text);
const judge = ({ status, body }: AskedAnswer): Judgement =>
  status === 200 ? { kind: 'use', body } : { kind: 'ask_authority', cause: 'server_error', failed: true };

/** Both sides and the clock are moved by hand. */
const start = () => {
  const side = () => {
    const handle = {
      asked: false,
      signal: new AbortController().signal,
      settle: (_: AskedAnswer | ErrorCode) => {},
    };
    const ask = (signal: AbortSignal) =>
      new Promise<AskedAnswer>((resolve, reject) => {
        Object.assign(handle, { asked: true, signal });
        signal.addEventListener('abort', () => reject(new CrossfadeError('CLIENT_CLOSED')));
        handle.settle = (result) => (typeof result === 'string' ? reject(new CrossfadeError(result)) : resolve(result));
      });
    return { handle, ask };
  };
  const [follower, authority] = [side(), side()];
  const settled: string[] = [];
  const client = new AbortController();
  let expire = () => {};
  const outcome = askFollower({
    follower: follower.ask,
    authority: authority.ask,
    judge,
    breaker: { settle: (result) => void settled.push(result) },
    hedgeMs: 1000,
    timers: {
      set: (callback) => {
        expire = callback;
        return () => undefined;
      },
    },
    aborted: client.signal,
  });
  outcome.catch(() => undefined);
  const slow = async () => {
    expire();
    await new Promise(setImmediate);
  };
  return { follower: follower.handle, authority: authority.handle, settled, client, outcome, slow };
};

describe('a follower in time', () => {
  it('answers alone', async () => {
    const { follower, authority, outcome, settled } = start();
    follower.settle(good('F'));
    expect(await outcome).toMatchObject({ kind: 'follower', raw: Buffer.from('F') });
    expect([authority.asked, settled]).toEqual([false, ['success']]);
  });

  it.each<[AskedAnswer | ErrorCode, string]>([
    [answer('x', 500), 'server_error'],
    ['UPSTREAM_TIMEOUT', 'timeout'],
    ['UPSTREAM_RESET', 'reset'],
    ['UPSTREAM_INVALID', 'reset'],
    ['UPSTREAM_UNREACHABLE', 'unreachable'],
    ['UPSTREAM_BODY_TOO_LARGE', 'too_large'],
  ])('that fails leaves it to the caller to ask the authority: case %#', async (result, cause) => {
    const { follower, outcome, settled, authority } = start();
    follower.settle(result);
    expect(await outcome).toEqual({ kind: 'authority', cause, answer: undefined });
    expect([settled, authority.asked]).toEqual([['failure'], false]);
  });
});

describe('a slow follower', () => {
  it('gets a rival; the follower wins when it is first, and the authority is given up', async () => {
    const { follower, authority, outcome, slow, settled } = start();
    await slow();
    expect(authority.asked).toBe(true);
    follower.settle(good('F'));
    expect(await outcome).toMatchObject({ kind: 'follower' });
    expect([authority.signal.aborted, settled]).toEqual([true, ['success']]);
  });

  it('loses to a rival that is first, is given up, and is to blame', async () => {
    const { follower, authority, outcome, slow, settled } = start();
    await slow();
    authority.settle(good('A'));
    expect(await outcome).toMatchObject({ kind: 'authority', cause: 'slow', answer: { body: Buffer.from('A') } });
    expect([follower.signal.aborted, settled]).toEqual([true, ['failure']]);
  });

  it('still wins when the rival fails', async () => {
    const { follower, authority, outcome, slow } = start();
    await slow();
    authority.settle(answer('busy', 429));
    await new Promise(setImmediate);
    follower.settle(good('F'));
    expect(await outcome).toMatchObject({ kind: 'follower' });
  });

  it('that fails after all waits for the rival', async () => {
    const { follower, authority, outcome, slow } = start();
    await slow();
    follower.settle('UPSTREAM_RESET');
    await new Promise(setImmediate);
    authority.settle(good('A'));
    expect(await outcome).toMatchObject({ kind: 'authority', cause: 'reset', answer: { body: Buffer.from('A') } });
  });

  it('does not keep an error of the authority from the client for longer than it was waited for', async () => {
    const { follower, authority, outcome, slow, settled } = start();
    await slow();
    authority.settle(answer('busy', 429));
    await new Promise(setImmediate);
    await slow();
    expect(await Promise.race([outcome, Promise.resolve('waits')])).toMatchObject({
      kind: 'authority',
      cause: 'slow',
      answer: { status: 429 },
    });
    expect([follower.signal.aborted, settled]).toEqual([true, ['failure']]);
  });

  it('leaves the word to the authority when both fail', async () => {
    const { follower, authority, outcome, slow } = start();
    await slow();
    authority.settle(answer('sorry', 503));
    await new Promise(setImmediate);
    follower.settle('UPSTREAM_RESET');
    expect(await outcome).toMatchObject({ kind: 'authority', answer: { status: 503 } });
  });
});

it.each([false, true])('a client that leaves gives up whatever is under way (slow: %s)', async (isSlow) => {
  const { follower, authority, outcome, client, slow, settled } = start();
  if (isSlow) await slow();
  client.abort();
  await expect(outcome).rejects.toMatchObject({ code: 'CLIENT_CLOSED' });
  expect([follower.signal.aborted, authority.asked ? authority.signal.aborted : isSlow]).toEqual([true, isSlow]);
  expect(settled).toEqual([]);
});
