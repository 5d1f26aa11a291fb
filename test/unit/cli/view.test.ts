import { describe, expect, test } from 'vitest';
import { histogramText } from '../../../src/cli/histogram.ts';
import { cut } from '../../../src/cli/screen.ts';
import { keys } from '../../../src/coordination/keys.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import { exitTable } from '../../../src/exit-codes.ts';
import { type Harness, harness, putReport, type RunOptions, withLeader, withRoute } from './harness.ts';

describe('status --watch', () => {
  const watch = (made: Harness, options: RunOptions, line = 'status products --watch') =>
    made.run(line, { onSleep: (slept, interrupt) => (slept >= 3000 ? interrupt() : undefined), ...options });

  test('redraws in place on a terminal, within its size, and ends at Ctrl-C with the next step', async () => {
    const made = await withRoute({ phase: 'dual', epoch: 1 });
    await withLeader(made);
    await putReport(made);
    const ran = await watch(made, { size: { columns: 60, rows: 12 } });
    const pictures = ran.out.split('\u001b[H').slice(1);
    expect(pictures).toHaveLength(3);
    for (const picture of pictures) {
      const lines = picture.replaceAll(/\u001b\[[\d?]*[a-zA-Z]/g, '').split('\n');
      expect(lines.length).toBeLessThanOrEqual(12);
      expect(Math.max(...lines.map((text) => [...text].length))).toBeLessThanOrEqual(60);
      expect(picture).toMatch(/… \d+ more lines/);
    }
    expect(ran).toMatchObject({ exit: 0, err: 'next: crossfade status products --watch\n' });
  });

  test('keeps the last picture while the store is away, says since when, and goes on', async () => {
    const made = await withRoute({ phase: 'dual', epoch: 1 });
    const { config } = made.store;
    const list = config.list.bind(config);
    const ran = await watch(made, {
      size: { columns: 100, rows: 60 },
      onSleep: (slept, interrupt) => {
        config.list = slept === 1000 ? () => Promise.reject(new CrossfadeError('STORE_UNAVAILABLE')) : list;
        if (slept >= 3000) interrupt();
      },
    });
    const pictures = ran.out.split('\u001b[H').slice(1);
    expect(pictures.map((picture) => picture.includes('STORE AWAY since'))).toEqual([false, true, false]);
    expect(pictures[1]).toContain('products');
  });

  test('without a terminal prints a state only when it changed, as one line of JSON with --json', async () => {
    const made = await withRoute({ phase: 'dual', epoch: 1 });
    const ran = await watch(
      made,
      {
        onSleep: async (slept, interrupt) => {
          if (slept === 2000) await made.store.config.put(keys.percent('products', 'read'), '25');
          if (slept >= 4000) interrupt();
        },
      },
      'watch products --json',
    );
    const lines = ran.out
      .trimEnd()
      .split('\n')
      .map((text) => JSON.parse(text).percent.read);
    expect(lines).toEqual([0, 25]);
  });

  test('fails as status does when the store is away from the start', async () => {
    const made = harness();
    made.store.config.list = () => Promise.reject(new CrossfadeError('STORE_UNAVAILABLE'));
    expect((await watch(made, {})).exit).toBe(exitTable.store.code);
  });
});

describe('pauses', () => {
  test.each([
    [[], ''],
    [[40, 90, 95, 797], '≤ 50 ms 1  ≤ 100 ms 2  ≤ 1.0 s 1'],
    [[9000], '> 5.0 s 1'],
  ])('%j are shown as a histogram', (pauses, text) => {
    expect(histogramText(pauses, false)).toBe(text);
  });

  test('get bars on a terminal, the longest for the most frequent', () => {
    expect(histogramText([40, 90, 95], true)).toBe(`≤ 50 ms ${'▇'.repeat(6)} 1  ≤ 100 ms ${'▇'.repeat(12)} 2`);
  });
});

describe('a line cut to a terminal', () => {
  test.each([
    ['short', 10, 'short'],
    ['exactly ten', 11, 'exactly ten'],
    ['longer than it', 6, 'longe…\u001b[0m'],
    ['\u001b[32mgreen\u001b[39m', 5, '\u001b[32mgreen\u001b[39m'],
  ])('%j to %d columns is %j', (line, columns, expected) => {
    expect(cut(line, columns)).toBe(expected);
  });
});

describe('--dry-run', () => {
  test('of a switch tells whether its conditions hold now, and asks nothing', async () => {
    const made = await withRoute({ phase: 'dual', epoch: 1 });
    await withLeader(made);
    await putReport(made);
    const ran = await made.run('advance products --dry-run');
    expect(ran.out).toBe('would ask: advance products\nit would be refused now:\n  ✗ backfill complete: no\n');
    expect((await made.run('rollback products --dry-run --json')).json()).toMatchObject({ conditions: { ok: true } });
    expect(await made.store.config.get(keys.ask('products'))).toBeUndefined();
  });

  // A command that is added later is tried here without being listed.
  const changing = ['advance', 'rollback', 'abort', 'pause', 'resume', 'finalize', 'verify', 'repair'].map(
    (name) => `${name} products`,
  );
  test.each([
    ...changing,
    'phase products off',
    'route reset products',
    'route delete products',
    'route set products.stop on',
  ])('of %s writes nothing', async (line) => {
    const made = await withRoute(line.startsWith('route delete') ? {} : { phase: 'dual', epoch: 1 });
    const before = await made.store.config.list('');
    expect((await made.run(`${line} --dry-run`)).exit).toBe(0);
    expect(await made.store.config.list('')).toEqual(before);
  });
});
