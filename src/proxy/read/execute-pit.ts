/**
 * A search without an index: either of a point in time, which names its own side, or of all indices, which is planned
 * anew now that the body is known.
 */
import { CrossfadeError } from '../../errors.ts';
import { applyEdits, type Edit } from '../../json/scan.ts';
import type { ClientRequest } from '../client-request.ts';
import { planWithoutPit } from '../plan.ts';
import type { Plan } from '../types.ts';
import { readRequestBody } from '../write/request-body.ts';
import { answerNeeds } from './answer-edits.ts';
import { type BodyFacts, inspectBody, noBodyFacts } from './body-names.ts';
import { refuseHiddenCursor } from './cursor-body.ts';
import { executeMixed } from './execute-mixed.ts';
import { type Cursor, needsWrapping, unwrapCursor } from './cursor-token.ts';
import { nameEdits, pitTrouble } from './body-words.ts';
import { wireTarget } from './outgoing.ts';
import { reignsOn } from './reigns.ts';
import type { Shared } from './shared.ts';

type PitPlan = Extract<Plan, { kind: 'pit_search' }>;

export const createPitExecutor =
  (shared: Shared) =>
  async (request: ClientRequest, plan: PitPlan): Promise<void> => {
    const plain = await readRequestBody(request, shared.deps.limits.maxBodyBytes);
    refuseHiddenCursor(plain);
    const { bytes, json } = plain;
    const facts = json ? inspect(bytes) : noBodyFacts;
    if (facts.pit === undefined) return searchAll(shared, request, plan);
    const cursor = unwrapCursor(facts.pit.id, shared.mac);
    if (cursor === undefined) throw new CrossfadeError('CURSOR_INVALID');
    await searchPit(shared, request, { plan, bytes, facts, cursor });
  };

const inspect = (bytes: Buffer): BodyFacts => {
  try {
    return inspectBody(bytes);
  } catch {
    return noBodyFacts;
  }
};

const searchAll = async (shared: Shared, request: ClientRequest, { operation }: PitPlan): Promise<void> => {
  const { sameCluster = false } = shared.deps;
  const plan = planWithoutPit({
    operation,
    head: request.head,
    table: shared.deps.table(),
    now: shared.date(),
    sameCluster,
  });
  if (plan.kind === 'reject') throw plan.error;
  if (plan.kind === 'mixed_read') return executeMixed(shared, request, plan);
  if (plan.kind !== 'pass') throw new CrossfadeError('INTERNAL', `a search of all indices was planned as ${plan.kind}`);
  await shared.forward(request, {
    side: plan.side,
    state: undefined,
    target: wireTarget(request.head),
    context: {
      family: operation.family,
      group: operation.group,
      origin: { side: plan.side, reign: 1 },
      names: new Map(),
    },
    needs: { rename: false, terms: false, cursor: false },
    safeToRepeat: true,
  });
};

type PitSearch = {
  readonly plan: PitPlan;
  readonly bytes: Buffer;
  readonly facts: BodyFacts;
  readonly cursor: Cursor;
};

const searchPit = async (
  shared: Shared,
  request: ClientRequest,
  { plan, bytes, facts, cursor }: PitSearch,
): Promise<void> => {
  const table = shared.deps.table();
  const { side } = cursor;
  const words = { table, side, sameCluster: shared.deps.sameCluster === true };
  const trouble = pitTrouble({ ...words, facts });
  if (trouble) throw trouble;
  const edits = [...pitEdits(facts, cursor), ...nameEdits(facts, words)].sort((a, b) => a.start - b.start);
  const { family, group } = plan.operation;
  const names = side === 'target' ? shared.namesOf(table) : new Map<string, string>();
  const context = {
    family,
    group,
    origin: cursor,
    names,
    reignOf: reignsOn(table, words),
  };
  await shared.forward(request, {
    side,
    state: undefined,
    target: wireTarget(request.head),
    body: edits.length === 0 ? undefined : applyEdits(bytes, edits),
    context,
    // Each answer carries the point in time again.
    needs: {
      ...answerNeeds(context, { ...request.head, asksTokens: facts.asksTokens }),
      cursor: needsWrapping(cursor),
    },
    safeToRepeat: true,
  });
};

const pitEdits = ({ pit }: BodyFacts, cursor: Cursor): Edit[] =>
  pit === undefined || pit.id === cursor.id ? [] : [{ ...pit.slice, text: JSON.stringify(cursor.id) }];
