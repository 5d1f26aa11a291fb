import { expect, it } from 'vitest';
import { createClassifier, refineByQuery } from '../../../src/proxy/classify.ts';
import { withoutType } from '../../../src/proxy/typeless.ts';

const classify = createClassifier({ mappingTypes: 'native' });

it.each([
  ['POST /i/_doc', '/i/_doc'],
  ['POST /i/t', '/i/_doc'],
  ['PUT /i/_doc/1', '/i/_doc/1'],
  ['GET /i/t/a%2Fb', '/i/_doc/a%2Fb'],
  ['GET /i/t/t', '/i/_doc/t'],
  ['DELETE /i/t/_weird', '/i/_doc/_weird'],
  ['PUT /i/_doc/1/_create', '/i/_create/1'],
  ['POST /i/t/1/_update', '/i/_update/1'],
  ['GET /i/_doc/1/_source', '/i/_source/1'],
  ['POST /i/_doc/1/_explain', '/i/_explain/1'],
  ['GET /i/_doc/1/_termvectors', '/i/_termvectors/1'],
  ['POST /i/_doc/_search', '/i/_search'],
  ['POST /i/_doc/_search/', '/i/_search'],
  ['POST /i/t/_search/template', '/i/_search/template'],
  ['POST /i/t/_bulk', '/i/_bulk'],
  ['POST /i/_doc/_mget', '/i/_mget'],
  ['POST /i/t/_delete_by_query', '/i/_delete_by_query'],
  ['GET /i/t/_mapping', '/i/_mapping'],
  ['GET /i/_mapping/t', '/i/_mapping'],
  ['GET /i/_mapping/t/field/n', '/i/_mapping/field/n'],
  ['POST /i/t/_termvectors?id=1', '/i/_termvectors'],
  ['POST /i/t/_termvectors?id=_termvectors', '/i/_termvectors'],
  ['POST /i/t/_search/template?id=_search', '/i/_search/template'],
  ['POST /i/t/_delete_by_query?id=5', '/i/_delete_by_query'],
  ['GET /i/t/1/_source?id=2', '/i/_source/1'],
  ['POST /i/t?id=t', '/i/_doc'],
  ['GET /i/_search', '/i/_search'],
  ['GET /_search', '/_search'],
])('%s is %s where there are no mapping types', (request, expected) => {
  const [method = '', target = ''] = request.split(' ');
  const [path = '', query = ''] = target.split('?');
  expect(withoutType(path, refineByQuery(classify(method, path), query))).toBe(expected);
});
