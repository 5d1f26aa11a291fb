import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classify, createClassifier, refineByQuery } from '../../../src/proxy/classify.ts';
import { groupRules, namespaceRules, ruleOf } from '../../../src/proxy/operation-rules.ts';
import { operations } from '../../../src/proxy/operations.generated.ts';
import { families, type Operation } from '../../../src/proxy/types.ts';

const rows = operations.flatMap(([methods, path, group]) =>
  methods.split(' ').map((method) => ({ method, path, group })),
);

/** A value for each parameter that no literal of the table equals. */
const sampleOf = (name: string): string => `some-${name.replaceAll('_', '-').toLowerCase()}`;
const instantiate = (path: string): string => path.replace(/\{([^}]+)\}/g, (_, name: string) => sampleOf(name));
const paramsOf = (path: string): Record<string, string> =>
  Object.fromEntries([...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => [name, sampleOf(name as string)]));

describe('the table of operations', () => {
  it('holds the whole surface', () => {
    expect(rows.length).toBeGreaterThan(1000);
    expect(new Set(rows.map((row) => row.group)).size).toBeGreaterThan(480);
  });

  it.each(rows)('$method $path is $group', ({ method, path, group }) => {
    const operation = classify(method, instantiate(path));
    expect(operation.group).toBe(group);
    expect(operation.params).toEqual(paramsOf(path));
    const { family, namesIn, needsBody } = ruleOf(group) ?? {};
    expect(operation).toMatchObject({ family, namesIn, needsBody });
  });

  it('classifies the same with a trailing slash', () => {
    for (const { method, path, group } of rows) expect(classify(method, `${instantiate(path)}/`).group).toBe(group);
  });

  it('points at the segment that holds the index', () => {
    for (const { method, path } of rows) {
      const { indexSegment } = classify(method, instantiate(path));
      const expected = path.split('/').findIndex((segment) => segment === '{index}' || segment === '{alias}');
      expect(indexSegment).toBe(expected);
    }
  });

  it('has a rule for every group, and no rule for a group that does not exist', () => {
    const groups = new Set(rows.map((row) => row.group));
    const namespaces = new Set([...groups].map((group) => group.split('.')[0]));
    expect([...groups].filter((group) => ruleOf(group) === undefined)).toEqual([]);
    expect([...groupRules.keys()].filter((group) => !groups.has(group))).toEqual([]);
    expect([...namespaceRules.keys()].filter((namespace) => !namespaces.has(namespace))).toEqual([]);
  });

  it('leaves groups of documents, indices and searches to no default', () => {
    const exact = rows.filter(({ group }) => !group.includes('.') || group.startsWith('indices.'));
    expect(exact.filter(({ group }) => !groupRules.has(group))).toEqual([]);
  });

  it('reaches every family', () => {
    const reached = new Set<string>(rows.map(({ method, path }) => classify(method, instantiate(path)).family));
    expect(families.filter((family) => !reached.has(family))).toEqual(['unclassified']);
  });
});

