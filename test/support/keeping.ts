/** What a test opened is closed after it, the last first. To be called at the top of a test file. */
import { afterEach } from 'vitest';

export type Keeping = {
  cleanups: (() => Promise<void>)[];
  keep: <T extends { close(): Promise<void> }>(resource: T) => T;
};

export const keeping = (): Keeping => {
  const cleanups: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });
  const keep = <T extends { close(): Promise<void> }>(resource: T): T => {
    cleanups.push(() => resource.close());
    return resource;
  };
  return { cleanups, keep };
};
