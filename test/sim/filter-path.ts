/**
 * `filter_path` of an answer, as far as the product asks for it: exact paths, and `*` for every name. Pure. Arrays are
 * walked through, and what is left empty is left out. Numbers stay as they are written, since versions exceed 2^53.
 */
const raw = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON;
type Reviver = (key: string, value: unknown, context: { source: string }) => unknown;
const parseExactly = (text: string): unknown => {
  const keepNumbers: Reviver = (_key, value, { source }) => (typeof value === 'number' ? raw(source) : value);
  return JSON.parse(text, keepNumbers as (key: string, value: unknown) => unknown);
};

type Path = readonly string[];
const isNumber = (value: object): boolean => 'rawJSON' in value;

/** Undefined where nothing of the value is asked for. */
const keep = (value: unknown, paths: readonly Path[]): unknown => {
  if (paths.some((path) => path.length === 0)) return value;
  if (typeof value !== 'object' || value === null || isNumber(value)) return undefined;
  if (Array.isArray(value)) {
    const kept = value.map((one) => keep(one, paths)).filter((one) => one !== undefined);
    return kept.length === 0 ? undefined : kept;
  }
  const kept = Object.entries(value).flatMap(([name, one]) => {
    const within = paths.filter(([first]) => first === '*' || first === name).map((path) => path.slice(1));
    const left = within.length === 0 ? undefined : keep(one, within);
    return left === undefined ? [] : [[name, left] as const];
  });
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
};

/** @throws for patterns beyond that */
export const applyFilterPath = (text: string, filter: string): string => {
  const paths = filter.split(',').map((path) => path.split('.'));
  const isKnown = (name: string): boolean => name === '*' || /^[a-z_][a-z_0-9]*$/i.test(name);
  if (!paths.flat().every(isKnown)) throw new Error(`the fake cluster does not know filter_path=${filter}`);
  return JSON.stringify(keep(parseExactly(text), paths) ?? {});
};