describe('matching rules of the server', () => {
  it.each([
    ['GET', '/', 'info'],
    ['HEAD', '/', 'ping'],
    ['GET', '//', 'info'],
    ['GET', '/_search', 'search'],
    ['GET', '/_search/', 'search'],
    ['GET', '/_search///', 'search'],
    ['HEAD', '/_search', 'unclassified'],
    ['GET', '/%5Fsearch', 'unclassified'],
    ['GET', '/a/%5Fsearch', 'unclassified'],
    ['GET', '//_search', 'search'],
    ['GET', '/a/_search/b', 'unclassified'],
    ['DELETE', '/_search', 'unclassified'],
    ['GET', '/_bogus/_search', 'unclassified'],
    ['GET', '/_all/_search', 'search'],
    ['GET', '/_all,a/_search', 'search'],
    ['GET', '/_allx/_search', 'unclassified'],
    ['DELETE', '/_a%6Cl', 'indices.delete'],
    ['DELETE', '/_all%2C', 'indices.delete'],
    ['DELETE', '/_all,', 'indices.delete'],
    ['POST', '/_a%6Cl/_delete_by_query', 'delete_by_query'],
    ['PUT', '/%5Fall/_settings', 'indices.put_settings'],
    ['POST', '/_no,a/_delete_by_query', 'delete_by_query'],
    ['POST', '/_no%2C_none/_delete_by_query', 'unclassified'],
    ['PUT', '/a/_do%63/1', 'index'],
    ['PUT', '/a/%5Fnone/1', 'unclassified'],
    ['PUT', '/_update_by_query', 'unclassified'],
    ['GET', '/views', 'view.admin'],
    ['POST', '/views/_doc', 'index'],
    ['GET', '/views/_search', 'search'],
    ['GET', '/views/v/_search', 'view.search'],
    ['GET', '/_nodes/http', 'nodes.info'],
    ['GET', '/_nodes/_all/http', 'nodes.info'],
    ['GET', '/_nodes/stats', 'nodes.stats'],
    ['GET', '/_nodes/n1/stats', 'nodes.stats'],
    ['GET', '/a/_source/1', 'get_source'],
    ['HEAD', '/a', 'indices.exists'],
    ['DELETE', '/a', 'indices.delete'],
    ['POST', '/a', 'unclassified'],
    ['POST', '/a/_newapi', 'unclassified'],
    ['POST', '/a/_newapi/1', 'unclassified'],
    ['OPTIONS', '/_search', 'unclassified'],
    ['get', '/_search', 'unclassified'],
    ['GET', '/a/_doc/%zz', 'unclassified'],
    ['GET', '/__proto__/_doc/constructor', 'unclassified'],
    ['GET', '/constructor/_doc/toString', 'get'],
    ['GET', '/toString', 'indices.get'],
  ])('%s %s is %s', (method, path, group) => {
    expect(classify(method, path).group).toBe(group);
  });

  it.each([
    ['/a%2Cb/_search', { index: 'a,b' }],
    ['/%3Clogs-%7Bnow%2Fd%7D%3E/_search', { index: '<logs-{now/d}>' }],
    ['/a+b/_search', { index: 'a+b' }],
    ['/caf%C3%A9/_search', { index: 'café' }],
    ['//_search', { index: '' }],
  ])('decodes only the parameters of %s', (path, params) => {
    expect(classify('GET', path)).toMatchObject({ group: 'search', params });
  });

  it('keeps a slash inside an id', () => {
    expect(classify('GET', '/a/_doc/http%3A%2F%2Fx').params).toEqual({ index: 'a', id: 'http://x' });
  });

  it('takes every path without failing', () => {
    const segment = fc.oneof(
      fc.string({ maxLength: 6 }),
      fc.constantFrom('_doc', '_search', 'a', '', '%', '%41', '_all', '*', 'views', '_nodes', '{index}'),
    );
    fc.assert(
      fc.property(fc.constantFrom('GET', 'POST', 'PUT'), fc.array(segment, { maxLength: 6 }), (method, segments) => {
        const operation = classify(method, `/${segments.join('/')}`);
        expect(operation.group === 'unclassified').toBe(operation.access === 'unknown');
      }),
    );
  });
});

