/**
 * A whole migration from an older cluster to the present OpenSearch and back, under load, with each kind of request that
 * an application sends, in each phase. Mapping types are used as long as the old cluster answers.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { must } from '../support/agent-process.ts';
import { oldClusters, startOldCluster, whyNoOldCluster } from '../support/services/embedded.ts';
import { services } from '../support/services.ts';
import { createAsk, type Dialect, useIndex } from './application.ts';
import { buildWorld, type World } from './world.ts';

const missing = await whyNoOldCluster();
const reason = missing === undefined ? '' : ` (skipped: ${missing})`;
const dialects: Record<(typeof oldClusters)[number], Dialect> = {
  'opensearch-2.19.6': {},
  'elasticsearch-7.10.2': { type: 'item' },
};

describe.skipIf(missing !== undefined).each(oldClusters)(`%s as the source${reason}`, (cluster) => {
  const dialect = dialects[cluster];
  let old: Awaited<ReturnType<typeof startOldCluster>>;
  let world: World;
  beforeAll(async () => {
    old = await startOldCluster({ cluster, name: cluster.replaceAll('.', '-') });
    const { targetUrl } = await services();
    const clusters = { sourceUrl: old.url, targetUrl };
    world = await buildWorld({ clusters, agents: 2, more: 500, dual: false, type: dialect.type });
  }, 240_000);
  afterAll(async () => {
    await world?.close();
    await old?.stop();
  });
  const cli = async (...args: string[]): Promise<string> => {
    const { out } = await must(world.cli(...args));
    return out;
  };

  test('its own words pass as they are', async () => {
    const ask = createAsk(world);
    const direct = await fetch(old.url);
    const through = await ask('GET', '/');
    expect(through.body).toEqual(await direct.json());
    expect(through.headers.get('x-elastic-product')).toBe(direct.headers.get('x-elastic-product'));
  }, 60_000);

  test.runIf(dialect.type !== undefined)(
    'mapping types are told, and a point in time is refused in its words',
    async () => {
      await cli('phase', world.slug, 'observe');
      const ask = createAsk(world);
      const mapping = await ask('GET', `/${world.slug}/_mapping?include_type_name=true`);
      expect(mapping.body).toMatchObject({
        [world.names.source]: { mappings: { [dialect.type!]: { properties: {} } } },
      });
      const pit = await ask('POST', `/${world.slug}/_search/point_in_time?keep_alive=1m`);
      expect(pit.status).toBeGreaterThanOrEqual(400);
      expect(pit.headers.get('x-crossfade-error')).toBeNull();
    },
    60_000,
  );

  test('an application is served while it is only observed', async () => {
    await cli('phase', world.slug, 'observe');
    await useIndex(world, 'observed', dialect);
  }, 120_000);

  test('an application is served while writes are copied, and a full verification finds both sides equal', async () => {
    await cli('phase', world.slug, 'dual');
    await useIndex(world, 'copied', dialect);
    await world.until(({ safeToAdvance }) => safeToAdvance.ok, 'the gate to open');
    expect(await cli('verify', world.slug, '--mode', 'full', '--wait')).toContain('all equal');
  }, 240_000);

  test('an application is served after the cutover, and after the rollback', async () => {
    expect(await world.switchTo('target')).toMatchObject({ phase: 'target' });
    await useIndex(world, 'moved');
    expect(await world.switchTo('dual')).toMatchObject({ phase: 'dual' });
    await useIndex(world, 'home', dialect);
    await world.load.acknowledges(60);
    expect(await world.verdict()).toEqual([]);
    const answers = Object.keys(world.recorder.refusals());
    expect(answers.filter((answer) => answer !== '409')).toEqual([]);
  }, 300_000);
});
