/** What the parts of the operator share: whom it talks to, what it remembers, and how it signs what it does. */
import type { Store } from '../coordination/ports.ts';
import type { KubeApi } from './kube-api.ts';
import type { Migration } from './resource.ts';

/** What one process knows beyond what the resources say, while the API server refuses or misses what it writes. */
export type Memory = {
  /** By name, the uid and generation whose percentages, brake and rate were turned. */
  turned: Map<string, string>;
  /** Ids of requests that stand in a resource, perhaps, and have certainly not reached the store. */
  unsent: Set<string>;
};
export const emptyMemory = (): Memory => ({ turned: new Map(), unsent: new Set() });

export type OperatorDeps = {
  store: Store;
  kube: Pick<KubeApi, 'list' | 'writeStatus'>;
  newId: () => string;
  now: () => number;
  sleep: (ms: number) => Promise<void>;
  memory: Memory;
};

export const by = 'operator';
export const reasonOf = ({ metadata: { name, generation } }: Migration): string =>
  `Migration ${name}, generation ${generation}`;
