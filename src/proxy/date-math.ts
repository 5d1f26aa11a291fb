/**
 * Resolves date-math index names, `<logs-{now/d}>` or `<logs-{now-1M/M{yyyy.MM|+02:00}}>`, as the server does, so that
 * both clusters are asked for one and the same index also around midnight.
 * What cannot be told for sure (an unusual pattern letter, an anchor other than `now`, hours in a zone with daylight
 * saving) is `undetermined`: a pattern that covers every name the server could make of it. Never a guess.
 */

/** `text`: the name. `undetermined`: the same with `*` in place of each date. `invalid`: the server refuses it. */
export type DateMathName =
  { kind: 'name'; text: string } | { kind: 'undetermined'; pattern: string } | { kind: 'invalid' };

export const isDateMath = (name: string): boolean => name.length > 1 && name.startsWith('<') && name.endsWith('>');

type Part = { literal: string } | { placeholder: string };

export const resolveDateMath = (name: string, now: Date): DateMathName => {
  const parts = splitParts(name.slice(1, -1));
  if (parts === undefined || parts.length === 0) return { kind: 'invalid' };
  const texts = parts.map((part) => ('literal' in part ? part.literal : formatPlaceholder(part.placeholder, now)));
  if (!texts.includes(undefined)) return { kind: 'name', text: texts.join('') };
  return { kind: 'undetermined', pattern: texts.map((text) => text ?? '*').join('') };
};

/** Literals and placeholders in order; undefined when braces do not match. A backslash escapes a brace. */
const splitParts = (text: string): Part[] | undefined => {
  const parts: Part[] = [];
  let literal = '';
  for (let i = 0; i < text.length; i++) {
    const char = text[i] as string;
    if (char === '\\') literal += text[++i] ?? '';
    else if (char === '}') return undefined;
    else if (char === '{') {
      const end = placeholderEnd(text, i + 1);
      if (end === undefined) return undefined;
      if (literal !== '') parts.push({ literal });
      parts.push({ placeholder: text.slice(i + 1, end) });
      literal = '';
      i = end;
    } else literal += char;
  }
  if (literal !== '') parts.push({ literal });
  return parts;
};

/** Position of the brace that closes a placeholder; one pair of braces may stand inside it, around the format. */
const placeholderEnd = (text: string, from: number): number | undefined => {
  let inFormat = false;
  for (let i = from; i < text.length; i++) {
    const char = text[i];
    if (char === '\\') i++;
    else if (char === '{') {
      if (inFormat) return undefined;
      inFormat = true;
    } else if (char === '}') {
      if (!inFormat) return i;
      inFormat = false;
    }
  }
  return undefined;
};

const placeholderForm = /^([^{}]*)(?:\{([^{}|]+)(?:\|([^{}|]+))?\})?$/;
const mathForm = /^now((?:[+-]\d*[yMwdhHms]|\/[yMwdhHms])*)$/;
const mathStep = /([+-])(\d*)([yMwdhHms])|\/([yMwdhHms])/g;

/** @returns undefined when the date cannot be told */
const formatPlaceholder = (placeholder: string, now: Date): string | undefined => {
  const [, math, pattern = 'uuuu.MM.dd', zone = 'UTC'] = placeholderForm.exec(placeholder) ?? [];
  const steps = math === undefined ? undefined : mathForm.exec(math)?.[1];
  const offset = steps === undefined ? undefined : zoneOffset(zone, now);
  if (steps === undefined || offset === undefined) return undefined;
  if (!offset.fixed && /[hHms]/.test(steps)) return undefined;
  return formatWall(applySteps(new Date(now.getTime() + offset.ms), steps), pattern);
};

/** Offset from UTC at `now`; `fixed` when the zone has no daylight saving. */
const zoneOffset = (zone: string, now: Date): { ms: number; fixed: boolean } | undefined => {
  if (/^(UTC|GMT|Z)$/.test(zone)) return { ms: 0, fixed: true };
  const numeric = /^(?:UTC|GMT)?([+-])(\d{2}):?(\d{2})$/.exec(zone);
  if (numeric !== null) {
    const minutes = Number(numeric[2]) * 60 + Number(numeric[3]);
    return { ms: (numeric[1] === '-' ? -1 : 1) * minutes * 60_000, fixed: true };
  }
  return /^[A-Za-z_]+\/[A-Za-z_/+-]+$/.test(zone) ? namedZoneOffset(zone, now) : undefined;
};

