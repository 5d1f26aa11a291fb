/**
 * Names the side in an id that only one cluster understands (scroll, point in time, asynchronous search, SQL cursor), so
 * that any replica sends the next page to the cluster which opened it, also after a percentage changed or the authority
 * moved: `xf1.<s|t><reign>.<mac>.<the cluster's own id>`. The reign is that in which the authority opened the cursor, since
 * concurrency tokens in later pages belong to it; 0 marks a cursor of the follower, whose tokens belong to no reign, and one over
 * routes of several reigns, where each hit is shown by its own route.
 * An id of the source in the first reign needs no memory: it is what the application held before the migration began and
 * what it can still use after a return to `off`, so it stays as the cluster made it. Hence: unwrapped = source, reign 1.
 * The mac keeps a damaged or foreign token from being sent to a cluster; it protects no secret. The prefix costs about 24
 * bytes, and a token in a URL is unwrapped before it travels on, so no request line becomes longer than the cluster's own.
 */
import type { Side } from '../../coordination/records.ts';

export type CursorOrigin = { readonly side: Side; readonly reign: number };
/** Keyed digest, the same on all replicas, in characters that may stand in a URL. */
export type Mac = (text: string) => string;
export type Cursor = CursorOrigin & { readonly id: string };

/** Stands for the reign where the side was not the authority, or the authority of routes in different reigns. */
export const noReign = 0;

/** Stands in no id that a cluster makes. */
export const cursorPrefix = 'xf1.';
const pattern = /^xf1\.([st])(\d{1,4})\.([A-Za-z0-9_-]+)\.(.+)$/s;

const letterOf = (side: Side): string => (side === 'source' ? 's' : 't');
const unwrappedOrigin: CursorOrigin = { side: 'source', reign: 1 };

export const needsWrapping = ({ side, reign }: CursorOrigin): boolean =>
  side !== unwrappedOrigin.side || reign !== unwrappedOrigin.reign;

export const isWrapped = (token: string): boolean => token.startsWith(cursorPrefix);

export const wrapCursor = (id: string, origin: CursorOrigin, mac: Mac): string => {
  if (!needsWrapping(origin)) return id;
  const place = `${letterOf(origin.side)}${origin.reign}`;
  return `${cursorPrefix}${place}.${mac(`${place}.${id}`)}.${id}`;
};

/** The cursor behind a token; undefined when it carries our prefix and was not made with this key. */
export const unwrapCursor = (token: string, mac: Mac): Cursor | undefined => {
  if (!isWrapped(token)) return { ...unwrappedOrigin, id: token };
  const parts = pattern.exec(token);
  if (parts === null) return undefined;
  const [, letter, reign, given, id] = parts as unknown as [string, string, string, string, string];
  if (mac(`${letter}${reign}.${id}`) !== given) return undefined;
  return { side: letter === 's' ? 'source' : 'target', reign: Number(reign), id };
};
