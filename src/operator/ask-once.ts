/**
 * Asks the leader of a route for one step on behalf of a generation of its resource, once. The id of the request goes into
 * the resource before the request goes to the store: a crash in between asks for nothing. A process that lives on and knows
 * that its request did not get to the store sends it again under the same id.
 */
import { answerTo } from '../coordination/ask-answers.ts';
import type { AskResult } from '../coordination/records.ts';
import { CrossfadeError, isCrossfadeError } from '../errors.ts';
import { type AskDeps, submitAsk } from '../fleet/ask-leader.ts';
import { by, type Memory, type OperatorDeps, reasonOf } from './deps.ts';
import type { Step } from './plan.ts';
import type { Asked, Migration } from './resource.ts';

type Asking = Extract<Step, { kind: 'ask' }>;

/** @throws CrossfadeError STORE_CONFLICT when the resource is not what was read */
const announce = async ({ kube, memory }: OperatorDeps, migration: Migration, asked: Asked): Promise<void> => {
  const id = asked.requests.at(-1)?.id ?? '';
  memory.unsent.add(id);
  const before = migration.status ?? { conditions: [] };
  if ((await kube.writeStatus(migration, { ...before, asked })) === 'written') return;
  memory.unsent.delete(id);
  throw new CrossfadeError('STORE_CONFLICT', 'The Migration changed meanwhile.');
};

const submit = async (deps: OperatorDeps, migration: Migration, { step, id }: { step: Asking; id: string }) => {
  const { store, now, sleep, memory } = deps;
  const asking: AskDeps = { store, by, reason: reasonOf(migration), now, sleep, newId: () => id };
  const phase = step.phase === undefined ? {} : { phase: step.phase };
  try {
    await submitAsk(asking, { slug: migration.metadata.name, action: step.action, ...phase }, 0);
    memory.unsent.delete(id);
  } catch (error) {
    // It may stand in the store all the same, and must not get there twice.
    if (isCrossfadeError(error, 'STORE_OUTCOME_UNKNOWN')) memory.unsent.delete(id);
    throw error;
  }
};

export const ask = async (deps: OperatorDeps, migration: Migration, step: Asking): Promise<Asked> => {
  const { metadata, status } = migration;
  const { generation } = metadata;
  const earlier = status?.asked?.generation === generation ? status.asked.requests : [];
  const unsent = earlier.find(({ what }) => what === step.what);
  const id = unsent?.id ?? deps.newId();
  const requests = unsent === undefined ? [...earlier, { what: step.what, id }] : earlier;
  const asked = { generation, requests };
  if (unsent === undefined) await announce(deps, migration, asked);
  await submit(deps, migration, { step, id });
  return asked;
};

/** Requests that never reached the store were not made; one that has an answer was, whatever is remembered of it. */
export const madeOf = ({ unsent }: Memory, asked: Asked | undefined, result: AskResult | undefined) =>
  asked && {
    ...asked,
    requests: asked.requests.filter(({ id }) => !unsent.has(id) || answerTo(result, id) !== undefined),
  };
