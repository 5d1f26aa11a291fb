/**
 * Judges what is on both clusters at rest against what clients were told. Pure. A client knows three things of a write:
 * it was acknowledged, it surely failed, or nobody knows (the connection broke). Every document is a register whose
 * legal values follow from real-time order: a write that was answered before an acknowledged one began is overwritten;
 * one of unknown outcome may still take effect at any later time. Values and tokens are unique, so that each thing found
 * tells who wrote it.
 */
export type Outcome = 'acknowledged' | 'failed' | 'unknown';
/** `set` replaces the document, deletes it when `value` is undefined; `append` runs a script that adds one token to a list. */
export type Change =
  { kind: 'set'; id: string; value: string | undefined } | { kind: 'append'; id: string; token: string };
/** `began` and `ended` come from one counter; an operation of unknown outcome has no end. */
export type Operation = Change & { began: number; ended: number; outcome: Outcome };
export type Document = { value?: string; tokens?: readonly string[] };
export type Documents = ReadonlyMap<string, Document>;

type SetOperation = Extract<Operation, { kind: 'set' }>;
type AppendOperation = Extract<Operation, { kind: 'append' }>;

const byId = <T extends Operation>(operations: readonly T[]): Map<string, T[]> =>
  Map.groupBy(operations, ({ id }) => id);

const endOf = ({ outcome, ended }: Operation): number => (outcome === 'unknown' ? Number.POSITIVE_INFINITY : ended);

/** Writes whose effect may be what is left: neither failed nor wholly before an acknowledged one. */
const surviving = (writes: readonly SetOperation[]): SetOperation[] => {
  const lastBegan = Math.max(
    Number.NEGATIVE_INFINITY,
    ...writes.filter(({ outcome }) => outcome === 'acknowledged').map(({ began }) => began),
  );
  return writes.filter((write) => write.outcome !== 'failed' && endOf(write) >= lastBegan);
};

/** `value` of one document, read between two moments of the counter; undefined where there was none. */
export type Read = { id: string; began: number; ended: number; value: string | undefined };

/** As the reader saw them: what was answered later may or may not have been there yet. */
const seenBy = (writes: readonly SetOperation[], { began, ended }: Read): SetOperation[] =>
  writes
    .filter((write) => write.began < ended)
    .map((write) =>
      write.outcome === 'acknowledged' && write.ended > began ? { ...write, outcome: 'unknown' } : write,
    );

/**
 * Nobody reads what nobody wrote, what surely failed, or what was written later. `isNewest`: nor, as from a copy that
 * waits for newer ones, what was overwritten before the read began.
 */
export const judgeRead = (operations: readonly Operation[], read: Read, isNewest: boolean): string | undefined => {
  const writes = operations.filter((one): one is SetOperation => one.kind === 'set' && one.id === read.id);
  const seen = seenBy(writes, read);
  const problem = judgeRegister(seen, read.value);
  if (problem === undefined || isNewest) return problem;
  return seen.some(({ outcome, value }) => outcome !== 'failed' && value === read.value) ? undefined : problem;
};

const judgeRegister = (writes: readonly SetOperation[], value: string | undefined): string | undefined => {
  const legal = surviving(writes);
  const untouched = value === undefined && writes.every(({ outcome }) => outcome !== 'acknowledged');
  if (untouched || legal.some((write) => write.value === value)) return undefined;
  if (value === undefined) return `an acknowledged write is lost: expected ${legal.map((write) => write.value).join()}`;
  const writer = writes.find((write) => write.value === value);
  if (writer === undefined) return `${value} was written by nobody`;
  if (writer.outcome === 'failed') return `the failed write ${value} is visible`;
  const deleted = legal.every((write) => write.value === undefined);
  return deleted ? `deleted, and ${value} has returned` : `overwritten, and ${value} is back`;
};

const judgeAppend = ({ token, outcome }: AppendOperation, times: number): string[] => {
  if (times > 1) return [`the update ${token} was applied ${times} times`];
  if (outcome === 'acknowledged' && times === 0) return [`the acknowledged update ${token} is lost`];
  return outcome === 'failed' && times > 0 ? [`the failed update ${token} is visible`] : [];
};

const judgeList = (appends: readonly AppendOperation[], tokens: readonly string[]): string[] => {
  const known = new Set(appends.map(({ token }) => token));
  const count = (token: string): number => tokens.filter((found) => found === token).length;
  return [
    ...appends.flatMap((append) => judgeAppend(append, count(append.token))),
    ...tokens.filter((token) => !known.has(token)).map((token) => `the update ${token} was made by nobody`),
  ];
};

/** What is wrong with one side; empty when nothing is. */
export const checkSide = (operations: readonly Operation[], documents: Documents): string[] => {
  const sets = byId(operations.filter((operation) => operation.kind === 'set'));
  const appends = byId(operations.filter((operation) => operation.kind === 'append'));
  const foreign = [...documents.keys()].filter((id) => !sets.has(id) && !appends.has(id));
  return [
    ...[...sets].flatMap(([id, writes]) => {
      const problem = judgeRegister(writes, documents.get(id)?.value);
      return problem === undefined ? [] : [`${id}: ${problem}`];
    }),
    ...[...appends].flatMap(([id, list]) =>
      judgeList(list, documents.get(id)?.tokens ?? []).map((text) => `${id}: ${text}`),
    ),
    ...foreign.map((id) => `${id}: nobody wrote this document`),
  ];
};

/** Ids that differ between the sides. */
export const differing = (a: Documents, b: Documents): string[] =>
  [...new Set([...a.keys(), ...b.keys()])].filter((id) => JSON.stringify(a.get(id)) !== JSON.stringify(b.get(id)));

export type AtRest = { operations: readonly Operation[]; source: Documents; target: Documents };

export const check = ({ operations, source, target }: AtRest): string[] => [
  ...checkSide(operations, source).map((text) => `source ${text}`),
  ...checkSide(operations, target).map((text) => `target ${text}`),
  ...differing(source, target).map((id) => `${id}: the sides differ`),
];
