import { describe, expect, it } from 'vitest';
import { quickFamily } from '../../../src/proxy/quick-family.ts';

describe('the rough family', () => {
  it.each([
    ['GET', '/', 'info', 'read'],
    ['POST', '/products/_search', 'search', 'read'],
    ['GET', '/_search/scroll', 'search', 'read'],
    ['POST', '/_bulk', 'bulk', 'write'],
    ['GET', '/p/_doc/1', 'get', 'read'],
    ['PUT', '/p/_doc/1', 'index', 'write'],
    ['DELETE', '/p/_doc/_search', 'delete', 'write'],
    ['GET', '/_cat/indices', 'cat', 'admin'],
    ['GET', '/p', 'unclassified', 'unknown'],
    ['GET', '/_constructor', 'unclassified', 'unknown'],
    ['GET', '/p/_plugins/x', 'unclassified', 'unknown'],
  ])('of %s %s is %s', (method, path, family, access) => {
    expect(quickFamily(method, path)).toEqual({ family, access });
  });
});