describe('mapping types in paths', () => {
  const native = createClassifier({ mappingTypes: 'native' });

  it.each([
    ['PUT', '/a/product/1', 'index', 'index'],
    ['POST', '/a/product', 'index', 'index'],
    ['GET', '/a/product/_search', 'search', 'search'],
    ['POST', '/a/product/_bulk', 'bulk', 'bulk'],
    ['POST', '/a/product/1/_update', 'update', 'update'],
    ['PUT', '/a/_mapping/product', 'indices.put_mapping', 'indices.put_mapping'],
    ['POST', '/a/_doc/1/_update', 'update', 'update'],
    ['PUT', '/a/_doc/1/_create', 'create', 'create'],
    ['PUT', '/a/_doc/1', 'index', 'index'],
    ['PUT', '/a/_product/1', 'unclassified', 'unclassified'],
    ['POST', '/a/_doc/_bulk', 'index', 'bulk'],
    ['GET', '/a/_doc/_search', 'get', 'search'],
    ['PUT', '/a/_doc/_search', 'index', 'index'],
  ])('%s %s is %s, and %s on servers that have types', (method, path, group, nativeGroup) => {
    expect(classify(method, path).group).toBe(group);
    expect(native(method, path).group).toBe(nativeGroup);
  });

  it.each([
    ['GET', '/a/product/1', 'unclassified'],
    ['PUT', '/a/product/1', 'unclassified'],
    ['POST', '/a/_doc/1/_update', 'unclassified'],
    ['GET', '/a/_doc/1', 'get'],
    ['GET', '/a/_doc/_search', 'get'],
  ])(
    '%s %s is %s where the server is known to have none, so that its own refusal is the answer',
    (method, path, group) => {
      expect(createClassifier({ mappingTypes: 'none' })(method, path).group).toBe(group);
    },
  );
});

describe('access', () => {
  it.each([
    ['GET', '/_refresh', 'admin'],
    ['GET', '/a/_flush', 'admin'],
    ['GET', '/_plugins/_knn/warmup/a', 'admin'],
    ['POST', '/a/_search', 'read'],
    ['POST', '/a/_count', 'read'],
    ['POST', '/_msearch', 'read'],
    ['POST', '/a/_validate/query', 'read'],
    ['POST', '/_plugins/_sql', 'read'],
    ['PUT', '/a/_doc/1', 'write'],
    ['POST', '/_bulk', 'write'],
    ['POST', '/_reindex', 'write'],
    ['DELETE', '/_search/scroll', 'admin'],
    ['GET', '/_ingest/pipeline/p', 'read'],
    ['PUT', '/_ingest/pipeline/p', 'admin'],
    ['GET', '/_unknown', 'unknown'],
  ])('%s %s is %s', (method, path, access) => {
    expect(classify(method, path).access).toBe(access);
  });
});

describe('what the query adds', () => {
  const refined = (method: string, path: string, query: string): Operation =>
    refineByQuery(classify(method, path), query);

  it.each([
    ['PUT', '/a/_doc/1', 'op_type=create', 'create'],
    ['PUT', '/a/_doc/1', 'op_type=CREATE', 'create'],
    ['PUT', '/a/_doc/1', 'op_type=create&op_type=index', 'index'],
    ['POST', '/a/_doc', 'op%5Ftype=create', 'create'],
    ['PUT', '/a/_doc/1', 'op_type=index', 'index'],
    ['POST', '/a/_update/1', 'op_type=create', 'update'],
  ])('%s %s?%s is of the family %s', (method, path, query, family) => {
    expect(refined(method, path, query).family).toBe(family);
  });

  it('takes an index from the query where the path has none', () => {
    expect(refined('DELETE', '/', 'index=a')).toMatchObject({
      family: 'index_admin',
      namesIn: 'query',
      params: { index: 'a' },
    });
    expect(refined('POST', '/_bulk', 'index=a')).toMatchObject({
      namesIn: 'both',
      params: { index: 'a' },
      indexSegment: -1,
    });
    expect(refined('GET', '/b/_search', 'index=a')).toMatchObject({ namesIn: 'path', params: { index: 'b' } });
  });

  it('takes an id from the query of an index operation without one', () => {
    expect(refined('POST', '/a/_doc', 'id=5').params).toEqual({ index: 'a', id: '5' });
  });

  it('changes nothing otherwise, and nothing twice', () => {
    const operation = classify('GET', '/a/_search');
    expect(refineByQuery(operation, 'size=1&q=x')).toBe(operation);
    const once = refined('PUT', '/a/_doc/1', 'op_type=create');
    expect(refineByQuery(once, 'op_type=create')).toEqual(once);
  });
});
