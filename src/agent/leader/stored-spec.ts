/**
 * Are the settings that a move is prepared with those that members will serve by? They stand in the store, where somebody
 * may write others at any time, and what the leader has heard may be a moment old.
 */
import { isDeepStrictEqual } from 'node:util';
import { keys } from '../../coordination/keys.ts';
import { settleMs } from '../../coordination/membership.ts';
import { parseRecord } from '../../coordination/parse-record.ts';
import type { Bucket } from '../../coordination/ports.ts';
import { RouteSpec } from '../../coordination/route-spec.ts';
import { type Runtime, sleep } from '../runtime.ts';

/** By content: after the loss of a store its revisions tell nothing. */
export const isStored = async (config: Pick<Bucket, 'get'>, spec: RouteSpec): Promise<boolean> => {
  const entry = await config.get(keys.config(spec.route));
  return isDeepStrictEqual(parseRecord(RouteSpec, entry?.value), spec);
};

const lookAgainMs = 100;

/** Whoever applies settings and asks for a move with them means those. Without them it is the last that was heard. */
export const heardSpec = async (
  { config, runtime }: { config: Pick<Bucket, 'get'>; runtime: Runtime },
  heard: () => RouteSpec,
): Promise<RouteSpec> => {
  const untilMs = runtime.now() + settleMs;
  while (!(await isStored(config, heard())) && runtime.now() < untilMs) await sleep(runtime, lookAgainMs);
  return heard();
};
