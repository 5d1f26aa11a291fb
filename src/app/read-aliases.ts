/**
 * Asks both clusters for their aliases, for a member that starts without store and cache. Both must answer: the one that
 * does not may hold the marker of a switch. The source is asked before and after the target, so that whichever side
 * seems to hold the authority was seen before the other one was found without it.
 */
import { type AliasAnswer, type AliasAnswers, sameRoutes } from '../coordination/authority-from-aliases.ts';
import type { Side } from '../coordination/records.ts';
import type { Transports } from '../upstream/types.ts';

const timeoutMs = 3000;
const path = '/_alias?expand_wildcards=all';

const ask = async (transports: Transports, side: Side): Promise<AliasAnswer | undefined> => {
  try {
    const { status, body } = await transports[side].request({ method: 'GET', path, timeoutMs });
    return status === 200 ? (JSON.parse(body.toString('utf8')) as AliasAnswer) : undefined;
  } catch {
    return undefined;
  }
};

/** Undefined when the clusters did not tell enough. */
export const readAliases = async (transports: Transports, sameCluster: boolean): Promise<AliasAnswers | undefined> => {
  const source = await ask(transports, 'source');
  if (source === undefined) return undefined;
  if (sameCluster) return { source, target: source };
  const target = await ask(transports, 'target');
  const again = await ask(transports, 'source');
  return target === undefined || again === undefined || !sameRoutes(source, again) ? undefined : { source, target };
};
