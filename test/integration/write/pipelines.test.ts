import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { useRoute } from './fixture.ts';

describe('documents that an ingest pipeline changes', () => {
  const fixture = useRoute({ deps: { now: () => clockMs } });
  let clockMs = 0;
  const pipeline = (name: string) => `${fixture.slug}-${name}`;

  beforeAll(async () => {
    for (const name of ['explicit', 'default', 'final'])
      await fixture.route.call('source', 'PUT', `/_ingest/pipeline/${pipeline(name)}`, {
        processors: [{ set: { field: name, value: true } }],
      });
  });
  afterAll(async () => {
    for (const name of ['explicit', 'default', 'final'])
      await fixture.route.call('source', 'DELETE', `/_ingest/pipeline/${pipeline(name)}`);
  });

  const settle = () => eventually(() => fixture.route.admission.report(fixture.slug)?.inFlight === 0);
  const expectEqual = async (id: string, fields: string[]) => {
    await settle();
    const source = (await fixture.route.documents('source')).get(id);
    expect(Object.keys(JSON.parse((source ?? '').slice(source?.indexOf('{'))) as object).sort()).toEqual(fields);
    expect((await fixture.route.documents('target')).get(id)).toBe(source);
  };

  it('through an explicit one, single and in bulk, are copied as they were stored', async () => {
    const { write, bulk, slug } = fixture;
    await write('PUT', `/${slug}/_doc/1?pipeline=${pipeline('explicit')}`, { n: 1 });
    await expectEqual('1', ['explicit', 'n']);
    await bulk(`/${slug}/_bulk`, [
      { index: { _id: '2', pipeline: pipeline('explicit') } },
      { n: 2 },
      { index: { _id: '3' } },
      { n: 3 },
      { index: { pipeline: pipeline('explicit'), _id: '4', routing: 'r' } },
      { n: 4 },
    ]);
    await expectEqual('2', ['explicit', 'n']);
    await expectEqual('3', ['n']);
    await expectEqual('4', ['explicit', 'n']);
  });

  it('through a default or final one are copied as they were stored', async () => {
    const { write, bulk, slug, route } = fixture;
    const settings = { 'index.default_pipeline': pipeline('default'), 'index.final_pipeline': pipeline('final') };
    await route.call('source', 'PUT', `/${slug}-v1/_settings`, settings);
    clockMs += 31_000;
    await write('PUT', `/${slug}/_doc/5`, { n: 5 });
    await expectEqual('5', ['default', 'final', 'n']);
    await write('POST', `/${slug}/_doc/6?pipeline=_none`, { n: 6 });
    await expectEqual('6', ['final', 'n']);
    for (const n of [7, 8]) {
      await write('POST', `/${slug}/_update/7`, { doc: { n }, upsert: { n: 1 } });
      await expectEqual('7', ['default', 'final', 'n']);
    }
    await write('POST', `/${slug}/_update/6`, { doc: { n: 66 } });
    await expectEqual('6', ['default', 'final', 'n']);
    await bulk('/_bulk', [{ index: { _index: slug, _id: '8' } }, { n: 8 }, { delete: { _index: slug, _id: '5' } }]);
    await expectEqual('8', ['default', 'final', 'n']);
    expect([...(await route.documents('target'))].sort()).toEqual([...(await route.documents('source'))].sort());
    expect([route.unknown, route.sweeps]).toEqual([[], []]);
  });

  it('are seen by a bulk at once, and by single writes after it', async () => {
    const { write, bulk, slug, route } = fixture;
    await route.call('source', 'PUT', `/${slug}-v1/_settings`, {
      'index.default_pipeline': null,
      'index.final_pipeline': null,
    });
    clockMs += 31_000;
    await write('PUT', `/${slug}/_doc/9`, { n: 9 });
    await settle();
    await route.call('source', 'PUT', `/${slug}-v1/_settings`, { 'index.final_pipeline': pipeline('final') });
    await bulk('/_bulk', [{ index: { _index: slug, _id: '10' } }, { n: 10 }]);
    await expectEqual('10', ['final', 'n']);
    await write('PUT', `/${slug}/_doc/11`, { n: 11 });
    await expectEqual('11', ['final', 'n']);
    expect(fixture.events.filter(({ kind }) => kind === 'pipeline_changed')).toHaveLength(2);
  });
});
