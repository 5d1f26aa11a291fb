/**
 * Pure: how many documents, and over how many sequence numbers, the next page should ask for. Pages aim at a size in
 * bytes, learned from the pages seen, because documents of 200 bytes and of 2 MB need very different counts. The span
 * of sequence numbers is bounded too, so that the cluster sorts a page's worth and not the whole rest of a shard; where
 * most numbers belong to overwritten documents the span grows until pages fill again.
 */
export type PagePlan = { docs: number; span: number };
export type PageLimits = { pageBytes: number; maxPageDocs: number };
export type PageSeen = { docs: number; bytes: number; span: number };

const firstPageDocs = 64;
const growth = 4;

export const firstPage = ({ maxPageDocs }: PageLimits): PagePlan => {
  const docs = Math.min(firstPageDocs, maxPageDocs);
  return { docs, span: docs };
};

/** What the walks of each index have learned of its documents, so that the next one need not begin with small pages. */
export type KnownPages = Map<string, PagePlan>;

/** `known`: what an earlier walk would have asked for next. */
export const beginPage = (known: PagePlan | undefined, limits: PageLimits): PagePlan =>
  known === undefined ? firstPage(limits) : { docs: Math.min(known.docs, limits.maxPageDocs), span: known.span };

const clamp = (value: number, low: number, high: number): number => Math.max(low, Math.min(high, value));

export const nextPage = (plan: PagePlan, seen: PageSeen, { pageBytes, maxPageDocs }: PageLimits): PagePlan => {
  if (seen.docs === 0) return { docs: plan.docs, span: plan.span * growth };
  const fitting = Math.floor(pageBytes / Math.max(1, seen.bytes / seen.docs));
  const docs = clamp(fitting, 1, Math.min(maxPageDocs, plan.docs * growth));
  const density = seen.docs / Math.max(1, seen.span);
  return { docs, span: clamp(Math.ceil(docs / density), docs, Math.max(plan.span, docs) * growth) };
};

/** Far above any page, below what one buffer may hold: a single document can have 100 MB. */
export const maxAnswerBytes = 256 * 1024 * 1024;
const toleratedPages = 4;
/** What a hit may have besides its source: an id may have 512 bytes, and so may a routing. */
const mostHitBytes = 2_000;

/** What an answer may have. A page whose documents turn out larger than thought is asked for in smaller parts, not held. */
export const answerBytes = ({ docs }: PagePlan, { pageBytes }: PageLimits): number =>
  docs <= 1 ? maxAnswerBytes : Math.min(maxAnswerBytes, toleratedPages * pageBytes + docs * mostHitBytes);

/** After an answer that was too large to hold; undefined when a page of one document was. */
export const smallerPage = ({ docs }: PagePlan): PagePlan | undefined => {
  const half = Math.floor(docs / 2);
  return docs <= 1 ? undefined : { docs: half, span: half };
};
