import { describe, expect, it } from 'vitest';
import type { ClientRequest } from '../../../src/proxy/client-request.ts';
import { readBody } from '../../../src/proxy/read/read-body.ts';

const lookup = '{"query":{"terms":{"u":{"index":"users","id":"1","path":"p"}}}}';
const cbor = Buffer.from('a1656964786573', 'hex');
const cborNaming = Buffer.concat([Buffer.from([0xa1, 0x65]), Buffer.from('index'), Buffer.from([0x61, 0x78])]);

const read = (body: Buffer | string, type = 'application/json', query = '') =>
  readBody(
    {
      head: { method: 'POST', path: '/a/_search', query, headers: { 'content-type': type } },
      headers: ['content-type', type],
      readBody: async () => Buffer.from(body),
    } as unknown as ClientRequest,
    1000,
  );
const source = (text: string, more = '') => `source=${encodeURIComponent(text)}${more}`;

describe('the body of a read', () => {
  it.each<[string, ReturnType<typeof read>, boolean, boolean]>([
    ['JSON', read(lookup), true, false],
    ['none', read(''), true, false],
    ['YAML that names an index', read('query: {terms: {u: {index: users}}}', 'application/yaml'), false, true],
    ['YAML that names none', read('query: {match_all: {}}', 'application/yaml'), false, false],
    ['CBOR that names an index', read(cborNaming, 'application/cbor'), false, true],
    ['CBOR that names none', read(cbor, 'application/cbor'), false, false],
    ['JSON in the source parameter', read('', '', source('{"query":{"match_all":{}}}')), true, false],
    ['JSON in the source parameter that names an index', read('', '', source(lookup)), false, true],
    [
      'YAML in the source parameter',
      read('', '', source('query: {term: {_index: a}}', '&source_content_type=application/yaml')),
      false,
      true,
    ],
  ])('%s', async (_title, reading, understood, hidesNames) => {
    const body = await reading;
    expect([body.facts !== undefined, body.hidesNames]).toEqual([understood, hidesNames]);
  });
});
