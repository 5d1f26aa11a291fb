/**
 * Hit totals: exact, or only a lower bound (`gte`: counting stops at a threshold, at a point that differs per run).
 * Two bounds are always compatible; an exact total contradicts a bound only by lying below it.
 */
import { type Context, report } from './context.ts';
import type { Path } from './findings.ts';
import { isNear, type Json, type JsonObject, member, numberMember } from './json-value.ts';

type Total = { value: number; exact: boolean };

/** As a plain number, -1 says that nobody counted. */
const readTotal = (hits: JsonObject): Total | undefined => {
  const total = member(hits, 'total');
  if (typeof total === 'number') return total < 0 ? undefined : { value: total, exact: true };
  const value = numberMember(total, 'value');
  return value === undefined ? undefined : { value, exact: member(total, 'relation') !== 'gte' };
};

/** How many hits there are in all, when that is exactly known. */
export const pageTotal = (hits: JsonObject): number | undefined => {
  const total = readTotal(hits);
  return total?.exact ? total.value : undefined;
};

const isConsistent = (a: Total, b: Total, tolerance: { relative: number; absolute: number }): boolean => {
  if (isNear(a.value, b.value, tolerance.relative, tolerance.absolute)) return true;
  if (a.exact && b.exact) return false;
  if (a.exact) return a.value >= b.value;
  return b.exact ? b.value >= a.value : true;
};

export const compareTotals = (
  context: Context,
  path: Path,
  pair: { authority: JsonObject; other: JsonObject },
): void => {
  const [a, b] = [readTotal(pair.authority), readTotal(pair.other)];
  const [authority, other]: (Json | undefined)[] = [member(pair.authority, 'total'), member(pair.other, 'total')];
  if (a !== undefined && b !== undefined) {
    if (isConsistent(a, b, context.rules.profile.totals)) return;
    report(context, { severity: 'S3', kind: 'total', path, authority, other });
  } else if (a !== b)
    report(context, {
      severity: 'S9',
      kind: a === undefined ? 'extra_field' : 'missing_field',
      path,
      authority,
      other,
    });
};

/** A plain count. */
export const compareCount = (context: Context, path: Path, pair: { authority: number; other: number }): void => {
  const { relative, absolute } = context.rules.profile.totals;
  if (isNear(pair.authority, pair.other, relative, absolute)) return;
  report(context, { severity: 'S3', kind: 'total', path, ...pair });
};
