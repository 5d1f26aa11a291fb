import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type FakeCluster, startFakeCluster } from '../../support/fake-cluster.ts';
import { type ReadStack, startReadStack } from '../../support/read-stack.ts';
import { routeState } from '../../support/routes.ts';

let cluster: FakeCluster;
let stack: ReadStack;
let isThere: boolean;
beforeAll(async () => {
  cluster = await startFakeCluster('one');
});
afterAll(() => cluster.close());
beforeEach(async () => {
  cluster.seen.length = 0;
  cluster.answer = ({ method }) => (method === 'HEAD' && !isThere ? { status: 404, body: '' } : undefined);
  stack = await startReadStack({ sourceUrl: cluster.url, targetUrl: cluster.url, deps: { sameCluster: true } });
  stack.setStates(routeState({ phase: 'observe' }));
});
afterEach(() => stack.close());

const asked = () => cluster.seen.filter(({ method }) => method !== 'HEAD');
const looks = () => cluster.seen.length - asked().length;

/** client's expression, what it says of missing indices, is the follower there, expression and parameter sent, looks */
const rows: [string, string | undefined, boolean, string, string | undefined, number][] = [
  ['products*', undefined, false, 'products*,-products_v2', 'true', 0],
  ['products*', 'true', false, 'products*,-products_v2', 'true', 0],
  ['products*', 'false', false, 'products*', 'false', 1],
  ['products*', 'false', true, 'products*,-products_v2', 'false', 1],
  ['products*,products', undefined, false, 'products*,products,-products_v2', 'true', 0],
  ['products*,typo', undefined, false, 'products*,typo', undefined, 1],
  ['products*,typo', undefined, true, 'products*,typo,-products_v2', undefined, 1],
  ['products*,-products_v2,typo', undefined, false, 'products*,-products_v2,typo', undefined, 1],
  ['products_v1*,typo', undefined, false, 'products_v1*,typo', undefined, 0],
];

describe('in one cluster, a wildcard while the follower may be missing', () => {
  it.each(rows)(
    'hides no missing index of the client: %s, ignore_unavailable %s, follower there %s',
    async (names, given, there, sent, parameter, count) => {
      isThere = there;
      const query = given === undefined ? '' : `?ignore_unavailable=${given}`;
      expect((await stack.send('GET', `/${names}/_count${query}`)).status).toBe(200);
      const [request] = asked();
      const url = new URL(request?.path ?? '', 'http://x');
      expect(decodeURIComponent(url.pathname)).toBe(`/${sent}/_count`);
      expect([url.searchParams.get('ignore_unavailable') ?? undefined, looks()]).toEqual([parameter, count]);
    },
  );

  it.each(rows)(
    'does so as an item: %s, ignore_unavailable %s, follower there %s',
    async (names, given, there, sent, parameter, count) => {
      isThere = there;
      const flag = given === undefined ? {} : { ignore_unavailable: given === 'true' };
      await stack.send('POST', '/_msearch', { body: [{ index: names.split(','), ...flag }, {}] });
      const head = JSON.parse(asked()[0]?.body.split('\n')[0] ?? '') as {
        index: string[];
        ignore_unavailable?: boolean;
      };
      expect(head.index.join()).toBe(sent);
      expect([head.ignore_unavailable, looks()]).toEqual([parameter && parameter === 'true', count]);
    },
  );
});
