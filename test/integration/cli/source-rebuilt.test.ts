/** A source that is built anew each night: its sequence numbers begin at 0, and what was copied the day before stands on the target. */
import { afterAll, describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { OneAgent, request } from '../../support/one-agent.ts';

const one = new OneAgent('rebuilt');
const { slug, source, target } = one;

const build = async (night: number, writes: number) => {
  await one.createSource();
  for (let i = 0; i < writes; i++) await request('PUT', `${one.urls.sourceUrl}/${source}/_doc/a`, { night, i });
};
const onTarget = async (): Promise<unknown> => (await request('GET', `${one.urls.targetUrl}/${target}/_doc/a`))._source;
const startMigration = async (name: string) => {
  await one.start(`${name}.store`);
  await one.apply({ route: name });
};
const refusal = async (): Promise<string> => {
  const { exit, out } = await one.cli('phase', `${slug}_2`, 'dual', '--wait');
  expect(exit).toBe(3);
  return out;
};

afterAll(() => one.close());

describe('a source that was built anew', () => {
  test('is copied anew after a stay in observe, and by another migration to the same target', async () => {
    await build(1, 9);
    await startMigration(slug);
    await one.must('phase', slug, 'dual', '--wait');
    await one.untilReady();
    expect(await onTarget()).toEqual({ night: 1, i: 8 });

    await one.must('phase', slug, 'observe', '--wait', '--yes');
    await one.must('phase', slug, 'dual', '--wait');
    expect(await one.status()).toMatchObject({ reign: 1 });

    await one.must('phase', slug, 'off', '--wait', '--yes');
    await request('DELETE', `${one.urls.sourceUrl}/${source}`);
    await build(2, 3);
    await one.must('phase', slug, 'dual', '--wait');
    await one.untilReady();
    expect(await onTarget()).toEqual({ night: 2, i: 2 });
    await request('PUT', `${one.agent.url}/${slug}/_doc/a`, { written: true });
    await eventually(async () => JSON.stringify(await onTarget()) === '{"written":true}', { what: 'the copy' });

    await one.must('phase', slug, 'off', '--wait', '--yes');
    await one.agent.stop();
    await startMigration(`${slug}_2`);
    const [, alias = ''] = /by its alias (\S+)\n/.exec(await refusal()) ?? [];
    await request('POST', `${one.urls.targetUrl}/_aliases`, { actions: [{ remove: { index: target, alias } }] });
    expect(await refusal()).toContain('create it anew');
  }, 180_000);
});
