import { describe, expect, it } from 'vitest';
import { keys } from '../../../src/coordination/keys.ts';
import { claimName } from '../../../src/coordination/sole-member.ts';
import { ManualTime } from './manual-time.ts';
import { MemoryBucket } from './memory-bucket.ts';

const start = () => {
  const time = new ManualTime();
  const live = new MemoryBucket(time, 15_000);
  const claim = (boot: string) => claimName({ live, member: 'm', boot, timers: time.timers });
  const beat = (boot: string, leaving?: true) =>
    live.put(
      keys.heartbeat('m'),
      JSON.stringify({
        schema: 1,
        member: 'm',
        boot,
        version: '1',
        stale: false,
        routes: {},
        ...(leaving && { leaving }),
      }),
    );
  /** What becomes of it within the time that a start may wait, somebody else beating meanwhile or not. */
  const within = async (claiming: Promise<void>, beating?: string) => {
    const outcome = claiming.then(
      () => 'taken',
      (error: { code: string }) => error.code,
    );
    for (let ms = 0; ms < 3_000; ms += 1_000) {
      await time.advance(1_000);
      if (beating !== undefined) await beat(beating);
    }
    await time.advance(500);
    return Promise.race([outcome, Promise.resolve('waits')]);
  };
  return { time, live, claim, beat, within };
};

describe('the name of an agent with the embedded store', () => {
  it('is had at once when nobody stands there', async () => {
    const { claim } = start();
    await claim('a');
  });

  it('is had at once after one that has left, also soon after that one began', async () => {
    const { claim, beat } = start();
    await claim('a');
    await beat('a', true);
    await claim('b');
  });

  it('is refused while another process beats', async () => {
    const { claim, beat, within } = start();
    await claim('a');
    await beat('a');
    expect(await within(claim('b'), 'a')).toBe('MEMBER_TAKEN');
  });

  it('is had after three seconds of silence of one that was killed', async () => {
    const { claim, beat, within } = start();
    await claim('a');
    await beat('a');
    expect(await within(claim('b'))).toBe('taken');
  });

  it('is had when the former claim runs out while it is watched', async () => {
    const { time, claim, beat, within } = start();
    await claim('a');
    await time.advance(12_000);
    await beat('a');
    expect(await within(claim('b'))).toBe('taken');
  });

  it.each([undefined, 'former'])('goes to one of two that begin at once, after %s', async (former) => {
    const { time, claim, beat } = start();
    if (former !== undefined) await beat(former);
    const outcomes: string[] = [];
    let winner: string | undefined;
    for (const boot of ['a', 'b'])
      void claim(boot).then(
        () => {
          winner = boot;
          outcomes.push('taken');
        },
        ({ code }: { code: string }) => outcomes.push(code),
      );
    for (let ms = 0; ms < 8_000; ms += 1_000) {
      await time.advance(1_000);
      if (winner !== undefined) await beat(winner);
    }
    expect(outcomes.toSorted()).toEqual(['MEMBER_TAKEN', 'taken']);
  });
});
