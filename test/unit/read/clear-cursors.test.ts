import { describe, expect, it } from 'vitest';
import { clearBody, mergeClears, planClear, wrapPits } from '../../../src/proxy/read/clear-cursors.ts';
import { idsInBody, replaceParam } from '../../../src/proxy/read/cursor-ids.ts';
import { wrapCursor } from '../../../src/proxy/read/cursor-token.ts';

const mac = () => 'MAC';
const onTarget = wrapCursor('T', { side: 'target', reign: 2 }, mac);

describe('a list of cursors', () => {
  it('is given to the sides that issued them', () => {
    const plan = planClear([onTarget, 'S1', 'S2'], mac);
    if (plan.kind !== 'lists') throw new Error('refused');
    expect([...plan.bySide].map(([side, cursors]) => [side, clearBody('scroll', cursors).toString()])).toEqual([
      ['target', '{"scroll_id":["T"]}'],
      ['source', '{"scroll_id":["S1","S2"]}'],
    ]);
    expect(plan.wrapped).toBe(true);
  });

  it('of the source alone needs no change', () => {
    expect(planClear(['S1'], mac)).toMatchObject({ kind: 'lists', wrapped: false });
  });

  it('with one that is damaged is refused whole', () => {
    expect(planClear(['S1', `${onTarget.replace('MAC', 'BAD')}`], mac)).toEqual({ kind: 'invalid' });
  });
});

describe('answers of both sides', () => {
  const scroll = (side: 'source' | 'target', freed: number, succeeded = true) => ({
    side,
    status: freed > 0 ? 200 : 404,
    body: Buffer.from(JSON.stringify({ succeeded, num_freed: freed })),
  });
  it.each<[string, Parameters<typeof mergeClears>[1], boolean, number, unknown]>([
    ['add up', [scroll('target', 2), scroll('source', 1)], false, 200, { succeeded: true, num_freed: 3 }],
    [
      'that freed nothing are a 404',
      [scroll('source', 0), scroll('target', 0)],
      false,
      404,
      { succeeded: true, num_freed: 0 },
    ],
    [
      'one of which did not succeed',
      [scroll('source', 1), scroll('target', 0, false)],
      false,
      200,
      { succeeded: false, num_freed: 1 },
    ],
    ['one of which never came', [scroll('source', 1)], true, 200, { succeeded: false, num_freed: 1 }],
  ])('about scrolls %s', (_title, answers, failed, status, body) => {
    const merged = mergeClears('scroll', answers, failed);
    expect([merged.status, JSON.parse(merged.body.toString())]).toEqual([status, body]);
  });

  it('about points in time are one list, the source first, each id as the client knows it', () => {
    const pits = (side: 'source' | 'target', id: string) => ({
      side,
      status: 200,
      body: wrapPits(Buffer.from(`{"pits":[{"successful":true,"pit_id":"${id}"}]}`), side, {
        known: [{ side: 'target', reign: 2, id: 'T' }],
        mac,
      }),
    });
    const merged = mergeClears('pit', [pits('target', 'T'), pits('source', 'S')], false);
    expect(JSON.parse(merged.body.toString()).pits.map((pit: { pit_id: string }) => pit.pit_id)).toEqual([
      'S',
      onTarget,
    ]);
  });

  it('about all points in time name the side of those that nobody remembers', () => {
    const wrapped = wrapPits(Buffer.from('{"pits":[{"pit_id":"X"}]}'), 'target', { known: [], mac });
    expect(wrapped.toString()).toContain(wrapCursor('X', { side: 'target', reign: 0 }, mac));
  });
});

describe('ids in a request', () => {
  it.each<[string, string, string[] | undefined]>([
    ['one', '{"scroll":"1m","scroll_id":"a"}', ['a']],
    ['a list', '{"scroll_id":["a","b"]}', ['a', 'b']],
    ['none', '{"scroll":"1m"}', undefined],
    ['no body', '  ', undefined],
  ])('are found in the body: %s', (_title, body, ids) => {
    expect(idsInBody(Buffer.from(body), 'scroll_id')?.ids).toEqual(ids);
  });

  it.each([
    ['/_search/scroll/a%3D', '', '/_search/scroll/b%2F', ''],
    ['/_search/scroll', 'scroll=1m&scroll_id=a%3D', '/_search/scroll', 'scroll=1m&scroll_id=b%2F'],
  ])('are replaced in %s?%s', (path, query, newPath, newQuery) => {
    const change = { name: 'scroll_id', value: 'b/' };
    expect(replaceParam({ path, query }, { params: { scroll_id: 'a=' } }, change)).toEqual({
      path: newPath,
      query: newQuery,
    });
  });
});
