/**
 * Comparison rules ready for use: a profile with its path patterns compiled once per route. Rules are looked up only
 * where something differs, so equal answers never pay for them.
 */
import { defaultProfile, Profile } from './profile.ts';
import type { PathSegment, Severity } from './types.ts';

type Effect =
  | { kind: 'ignore' }
  | { kind: 'soft' }
  | { kind: 'severity'; severity: Severity }
  | { kind: 'tolerance'; relative: number; absolute: number };
/** What the profile says of a path that differs. */
export type PathRule = Effect & { readonly pattern: string };

export type Rules = {
  readonly profile: Profile;
  /** Rules whose pattern matches this path, in the order ignore, soft, severity, tolerance. */
  readonly at: (path: readonly PathSegment[]) => readonly PathRule[];
};

type CompiledRule = { readonly pattern: RegExp; readonly rule: PathRule };

const segmentText = (segment: PathSegment): string => (typeof segment === 'object' ? segment.key : String(segment));

/** Dotted form, as people read it. */
export const pathText = (path: readonly PathSegment[]): string => path.map(segmentText).join('.');

const documentParts = /^(_source|fields)(\.|$)/;

/** Parts segments where patterns are matched: keys may hold dots, and a dot of a pattern may stand for one of them. */
const border = '\u0001';
const step = `[.${border}]`;

/** A `*` stops at dots, as in the name of a field, unless it stands for a segment that is a key with dots. */
const segmentSource = (segment: string): string => {
  const source = (any: string) => segment.replace(/[\\^$+?()[\]{}|]/g, '\\$&').replaceAll('*', any);
  const inName = source(`[^.${border}]*`);
  if (!segment.includes('*')) return inName;
  return `(?:${inName}|(?<=^|${border})${source(`[^${border}]*`)}(?=${border}|$))`;
};

/** A pattern names a whole subtree: ignoring `_source.audit` ignores what is in it, and a `**` at the end says no more. */
const compilePattern = (pattern: string): RegExp => {
  const full = documentParts.test(pattern) ? `**.${pattern}` : pattern;
  const top = full.replace(/(^|\.)\*\*(\.\*\*)*$/, '');
  if (top === '') return /^/;
  const segments = top.split('.');
  const source = segments
    .map((segment, i) => {
      if (segment === '**') return `(?:.*${step})?`;
      return i === segments.length - 1 ? segmentSource(segment) : segmentSource(segment) + step;
    })
    .join('');
  return new RegExp(`^${source}(?:${step}.*)?$`, 's');
};

const compileAll = (profile: Profile): CompiledRule[] => {
  const of = (path: string, effect: Effect): CompiledRule => ({
    pattern: compilePattern(path),
    rule: { ...effect, pattern: path },
  });
  return [
    ...profile.ignore.map((path) => of(path, { kind: 'ignore' })),
    ...profile.soft.map((path) => of(path, { kind: 'soft' })),
    ...profile.severity.map(({ path, severity }) => of(path, { kind: 'severity', severity })),
    ...profile.tolerance.map(({ path, relative, absolute }) => of(path, { kind: 'tolerance', relative, absolute })),
  ];
};

export const compileProfile = (profile: Profile): Rules => {
  const compiled = compileAll(profile);
  const at = (path: readonly PathSegment[]): readonly PathRule[] => {
    if (compiled.length === 0) return [];
    const text = path.map(segmentText).join(border);
    return compiled.filter(({ pattern }) => pattern.test(text)).map(({ rule }) => rule);
  };
  return { profile, at };
};

/** What documents hold, wherever an answer shows it. */
const contents: readonly string[] = ['_source', 'fields'];

/**
 * Rules from what an operator wrote: only what differs from the defaults. Documents that a transform made differ on purpose,
 * so their contents are compared only where the operator says which parts of them to ignore; verify knows the transform.
 * @throws z.ZodError naming each field that is wrong.
 */
export const rulesFrom = (overrides: unknown, { transformed = false }: { transformed?: boolean } = {}): Rules => {
  const profile = overrides === undefined ? defaultProfile : Profile.parse(overrides);
  const says = (overrides as { ignore?: unknown } | undefined)?.ignore !== undefined;
  return compileProfile(transformed && !says ? { ...profile, ignore: [...contents] } : profile);
};
