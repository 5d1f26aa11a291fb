import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { useRoute } from './fixture.ts';

describe('a switch of authority under writes', () => {
  const fixture = useRoute();

  const switchTo = async (epoch: number, reign: number, phase: 'dual' | 'target') => {
    const { route } = fixture;
    const [from, to] = phase === 'target' ? (['source', 'target'] as const) : (['target', 'source'] as const);
    await route.openEpoch(epoch, to);
    await route.fence(epoch - 1, from);
    return () => route.learn({ phase: { phase, epoch, reign } });
  };

  it('lets every kind of late write through to the new authority, once', async () => {
    const { write, bulk, source, slug, route } = fixture;
    await write('PUT', `/${slug}/_doc/u`, { n: 1 });
    await write('PUT', `/${slug}/_doc/d`, { n: 1 });
    await write('PUT', `/${slug}/_doc/b`, { n: 1 });
    // A real switch waits for the copies too.
    await eventually(() => route.admission.report(slug)?.inFlight === 0);
    const commit = await switchTo(2, 2, 'target');
    const late = [
      write('PUT', `/${slug}/_doc/i`, { n: 2 }),
      write('PUT', `/${slug}/_create/c`, { n: 2 }),
      write('POST', `/${slug}/_doc`, { auto: true }),
      write('POST', `/${slug}/_update/u`, { script: { source: 'ctx._source.n += 1' } }),
      write('DELETE', `/${slug}/_doc/d`),
      bulk('/_bulk', [
        { index: { _index: slug, _id: 'bi' } },
        { n: 3 },
        { update: { _index: source, _id: 'b' } },
        { script: { source: 'ctx._source.n += 1' } },
        { delete: { _index: slug, _id: 'no' } },
      ]),
    ];
    await eventually(() => fixture.events.filter(({ kind }) => kind === 'fenced').length === late.length);
    commit();
    const answers = await Promise.all(late);
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 200, 200, 200]);
    for (const { text } of answers) expect(text).not.toContain(`${slug}-v2`);
    expect(answers[5]?.json).toMatchObject({ errors: false, items: [{}, { update: { _index: source } }, {}] });
    await eventually(() => route.admission.report(slug)?.inFlight === 0);
    const documents = await route.documents('target');
    expect(documents.get('u')).toContain('{"n":2}');
    expect(documents.get('b')).toContain('{"n":2}');
    expect(documents.has('d')).toBe(false);
    expect([...documents].sort()).toEqual([...(await route.documents('source'))].sort());
  });

  it('runs a query again that found nothing because of the fence', async () => {
    const { write, slug, route } = fixture;
    await route.call('target', 'POST', `/${slug}-v2/_refresh`);
    const commit = await switchTo(3, 3, 'dual');
    await route.call('source', 'POST', `/${slug}-v1/_refresh`);
    const late = write('POST', `/${slug}/_update_by_query?refresh`, {
      query: { term: { n: 3 } },
      script: { source: 'ctx._source.n = 30' },
    });
    await eventually(() => fixture.events.filter(({ kind }) => kind === 'fenced').length === 7);
    commit();
    expect((await late).json).toMatchObject({ total: 1, updated: 1 });
    expect((await route.documents('source')).get('bi')).toContain('{"n":30}');
  });

  it('makes tokens of an earlier reign conflict, and tokens of this one work', async () => {
    const { write, slug, route } = fixture;
    const first = await write('PUT', `/${slug}/_doc/cas`, { n: 1 });
    const { _seq_no: seq, _primary_term: term } = first.json as { _seq_no: number; _primary_term: number };
    expect(term).toBe(2 * 2 ** 32 + 1);
    const cas = (primaryTerm: number) =>
      write('PUT', `/${slug}/_doc/cas?if_seq_no=${seq}&if_primary_term=${primaryTerm}`, { n: 2 });
    for (const stale of [1, 2 ** 32 + 1, 3 * 2 ** 32 + 1])
      expect(await cas(stale)).toMatchObject({
        status: 409,
        json: { error: { type: 'version_conflict_engine_exception' } },
      });
    expect((await cas(term)).status).toBe(200);
    const bulk = await fixture.bulk('/_bulk', [
      { delete: { _index: slug, _id: 'cas', if_seq_no: seq, if_primary_term: 1 } },
    ]);
    expect(bulk.json).toMatchObject({ errors: true, items: [{ delete: { status: 409 } }] });
    const inBody = (primaryTerm: number) => ({ doc: { n: 5 }, if_seq_no: seq + 1, if_primary_term: primaryTerm });
    expect((await write('POST', `/${slug}/_update/cas`, inBody(1))).status).toBe(409);
    expect((await write('POST', `/${slug}/_update/cas`, inBody(term))).status).toBe(200);
    await eventually(() => route.admission.report(slug)?.inFlight === 0);
    expect((await route.documents('target')).get('cas')).toBe((await route.documents('source')).get('cas'));
  });
});
