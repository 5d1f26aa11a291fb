/** Verification and repair as an operator asks for them: bounded steps, exact lists in the answer. */
import * as z from 'zod';
import { keys } from '../../coordination/keys.ts';
import type { RouteState } from '../../coordination/ports.ts';
import type { AskResult } from '../../coordination/records.ts';
import { CrossfadeError } from '../../errors.ts';
import { directionOf } from '../direction.ts';
import type { IndexPosition } from '../positions.ts';
import { countProof } from '../proof.ts';
import { repairIds } from '../repair.ts';
import { beginVerify, verifyStep } from '../verify.ts';
import type { VerifyIo } from '../verify-io.ts';
import { type Finding, verifyModes } from '../verify-state.ts';
import type { Leading } from './leading.ts';

type Result = Omit<AskResult, 'schema' | 'id' | 'at'>;

const VerifyArgs = z.object({
  mode: z.enum(verifyModes).default('count'),
  sample: z.coerce.number().int().positive().optional(),
});
const RepairArgs = z.object({
  ids: z.array(z.string()).optional(),
  index: z.string().optional(),
  force: z.boolean().default(false),
});

const parse = <T>(schema: z.ZodType<T>, args: unknown): T => {
  const parsed = schema.safeParse(args);
  if (parsed.success) return parsed.data;
  throw new CrossfadeError('USAGE', z.prettifyError(parsed.error));
};

export const verifyIo = async ({ deps }: Leading, state: RouteState): Promise<VerifyIo> => {
  const { clusters, runtime, transforms } = deps;
  const direction = directionOf(state);
  const { pageBytes, maxPageDocs } = state.spec.backfill;
  const mayDrop = (await transforms.drops(state.spec.transform))
    ? await transforms.towards(state.spec.transform, direction.authority)
    : undefined;
  return {
    clusters,
    runtime,
    direction,
    transform: await transforms.towards(state.spec.transform, direction.follower),
    mayDrop,
    limits: { pageBytes, maxPageDocs },
  };
};

type Found = {
  counts: Record<'missing' | 'extra' | 'different', number>;
  findings: Finding[];
  checked: number;
  unstable: number;
};

const walkAll = async (
  leading: Leading,
  state: RouteState,
  ask: { mode: 'stamp' | 'hash' | 'full'; sample?: number | undefined },
): Promise<Found> => {
  const io = await verifyIo(leading, state);
  const begun = await beginVerify(ask, io);
  if (begun.kind !== 'ok') throw new CrossfadeError('UPSTREAM_REFUSED', begun.detail);
  let at = begun.state;
  const { deps } = leading;
  for (;;) {
    const step = await verifyStep(at, io);
    at = step.state;
    // A long check must not cost the lease's trust, nor hide that the phase moved on.
    if (!deps.lease.isHeld()) throw new CrossfadeError('NO_LEADER', 'the lease was lost while verifying');
    if (step.kind === 'done') return at;
    if (step.kind !== 'more') throw new CrossfadeError('UPSTREAM_REFUSED', 'detail' in step ? step.detail : step.kind);
    await deps.store.config.put(
      keys.job(deps.slug, 'verify'),
      JSON.stringify({ mode: ask.mode, checked: at.checked, total: at.total, counts: at.counts }),
    );
  }
};

const verifyCounts = async ({ deps }: Leading, state: RouteState): Promise<Result> => {
  const { clusters, runtime } = deps;
  const { equal, counts } = await countProof({ clusters, runtime, direction: directionOf(state) });
  const named = counts.map(({ ordinal, ...count }) => ({ index: state.spec.indices[ordinal]?.source ?? '', ...count }));
  return {
    state: 'done',
    message: equal ? 'both sides count the same documents' : 'the counts differ',
    details: { mode: 'count', equal, counts: named },
  };
};

export const verifyRoute = async (leading: Leading, state: RouteState, args: unknown): Promise<Result> => {
  const { mode, sample } = parse(VerifyArgs, args);
  if (mode === 'count') return verifyCounts(leading, state);
  const { counts, findings, checked, unstable } = await walkAll(leading, state, { mode, sample });
  const wrong = counts.missing + counts.extra + counts.different;
  const details = { mode, equal: wrong === 0, checked, unstable, ...counts, findings };
  return {
    state: 'done',
    message: wrong === 0 ? `${checked} documents checked, all equal` : `${wrong} of ${checked} documents are wrong`,
    details,
  };
};

const pinsOf = ({ job }: Leading): IndexPosition[] => job.current().work?.tail?.indices ?? [];

/** Named ids, or whatever a full verification finds. */
export const repairRoute = async (leading: Leading, state: RouteState, args: unknown): Promise<Result> => {
  const { ids, index, force } = parse(RepairArgs, args);
  const { deps } = leading;
  const named =
    index === undefined ? -1 : state.spec.indices.findIndex((pair) => pair.source === index || pair.target === index);
  if (index !== undefined && named < 0) throw new CrossfadeError('USAGE', `${index} is no index of this route`);
  const ordinals = named >= 0 ? [named] : [...state.spec.indices.keys()];
  const docs =
    ids === undefined
      ? (await walkAll(leading, state, { mode: 'full' })).findings
      : ordinals.flatMap((ordinal) => ids.map((id) => ({ ordinal, id })));
  const io = await verifyIo(leading, state);
  const repaired = await repairIds(docs, { ...io, pins: pinsOf(leading), force });
  const outcomes: Record<string, number> = {};
  for (const { outcome } of repaired) outcomes[outcome.kind] = (outcomes[outcome.kind] ?? 0) + 1;
  const bad = repaired.filter(({ outcome }) => outcome.kind === 'failed' || outcome.kind === 'refused');
  await leading.journal.audit({ what: 'repair', reason: 'asked', evidence: { outcomes } });
  const details = {
    outcomes,
    failed: bad
      .slice(0, 100)
      .map(({ doc, outcome }) => ({ ...doc, reason: 'reason' in outcome ? outcome.reason : '' })),
  };
  deps.logger.info({ slug: deps.slug, outcomes }, 'repair ended');
  const kept = outcomes['foreign'] ?? 0;
  const advice = kept > 0 ? `; ${kept} that somebody else wrote to the follower stay: repair --force` : '';
  return bad.length === 0
    ? { state: 'done', message: `${repaired.length} documents looked at${advice}`, details }
    : {
        state: 'failed',
        code: 'UPSTREAM_REFUSED',
        message: `${bad.length} of ${repaired.length} documents could not be repaired`,
        details,
      };
};
