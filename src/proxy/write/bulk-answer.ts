/**
 * Walks the items of bulk answers by position and puts answers together again: from one cluster, from several, from
 * repeated attempts and from refusals made here. Invariant: the client gets one item per action, in its order, and the
 * bytes of an item are the authority's own but for the edits of answer-facts.ts.
 */
import { applyEdits, type Edit, eachElement, eachMember, rawOf, type Slice } from '../../json/scan.ts';
import { answerEdits, readFacts, type WriteFacts } from './answer-facts.ts';

/** `whole` is the item as it stands in the array; `at` is where the inner object opens. */
export type BulkItem = { readonly whole: Slice; readonly at: number; readonly facts: WriteFacts };
export type BulkAnswer = {
  readonly tookMs: number;
  /** An ingest pipeline ran for at least one action. */
  readonly ingestTookMs: number | undefined;
  readonly items: readonly BulkItem[];
};

/** @throws SyntaxError when the body is no bulk answer */
export const parseBulkAnswer = (body: Buffer): BulkAnswer => {
  let tookMs = 0;
  let ingestTookMs: number | undefined;
  let items: BulkItem[] | undefined;
  eachMember(body, 0, (key, value) => {
    if (key === 'took') tookMs = Number(rawOf(body, value));
    else if (key === 'ingest_took') ingestTookMs = Number(rawOf(body, value));
    else if (key === 'items') items = readItems(body, value.start);
  });
  if (items === undefined) throw new SyntaxError('no items in a bulk answer');
  return { tookMs, ingestTookMs, items };
};

const readItems = (body: Buffer, at: number): BulkItem[] => {
  const items: BulkItem[] = [];
  eachElement(body, at, (whole) => {
    eachMember(body, whole.start, (_op, inner) => {
      items.push({ whole, at: inner.start, facts: readFacts(body, inner.start) });
      return false;
    });
  });
  return items;
};

export type ItemTreatment = { readonly stripGet: boolean; readonly reign: number };

export const itemEdits = (body: Buffer, item: BulkItem, treatment: ItemTreatment): Edit[] =>
  answerEdits(body, item.at, treatment);

/** One item as the client is to see it. */
export const itemBytes = (body: Buffer, item: BulkItem, treatment: ItemTreatment): Buffer => {
  const { start, end } = item.whole;
  const edits = itemEdits(body, item, treatment);
  return applyEdits(
    body.subarray(start, end),
    edits.map((edit) => ({ ...edit, start: edit.start - start, end: edit.end - start })),
  );
};

/** A result for one action; `failed` decides the `errors` flag of the whole. */
export type ItemResult = { readonly bytes: Buffer; readonly failed: boolean };

export const composeAnswer = (
  results: readonly ItemResult[],
  { tookMs, ingestTookMs }: { tookMs: number; ingestTookMs: number | undefined },
): Buffer => {
  const ingest = ingestTookMs === undefined ? '' : `"ingest_took":${ingestTookMs},`;
  const errors = results.some((result) => result.failed);
  const parts: Buffer[] = [Buffer.from(`{"took":${tookMs},${ingest}"errors":${errors},"items":[`)];
  results.forEach((result, i) => {
    if (i > 0) parts.push(Buffer.from(','));
    parts.push(result.bytes);
  });
  parts.push(Buffer.from(']}'));
  return Buffer.concat(parts);
};

/** `error` is JSON text. */
export type ItemFailure = { readonly status: number; readonly error: string };

/** An item that no cluster answered, in the shape of the server's own failures. */
export const failedItem = (
  { op, index, id }: { op: string; index: string; id: string | undefined },
  { status, error }: ItemFailure,
): ItemResult => {
  const names = `"_index":${JSON.stringify(index)},"_id":${JSON.stringify(id ?? null)}`;
  return { bytes: Buffer.from(`{"${op}":{${names},"status":${status},"error":${error}}}`), failed: true };
};
