/**
 * `crossfade agent` as a child of a test: the leader in it tells its parent each labelled point of a switch and stands
 * still until it is told to go on, so that a test kills or stops the process exactly there.
 */
import { once } from 'node:events';
import { runAgent } from '../../src/app/agent.ts';

const onReached = async (point: string): Promise<void> => {
  process.send?.(point);
  await once(process, 'message');
};

process.exit(await runAgent({ configPath: undefined, version: 'test', onReached }));
