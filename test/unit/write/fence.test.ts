import { expect, it } from 'vitest';
import { fencing } from '../../../src/proxy/write/fence.ts';

const reason = 'index [crossfade-fence] blocked by: [FORBIDDEN/8/index write (api)];';
const gone =
  'no such index [crossfade-p-e1] and [require_alias] request flag is [true] and [crossfade-p-e1] is not an alias';

it.each([
  ['an error as it mostly is', 403, JSON.stringify({ error: { type: 'cluster_block_exception', reason } }), 'fenced'],
  [
    'an error without details',
    403,
    JSON.stringify({ error: `ClusterBlockException[${reason}]`, status: 403 }),
    'fenced',
  ],
  ['an error in YAML', 403, `error:\n  reason: "${reason}"\n`, 'fenced'],
  ['a block of another index', 403, reason.replace('crossfade-fence', 'mine'), 'no'],
  ['a right that is missing', 403, 'no permissions for [indices:data/write/index] on [crossfade-fence]', 'denied'],
  [
    'an alias that is gone',
    404,
    JSON.stringify({ error: { type: 'index_not_found_exception', reason: gone } }),
    'missing_alias',
  ],
  ['the same without details', 404, JSON.stringify({ error: `IndexNotFoundException[${gone}]` }), 'missing_alias'],
  ['a document that is not there', 404, '{"_id":"no such index","result":"not_found"}', 'no'],
])('tells the fence from %s', (_title, status, text, expected) => {
  expect(fencing(status, Buffer.from(text), 'crossfade-p-e1')).toBe(expected);
});
