/**
 * The Copies port of this member: one RouteCopies per route, made at first use. Nothing here throws into, delays or
 * fails a client's request.
 */
import type { Copies, CopyReport } from '../coordination/ports.ts';
import { type CopierOptions, RouteCopies } from './route-copies.ts';

export type { CopierOptions } from './route-copies.ts';

export interface Copier extends Copies {
  report(slug: string): CopyReport;
  /** Why copies of the route are being repeated at present; empty when they flow. */
  problems(slug: string): string[];
  /** True once nothing is queued or under way; false when `timeoutMs` passed first. */
  drain(slug: string, timeoutMs: number): Promise<boolean>;
  /** The same for those copies only that wait now. */
  settled(slug: string, timeoutMs: number): Promise<boolean>;
  /** Stops at once; copies without a fate are left to the tail. */
  close(): void;
}

export const createCopier = (options: CopierOptions): Copier => {
  const routes = new Map<string, RouteCopies>();
  const of = (slug: string): RouteCopies => {
    const route = routes.get(slug) ?? new RouteCopies(slug, options);
    routes.set(slug, route);
    return route;
  };
  return {
    offer: (copy, state) => of(copy.slug).offer(copy, state),
    isPending: (key) => routes.get(key.slug)?.isPending(key) ?? false,
    unknownOutcome: (slug, mayDelete) => of(slug).unknownOutcome(mayDelete),
    arrived: (slug, write) => of(slug).arrived(write),
    leftToTail: (slug, left) => of(slug).leftToTail(left),
    notCopied: (write) => of(write.slug).notCopied(write),
    sweepNeeded: (slug, reason) => of(slug).sweepNeeded(reason),
    report: (slug) => of(slug).report(),
    problems: (slug) => of(slug).problems(),
    drain: (slug, timeoutMs) => of(slug).drain(timeoutMs),
    settled: (slug, timeoutMs) => of(slug).settled(timeoutMs),
    close: () => {
      for (const route of routes.values()) route.close();
    },
  };
};
