/** The executors of reads, cursors and requests about indices: the entry of this room for main and execute.ts. */
import type { Executors } from '../executors.ts';
import { createCursorExecutor } from './execute-cursor.ts';
import { createIndexExecutor, createRefreshExecutor } from './execute-index.ts';
import { createMixedExecutor } from './execute-mixed.ts';
import { createMultiExecutor } from './execute-multi.ts';
import { createPitExecutor } from './execute-pit.ts';
import { createReadExecutor } from './execute-read.ts';
import type { ReadDeps } from './ports.ts';
import { createShared } from './shared.ts';

export type ReadExecutors = Pick<
  Executors,
  'read' | 'mixed_read' | 'multi_read' | 'cursor' | 'pit_search' | 'refresh' | 'index_info' | 'admin'
>;

export const createReadExecutors = (deps: ReadDeps): ReadExecutors => {
  const shared = createShared(deps);
  const index = createIndexExecutor(shared);
  return {
    read: createReadExecutor(shared),
    mixed_read: createMixedExecutor(shared),
    multi_read: createMultiExecutor(shared),
    cursor: createCursorExecutor(shared),
    pit_search: createPitExecutor(shared),
    refresh: createRefreshExecutor(shared),
    index_info: index,
    admin: index,
  };
};

export { wrapCursor } from './cursor-token.ts';
export { createPassThrough } from './pass-through.ts';
export type { PassThrough, ReadDeps, ReadEvent } from './ports.ts';
export { createCursorMac } from './shared.ts';
