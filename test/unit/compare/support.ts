/** Short ways to compare hand-made answers. */
import { type Comparison, compareAnswers } from '../../../src/compare/compare.ts';
import { pathText, rulesFrom } from '../../../src/compare/rules.ts';
import type { Answer, ComparableApi, Observation } from '../../../src/compare/types.ts';

export const json = (value: unknown, status = 200): Answer => ({ status, body: Buffer.from(JSON.stringify(value)) });

export type Given = Partial<Omit<Comparison, 'request' | 'rules'>> & {
  api?: ComparableApi;
  path?: string;
  query?: string;
  body?: unknown;
  profile?: unknown;
};

export const comparing = (authority: Answer, other: Answer, given: Given = {}): Observation => {
  const { api = 'search', path = '/shop/_search', query = '', body, profile, renameIndex = (name) => name } = given;
  const request = {
    method: 'POST',
    path,
    query,
    body: body === undefined ? undefined : Buffer.from(JSON.stringify(body)),
  };
  return compareAnswers({ api, request, authority, other, renameIndex, rules: rulesFrom(profile) });
};

export const compared = (authority: unknown, other: unknown, given: Given = {}): Observation =>
  comparing(json(authority), json(other), given);

/** `S4 missing_hit hits.hits.7` for each difference. */
export const lines = ({ differences }: Observation): string[] =>
  differences.map(({ severity, kind, path }) => `${severity} ${kind} ${pathText(path)}`);

export type Hit = {
  id: string;
  score?: number | null;
  sort?: unknown[];
  source?: unknown;
  more?: Record<string, unknown>;
};

const hitOf = ({ id, score = null, sort, source = { n: id }, more }: Hit) => ({
  _index: 'shop',
  _id: id,
  _score: score,
  _source: source,
  ...(sort && { sort }),
  ...more,
});

export type Page = { total?: unknown; shards?: number; maxScore?: number; aggregations?: unknown };

/** A search answer holding these hits; the total is exact and just these unless given. */
export const page = (hits: readonly Hit[], { total = hits.length, shards = 1, maxScore, aggregations }: Page = {}) => ({
  took: 3,
  timed_out: false,
  _shards: { total: shards, successful: shards, skipped: 0, failed: 0 },
  hits: {
    total: typeof total === 'number' ? { value: total, relation: 'eq' } : total,
    max_score: maxScore ?? null,
    hits: hits.map(hitOf),
  },
  ...(aggregations !== undefined && { aggregations }),
});

/** Hits sorted by one field: `7@3` = document 7 with sort value 3. */
export const sorted = (...entries: string[]): Hit[] =>
  entries.map((entry) => {
    const [id, value] = entry.split('@');
    return { id: id!, sort: [Number(value)] };
  });

/** Hits sorted by score. */
export const scored = (...entries: string[]): Hit[] =>
  sorted(...entries).map(({ id, sort }) => ({ id, score: sort![0] as number }));

export const bySort = { sort: [{ price: 'asc' }] };
