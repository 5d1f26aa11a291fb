/**
 * Holds the pure rules against a real server. OPTIONS is harmless and answers with the methods that the server has a
 * handler for, so the whole table and any made-up path can be compared without running a single operation.
 */
import { request } from 'node:http';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createClassifier } from '../../../src/proxy/classify.ts';
import { resolveDateMath } from '../../../src/proxy/date-math.ts';
import { operations } from '../../../src/proxy/operations.generated.ts';
import { splitPath } from '../../../src/proxy/rest-trie.ts';
import { services } from '../../support/services.ts';

type Answer = { status: number; allow: string | undefined; body: string };

/** A raw request: no client that would normalise the path. */
const send = async (method: string, path: string): Promise<Answer> => {
  const { hostname, port } = new URL((await services()).sourceUrl);
  return new Promise((resolve, reject) => {
    const outgoing = request({ hostname, port, method, path }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          allow: answer.headers.allow,
          body: Buffer.concat(chunks).toString(),
        }),
      );
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
};

const methods = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH'];
const allowedMethods = async (path: string): Promise<string[]> =>
  ((await send('OPTIONS', path)).allow ?? '')
    .split(',')
    .filter((method) => method !== '')
    .sort();

const classify = createClassifier({ mappingTypes: 'fallback' });
const knownMethods = (path: string): string[] =>
  methods
    .filter((method) => {
      const { group, params } = classify(method, path);
      return group !== 'unclassified' && params.type === undefined;
    })
    .sort();

/** What a plain distribution without plugins has, and which versions up to 3.8 have not dropped. */
const isCore = (path: string): boolean =>
  !/\{type\}|^\/_(plugins|opendistro|ltr|wlm|insights|tier)\b|_tier|_upgrade$|synced|hotthreads|_rules\/\{feature_type\}\/|ingestion/.test(
    path,
  );

describe('the operations table against a real server', () => {
  const paths = [...new Set(operations.map(([, path]) => path))].filter(isCore);

  it('covers more than two hundred paths', () => {
    expect(paths.length).toBeGreaterThan(200);
  });

  it.each(paths)('%s has the methods that the server allows', async (template) => {
    const path = template.replaceAll(/\{(\w+)\}/g, 'some-$1');
    expect(knownMethods(path)).toEqual(await allowedMethods(path));
  });

  it('agrees on paths nobody planned', async () => {
    const segment = fc.constantFrom(
      ...['a', 'b', '', '_doc', '_search', '_source', '_create', '_update', '_bulk', '_alias', '_aliases', '_mapping'],
      ...['_all', 'views', '_cat', 'indices', '_nodes', 'stats', '_cluster', 'state', 'template', 'scroll', 'field'],
      ...['_snapshot', '_status', '_tasks', '_scripts', '_ingest', 'pipeline', '_simulate', '_settings', '%5Fsearch'],
    );
    await fc.assert(
      fc.asyncProperty(fc.array(segment, { minLength: 1, maxLength: 5 }), async (segments) => {
        const path = `/${segments.join('/')}`;
        const [, root = ''] = splitPath(path);
        // The server has a handler for an index called _x, and then refuses the name; to us that is no API at all.
        fc.pre(!root.startsWith('_') || operations.some(([, template]) => splitPath(template)[1] === root));
        const [known, allowed] = [knownMethods(path), await allowedMethods(path)];
        const name = decodeURIComponent(root);
        const isRefusedIndex = name.startsWith('_') && name !== '_all';
        if (isRefusedIndex) expect(allowed).toEqual(expect.arrayContaining(known));
        else expect(known).toEqual(allowed);
      }),
      { numRuns: 300 },
    );
  });
});

describe('date math against a real server', () => {
  it.each([
    '<a-{now/d}>',
    '<a-{now/M}>',
    '<a-{now/y}>',
    '<a-{now/w}>',
    '<a-{now-1M/M{uuuu.MM}}>',
    '<a-{now-13M{yyyy-MM-dd}}>',
    '<a-{now+40d}>',
    '<a-{now+d/d{yy.M.d}}>',
    '<a-{now/d{uuuu.MM.dd|+12:00}}>',
    '<a-{now/d{uuuu.MM.dd|-11:30}}>',
    '<a-{now/d{uuuu.MM.dd|America/Chicago}}>',
    '<a-{now/M{uuuu.MM|Asia/Kolkata}}-{now-1y{yyyy}}>',
    "<a-{now/d{uuuu'x'MM}}>",
    '<a-\\{{now/d}\\}>',
    '<a>',
    '<a\\>',
  ])('%s is the index that the server means', async (name) => {
    const resolved = resolveDateMath(name, new Date());
    const { body } = await send('GET', `/${encodeURIComponent(name)}/_count`);
    expect(resolved).toEqual({ kind: 'name', text: JSON.parse(body).error.index });
  });

  it.each(['<>', '<a-{now>', '<a-}>', '<a-{now{a{b}}}>'])('%s is refused by the server', async (name) => {
    expect(resolveDateMath(name, new Date())).toEqual({ kind: 'invalid' });
    expect((await send('GET', `/${encodeURIComponent(name)}/_count`)).status).toBe(400);
  });
});
