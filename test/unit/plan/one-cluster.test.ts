import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RouteState } from '../../../src/coordination/ports.ts';
import { classify } from '../../../src/proxy/classify.ts';
import { matchesPattern } from '../../../src/proxy/index-expression.ts';
import { plan } from '../../../src/proxy/plan.ts';
import { withoutFollowers } from '../../../src/proxy/planning/one-cluster.ts';
import { oneClusterTableOf, routeState, tableOf } from '../../support/routes.ts';

const now = new Date(0);
const said = (expression: string, ...states: RouteState[]) => {
  const found = withoutFollowers(expression, { table: oneClusterTableOf(...states), now, states });
  return found === undefined
    ? undefined
    : `${found.names.join()} on ${found.side}${found.mayMiss.length > 0 ? ', may miss' : ''}`;
};

describe('a wildcard over both sides of a route in one cluster', () => {
  it.each([
    ['', '*,-products_v2', '*,-products_v1'],
    ['_all', '*,-products_v2', '*,-products_v1'],
    ['*', '*,-products_v2', '*,-products_v1'],
    ['products*', 'products*,-products_v2', 'products*,-products_v1'],
    ['products_v1*', 'products_v1*', 'products_v1*,-products_v1,products_v2'],
    ['products_v2*', 'products_v2*,-products_v2,products_v1', 'products_v2*'],
    ['product', undefined, undefined],
    ['products_v1,products_v2', undefined, undefined],
    ['products,other*', 'products,other*', 'products_v2,other*'],
    ['products_v2,other*', 'products_v1,other*', 'products_v2,other*'],
    ['prod*,other,-x', 'prod*,other,-x,-products_v2', 'prod*,other,-x,-products_v1'],
    // The client speaks of its own index.
    ['*,-products_v1', '*,-products_v1,-products_v2,-products_v1', '*,-products_v1,-products_v1,-products_v2'],
    ['*,-prod*', '*,-prod*,-products_v2,-products_v1', '*,-prod*,-products_v1,-products_v2'],
    // One that has taken the copies out itself.
    ['prod*,-products_v2', 'prod*,-products_v2,-products_v2', 'prod*,-products_v2,-products_v1,products_v2'],
    ['*,-*_v1', '*,-*_v1,-products_v2,-products_v1', '*,-*_v1,-products_v1,-products_v2'],
  ])('%j is said as %j, and after the cutover as %j', (expression, onSource, onTarget) => {
    const shown = (names: string | undefined, side: string) => names && `${names} on ${side}`;
    expect(said(expression, routeState())).toBe(shown(onSource, 'source'));
    expect(said(expression, routeState({ phase: 'target' }))).toBe(shown(onTarget, 'target'));
  });

  it('may name a follower that is not there yet, or no more', () => {
    expect(said('*', routeState({ phase: 'observe' }))).toBe('*,-products_v2 on source, may miss');
    expect(said('*', routeState({ phase: 'final' }))).toBe('*,-products_v1 on target, may miss');
  });

  it('reaches indices by the aliases that stand on the source', () => {
    const indices = [{ source: 'a1', target: 'b1' }];
    expect(said('al*', routeState({ indices, aliases: ['alias'] }))).toBe('al*,-b1,a1 on source');
    expect(said('al*', routeState({ phase: 'target', indices, aliases: ['alias'] }))).toBe('al*,-a1,b1 on target');
  });

  it('keeps an alias with its routing, where the source says it', () => {
    const aliases = [{ name: 'mine', routing: 'r' }];
    expect(said('mine,other*', routeState({ aliases }))).toBe('mine,other* on source');
    expect(said('mine,other*', routeState({ phase: 'target', aliases }))).toBeUndefined();
  });

  it('cannot be said while the authorities are on both sides', () => {
    const moved = routeState({ slug: 'm', phase: 'target', indices: [{ source: 'm1', target: 'm2' }], aliases: [] });
    expect(said('*', routeState(), moved)).toBeUndefined();
  });
});

describe('reads in one cluster', () => {
  const planned = (request: string, sameCluster = true, state = routeState()) => {
    const [method = '', target = ''] = request.split(' ');
    const [path = '', query = ''] = target.split(/\?(.*)/);
    const head = { method, path, query, headers: {} };
    return plan({
      operation: classify(method, path),
      head,
      table: (sameCluster ? oneClusterTableOf : tableOf)(state),
      now,
      sameCluster,
    });
  };

  it.each([
    'GET /prod*/_search',
    'GET /_count',
    'POST /_all/_search/template',
    'GET /prod*/_field_caps?fields=*',
    'GET /_validate/query',
    'GET /_count?index=prod*',
    'POST /prod*/_rank_eval',
    'POST /prod*/_search/point_in_time',
    'GET /_search?source=%7B%7D',
  ])('%s leaves the follower out, and passes where there are two clusters', (request) => {
    expect(planned(request)).toMatchObject({ kind: 'mixed_read', side: 'source', said: { side: 'source' } });
    expect(planned(request, false)).toMatchObject({ kind: 'pass', side: 'source' });
    expect(planned(request, true, routeState({ phase: 'target' }))).toMatchObject({
      kind: 'mixed_read',
      side: 'target',
    });
  });

  it.each([
    ['GET /products/_search', 'read'],
    ['GET /products_v2/_count', 'read'],
    ['GET /products,other/_search', 'pass'],
    ['GET /other*/_search', 'pass'],
    ['GET /prod*/_mapping', 'pass'],
  ])('%s is a %s as ever', (request, kind) => {
    expect(planned(request).kind).toBe(kind);
  });
});

it('whatever the expression, the follower is never reached, and other indices as before', () => {
  const words = ['products_v1', 'products_v2', 'other', '*', 'prod*', '*_v1', '*_v2', 'o*', 'pro*1', '_all'];
  const word = fc.tuple(fc.constantFrom('', '', '-'), fc.constantFrom(...words)).map((parts) => parts.join(''));
  const all = ['products_v1', 'products_v2', 'other'];
  /** As clusters do it. */
  const reached = (names: readonly string[]): string[] => {
    const found = new Set<string>();
    const firstWild = names.findIndex((name) => name === '_all' || name.includes('*'));
    for (const [i, name] of names.entries()) {
      const isExclusion = firstWild >= 0 && i > firstWild && name.startsWith('-');
      const text = isExclusion ? name.slice(1) : name;
      const matching = all.filter((index) => matchesPattern(text === '_all' ? '*' : text, index));
      for (const index of matching)
        if (isExclusion) found.delete(index);
        else found.add(index);
    }
    return [...found];
  };
  fc.assert(
    fc.property(fc.constantFrom('dual', 'target'), fc.array(word, { minLength: 1, maxLength: 5 }), (phase, asked) => {
      const states = [routeState({ phase, aliases: [] })];
      const found = withoutFollowers(asked.join(), { table: oneClusterTableOf(...states), now, states });
      if (found === undefined) return;
      const [before, after] = [reached(asked), reached(found.names)];
      const [authority, follower] = phase === 'dual' ? ['products_v1', 'products_v2'] : ['products_v2', 'products_v1'];
      expect(after).not.toContain(follower);
      expect(after.includes('other')).toBe(before.includes('other'));
      if (before.includes('products_v1')) expect(after).toContain(authority);
      if (!asked.join().includes('v2')) expect(after.includes(authority)).toBe(before.includes('products_v1'));
    }),
  );
});
