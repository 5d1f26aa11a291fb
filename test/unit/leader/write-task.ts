/** A by-query of somebody, as a cluster lists it. */
import type { WriteTask } from '../../../src/agent/control-answers.ts';

export const writeTask = (description: string, over: Partial<WriteTask> = {}): WriteTask => ({
  id: 'n:1',
  action: 'indices:data/write/update/byquery',
  description,
  parent: undefined,
  ...over,
});
