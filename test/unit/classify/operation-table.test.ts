import { describe, expect, it } from 'vitest';
import {
  factsOfNamespace,
  factsOfRestApi,
  factsOfSuperseded,
  mergeFacts,
  renderOperations,
} from '../../../scripts/operation-table.ts';

const namespace = factsOfNamespace({
  paths: {
    '/{index}/_search': {
      get: { 'x-operation-group': 'search' },
      post: { 'x-operation-group': 'search' },
      parameters: {},
    },
    '/_plugins/_sql': { post: { 'x-operation-group': 'sql.query' } },
  },
});

describe('the generator of the operations table', () => {
  it('takes method, path and group of each operation of a namespace file', () => {
    expect(namespace).toEqual([
      { method: 'GET', path: '/{index}/_search', group: 'search' },
      { method: 'POST', path: '/{index}/_search', group: 'search' },
      { method: 'POST', path: '/_plugins/_sql', group: 'sql.query' },
    ]);
  });

  it('gives a superseded path the group of its successor, or one of its own', () => {
    const facts = factsOfSuperseded(
      {
        $schema: './schema.yaml',
        '/_opendistro/_sql': { superseded_by: '/_plugins/_sql', operations: ['POST'] },
        '/_opendistro/_alerting/monitors': { superseded_by: '/_plugins/_alerting/monitors', operations: ['POST'] },
      },
      namespace,
    );
    expect(facts).toContainEqual({ method: 'POST', path: '/_opendistro/_sql', group: 'sql.query' });
    expect(facts).toContainEqual({
      method: 'POST',
      path: '/_plugins/_alerting/monitors',
      group: 'alerting.superseded',
    });
  });

  it('takes every method of every path of a rest-api-spec file', () => {
    const file = {
      _comment: 'text',
      index: { url: { paths: [{ path: '/{index}/{type}/{id}', methods: ['PUT', 'POST'] }] } },
    };
    expect(factsOfRestApi(file)).toEqual([
      { method: 'PUT', path: '/{index}/{type}/{id}', group: 'index' },
      { method: 'POST', path: '/{index}/{type}/{id}', group: 'index' },
    ]);
  });

  it('keeps the first group of a method and shape, whatever the parameters are called', () => {
    const merged = mergeFacts([
      { method: 'GET', path: '/{index}/_x', group: 'first' },
      { method: 'GET', path: '/{name}/_x/', group: 'second' },
      { method: 'PUT', path: '/{name}/_x/', group: 'third' },
    ]);
    expect(merged).toEqual([
      { method: 'GET', path: '/{index}/_x', group: 'first' },
      { method: 'PUT', path: '/{name}/_x', group: 'third' },
    ]);
  });

  it('renders one sorted row for each path and group', () => {
    const text = renderOperations(namespace, ['input 1']);
    expect(text).toContain(' * - input 1\n');
    expect(text.indexOf("['POST', '/_plugins/_sql', 'sql.query']")).toBeLessThan(
      text.indexOf("['GET POST', '/{index}/_search', 'search']"),
    );
  });
});
