/**
 * Reads the three kinds of value that a person types into the store with a bare `nats kv put`: percentages, the stop
 * switch and the backfill rate. White space around a value is never meaningful (`echo 25 | nats kv put` stores a line
 * feed); apart from that a text has one reading or is refused, because a guess here moves live traffic.
 * Invariant: a refused text yields a message and no value, so the caller keeps the last good one.
 */
export type Parsed<T> = { ok: true; value: T } | { ok: false; message: string };

const accept = <T>(value: T): Parsed<T> => ({ ok: true, value });
const refuse = (text: string, expected: string): Parsed<never> => ({
  ok: false,
  message: `${quote(text)} is not ${expected}`,
});
const quote = (text: string): string => JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);

// Leading zeros are refused: `005` is more likely a lost decimal point than five.
const percentForm = /^(0|[1-9]\d{0,2})(\.\d{1,3})?\s*%?$/;

/** A number from 0 to 100 with at most three decimals, optionally followed by `%`. */
export const parsePercent = (text: string): Parsed<number> => {
  const match = percentForm.exec(text.trim());
  const value = match === null ? Number.NaN : Number(`${match[1]}${match[2] ?? ''}`);
  return value <= 100 ? accept(value) : refuse(text, 'a percentage from 0 to 100 with at most 3 decimals, such as 25');
};

/** The shortest text that {@link parsePercent} reads back as the same value. */
export const formatPercent = (value: number): string => `${Math.round(value * 1000) / 1000}`;

const stopWords: ReadonlyMap<string, boolean> = new Map([
  ['on', true],
  ['true', true],
  ['1', true],
  ['off', false],
  ['false', false],
  ['0', false],
]);

/** `on` or `off`; `true`/`1` and `false`/`0` are taken too, in any case, because this is the brake pulled in a hurry. */
export const parseStop = (text: string): Parsed<boolean> => {
  const value = stopWords.get(text.trim().toLowerCase());
  return value === undefined ? refuse(text, 'on or off') : accept(value);
};

/** Documents per second as a positive integer, or `pause`. Zero is refused: pausing has a word of its own. */
export const parseRate = (text: string): Parsed<number | 'pause'> => {
  const trimmed = text.trim().toLowerCase();
  if (trimmed === 'pause') return accept('pause');
  return /^[1-9]\d{0,8}$/.test(trimmed) ? accept(Number(trimmed)) : refuse(text, 'documents per second, or pause');
};
