import { describe, expect, it } from 'vitest';
import { answersInJson } from '../../../src/proxy/answers-in-json.ts';

const none = undefined;
type Case = [accept: string | undefined, contentType: string | undefined, format: string | undefined, json: boolean];

describe('the format of an answer', () => {
  it.each<Case>([
    [none, none, none, true],
    ['application/json, text/plain, */*', none, none, true],
    ['text/plain, application/json, */*', 'application/json', none, true],
    ['text/plain', none, none, true],
    ['text/html,application/xhtml+xml,application/yaml;q=0.9', none, none, true],
    ['application/json, application/yaml', none, none, true],
    ['application/json;q=0.9, application/yaml;q=0.8', 'application/yaml', none, true],
    ['application/yaml;q=0.9, application/json', none, none, false],
    ['application/yaml', 'application/json', none, false],
    ['Application/CBOR', none, none, false],
    ['application/smile; charset=x', none, none, false],
    ['application/vnd.elasticsearch+json', none, none, true],
    ['application/json', 'application/yaml', none, true],
    ['application/*', 'application/yaml', none, true],
    ['*/*', 'application/json; charset=utf-8', none, true],
    ['*/*', 'application/x-ndjson', none, true],
    ['*/*', 'application/yaml', none, false],
    ['*/*', 'application/cbor', none, false],
    [none, 'application/smile', none, false],
    ['application/json, text/plain, */*', 'application/yaml', none, false],
    [none, 'text/plain', none, true],
    ['application/json', none, 'yaml', false],
    ['application/yaml', none, 'json', true],
    ['application/yaml', none, 'JSON', true],
    ['application/yaml', none, '', false],
    [none, 'application/cbor', 'xml', false],
    [none, none, 'xml', true],
    [none, none, 'application/yaml', false],
  ])('asked for by Accept %s, content type %s and format %s is JSON: %s', (accept, contentType, format, json) => {
    const headers = {
      ...(accept === undefined ? {} : { accept }),
      ...(contentType === undefined ? {} : { 'content-type': contentType }),
    };
    const query = format === undefined ? '' : `format=${encodeURIComponent(format)}`;
    expect(answersInJson({ query, headers })).toBe(json);
  });
});