const namedZoneOffset = (zone: string, now: Date): { ms: number; fixed: boolean } | undefined => {
  try {
    const format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });
    const name = format.formatToParts(now).find((part) => part.type === 'timeZoneName')?.value ?? '';
    const [, sign, hours, minutes] = /^GMT(?:([+-])(\d{2}):(\d{2}))?$/.exec(name) ?? [];
    const ms = (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60_000;
    return name.startsWith('GMT') ? { ms: sign === '-' ? -ms : ms, fixed: false } : undefined;
  } catch {
    return undefined; // The platform does not know the zone.
  }
};

/** `wall` holds local wall-clock time in its UTC fields. */
const applySteps = (wall: Date, steps: string): Date => {
  for (const [, sign, count, unit, rounding] of steps.matchAll(mathStep)) {
    if (rounding !== undefined) roundDown(wall, rounding);
    else addUnits(wall, (sign === '-' ? -1 : 1) * (count === '' ? 1 : Number(count)), unit as string);
  }
  return wall;
};

const unitMs: Readonly<Record<string, number>> = {
  w: 7 * 86_400_000,
  d: 86_400_000,
  h: 3_600_000,
  H: 3_600_000,
  m: 60_000,
  s: 1000,
};

const addUnits = (wall: Date, count: number, unit: string): void => {
  if (unit !== 'y' && unit !== 'M') return void wall.setTime(wall.getTime() + count * (unitMs[unit] as number));
  const day = wall.getUTCDate();
  wall.setUTCDate(1);
  wall.setUTCMonth(wall.getUTCMonth() + count * (unit === 'y' ? 12 : 1));
  // The 31st of a shorter month is its last day.
  const last = new Date(Date.UTC(wall.getUTCFullYear(), wall.getUTCMonth() + 1, 0)).getUTCDate();
  wall.setUTCDate(Math.min(day, last));
};

const roundDown = (wall: Date, unit: string): void => {
  const ms = unit === 'w' || unit === 'y' || unit === 'M' ? 86_400_000 : (unitMs[unit] as number);
  wall.setTime(Math.floor(wall.getTime() / ms) * ms);
  if (unit === 'w') wall.setUTCDate(wall.getUTCDate() - ((wall.getUTCDay() + 6) % 7)); // Weeks begin on Monday.
  if (unit === 'y') wall.setUTCMonth(0, 1);
  if (unit === 'M') wall.setUTCDate(1);
};

const patternToken = /'((?:[^']|'')*)'|([A-Za-z])\2*|[-._:/, ]/g;

/** Formats the plain numeric letters; undefined for any other. */
const formatWall = (wall: Date, pattern: string): string | undefined => {
  if (Number.isNaN(wall.getTime()) || wall.getUTCFullYear() < 1 || wall.getUTCFullYear() > 9999) return undefined;
  let text = '';
  let end = 0;
  for (const match of pattern.matchAll(patternToken)) {
    const [token, quoted, letter] = match;
    const field =
      letter === undefined ? (quoted?.replaceAll("''", "'") ?? token) : formatField(wall, letter, token.length);
    if (field === undefined || match.index !== end) return undefined;
    text += field;
    end = match.index + token.length;
  }
  return end === pattern.length ? text : undefined;
};

const formatField = (wall: Date, letter: string, width: number): string | undefined => {
  if (letter === 'u' || letter === 'y') {
    const year = String(wall.getUTCFullYear()).padStart(4, '0');
    if (width === 2) return year.slice(-2);
    return width === 4 ? year : undefined;
  }
  const value = shortFields[letter]?.(wall);
  return value === undefined || width > 2 ? undefined : String(value).padStart(width, '0');
};

const shortFields: Readonly<Record<string, (wall: Date) => number>> = {
  M: (wall) => wall.getUTCMonth() + 1,
  d: (wall) => wall.getUTCDate(),
  H: (wall) => wall.getUTCHours(),
  m: (wall) => wall.getUTCMinutes(),
  s: (wall) => wall.getUTCSeconds(),
};
