/**
 * A rough family of a request for metrics while no route is active: by the first segment that names an API, at the price
 * of a string search. Nothing is decided by it; with routes the full table classifies. Pure.
 */
import type { Access, Family } from './types.ts';

export type QuickFamily = { readonly family: Family; readonly access: Access };

const read = (family: Family): QuickFamily => ({ family, access: 'read' });
const write = (family: Family): QuickFamily => ({ family, access: 'write' });
const admin = (family: Family): QuickFamily => ({ family, access: 'admin' });

const bySegment: ReadonlyMap<string, QuickFamily> = new Map(
  Object.entries({
    _search: read('search'),
    _msearch: read('msearch'),
    _count: read('count'),
    _mget: read('mget'),
    _source: read('get'),
    _explain: read('explain'),
    _field_caps: read('field_caps'),
    _bulk: write('bulk'),
    _create: write('create'),
    _update: write('update'),
    _update_by_query: write('update_by_query'),
    _delete_by_query: write('delete_by_query'),
    _reindex: write('reindex'),
    _refresh: admin('refresh'),
    _mapping: admin('index_admin'),
    _settings: admin('index_admin'),
    _alias: admin('alias_admin'),
    _aliases: admin('alias_admin'),
    _cluster: admin('cluster'),
    _cat: admin('cat'),
    _nodes: admin('nodes'),
    _snapshot: admin('snapshot'),
  }),
);
const byDocMethod: Readonly<Record<string, QuickFamily>> = {
  GET: read('get'),
  HEAD: read('get'),
  PUT: write('index'),
  POST: write('index'),
  DELETE: write('delete'),
};
const root = read('info');
const unknown: QuickFamily = { family: 'unclassified', access: 'unknown' };

export const quickFamily = (method: string, path: string): QuickFamily => {
  const start = path.indexOf('/_');
  if (start < 0) return path === '/' ? root : unknown;
  const end = path.indexOf('/', start + 1);
  const segment = path.slice(start + 1, end < 0 ? path.length : end);
  if (segment === '_doc') return byDocMethod[method] ?? unknown;
  return bySegment.get(segment) ?? unknown;
};
