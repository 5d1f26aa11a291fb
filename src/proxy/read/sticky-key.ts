/**
 * The key that keeps one tenant, user or connection on one side: the first of the route's key sources that the request
 * carries. The source is part of the key, so that a user called `7` and a routing value `7` are not the same cohort.
 */
import type { ReadSettings } from '../../coordination/route-spec.ts';
import { getParam } from '../query.ts';
import type { RequestHead } from '../types.ts';

export type Caller = {
  /** Stable name of the user behind the credentials; undefined for anonymous requests. */
  readonly principal: string | undefined;
  /** Names the client's connection for as long as it is open. */
  readonly connection: string | undefined;
};

export type StickyKey = {
  readonly source: string;
  /** As allow and deny lists name it. */
  readonly value: string;
};

export const keyText = ({ source, value }: StickyKey): string => `${source}=${value}`;

const headerPrefix = 'header:';

const valueFrom = (source: string, head: RequestHead, caller: Caller): string | undefined => {
  if (source.startsWith(headerPrefix)) return head.headers[source.slice(headerPrefix.length).toLowerCase()];
  switch (source) {
    case 'principal':
      return caller.principal;
    case 'preference':
    case 'routing':
      return getParam(head.query, source);
    case 'connection':
      return caller.connection;
    default:
      return undefined;
  }
};

export const stickyKey = (settings: ReadSettings, head: RequestHead, caller: Caller): StickyKey | undefined => {
  for (const source of settings.key) {
    const value = valueFrom(source, head, caller);
    if (value !== undefined && value !== '') return { source, value };
  }
  return undefined;
};
