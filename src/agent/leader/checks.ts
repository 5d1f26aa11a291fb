/** Verification and repair as an operator asks for them: bounded steps, exact lists in the answer. */
import * as z from 'zod';
import type { RouteState } from '../../coordination/ports.ts';
import type { AskResult } from '../../coordination/records.ts';
import { CrossfadeError } from '../../errors.ts';
import { directionOf } from '../direction.ts';
import type { IndexPosition } from '../positions.ts';
import { countProof } from '../proof.ts';
import type { DocAddressOf } from '../quarantine.ts';
import { type Repaired, repairIds } from '../repair.ts';
import type { VerifyAsk } from '../verify.ts';
import type { VerifyIo } from '../verify-io.ts';
import { verifyModes, type VerifyState } from '../verify-state.ts';
import type { Leading } from './leading.ts';
import { walkOn } from './verify-turns.ts';

type Result = Omit<AskResult, 'schema' | 'id' | 'at'>;

const VerifyArgs = z.object({
  mode: z.enum(verifyModes).default('count'),
  sample: z.coerce.number().int().positive().optional(),
});
const RepairArgs = z.object({
  ids: z.array(z.string()).optional(),
  index: z.string().optional(),
  routing: z.string().optional(),
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
  return {
    clusters,
    runtime,
    direction,
    transform: await transforms.towards(state.spec.transform, direction.follower),
    mayDrop: await transforms.mayDrop(state.spec.transform, direction.follower),
    limits: { pageBytes, maxPageDocs },
  };
};

/** What a check is part of. */
export type Checking = { leading: Leading; state: RouteState; ask: string; signal: AbortSignal };

/** Whoever reads an answer knows indices by their names, and repairs by them. */
const withIndices = <T extends { ordinal: number }>({ spec }: RouteState, list: readonly T[]) =>
  list.map(({ ordinal, ...rest }) => ({ index: spec.indices[ordinal]?.source ?? '', ...rest }));

const walkAll = async ({ leading, state, ask, signal }: Checking, what: VerifyAsk): Promise<VerifyState | undefined> =>
  walkOn(leading, { ...what, ask }, { io: await verifyIo(leading, state), signal });

const verifyCounts = async ({ leading, state, signal }: Checking): Promise<Result> => {
  const { clusters, runtime, transforms } = leading.deps;
  const dropped = await transforms.drops(state.spec.transform);
  const { equal, counts } = await countProof({ clusters, runtime, direction: directionOf(state), dropped, signal });
  return {
    state: 'done',
    message: equal ? 'both sides count the same documents' : 'the counts differ',
    details: { mode: 'count', equal, counts: withIndices(state, counts) },
  };
};

/** Undefined when it goes on in the next turn. */
export const verifyRoute = async (checking: Checking, args: unknown): Promise<Result | undefined> => {
  const { state } = checking;
  const { mode, sample } = parse(VerifyArgs, args);
  if (mode === 'count') return verifyCounts(checking);
  const walked = await walkAll(checking, { mode, sample });
  if (walked === undefined) return undefined;
  const { counts, findings, checked, unstable } = walked;
  const equal = wrongIn(walked) === 0;
  const details = { mode, equal, checked, unstable, ...counts, findings: withIndices(state, findings) };
  return { state: 'done', message: [saidOf(walked), ...uncompared(unstable)].join('; '), details };
};

const saidOf = (walked: VerifyState): string => {
  const { checked } = walked;
  const wrong = wrongIn(walked);
  return wrong === 0 ? `${checked} documents checked, all equal` : `${wrong} of ${checked} documents are wrong`;
};

const uncompared = (unstable: number): string[] =>
  unstable === 0 ? [] : [`${unstable} more could not be compared, they kept changing`];

const wrongIn = ({ counts }: VerifyState): number => counts.missing + counts.extra + counts.different;

const pinsOf = ({ job }: Leading): IndexPosition[] => job.current().work?.tail?.indices ?? [];

type Wanted = {
  docs: readonly DocAddressOf[];
  unlisted: number;
  /** Kept changing, so that nothing can be said of them; a busy index always has some. */
  unstable: number;
  named: boolean;
  routing?: string | undefined;
};
type Named = { ids: readonly string[]; index: string | undefined; routing: string | undefined };

const namedDocs = (state: RouteState, { ids, index, routing }: Named): Wanted => {
  const { indices } = state.spec;
  const at = indices.findIndex((pair) => pair.source === index || pair.target === index);
  if (index !== undefined && at < 0) throw new CrossfadeError('USAGE', `${index} is no index of this route`);
  const ordinals = at >= 0 ? [at] : [...indices.keys()];
  const docs = ordinals.flatMap((ordinal) => ids.map((id) => ({ ordinal, id, routing })));
  return { docs, unlisted: 0, unstable: 0, named: true, routing };
};

const foundDocs = async (checking: Checking): Promise<Wanted | undefined> => {
  const walked = await walkAll(checking, { mode: 'full' });
  if (walked === undefined) return undefined;
  const { findings, unstable } = walked;
  return { docs: findings, unlisted: wrongIn(walked) - findings.length, unstable, named: false };
};

/** What a repair leaves as it is: that somebody else wrote it, or that the copy there has the stamp of this one already. */
const stays = ({ outcome }: Repaired, named: boolean): boolean =>
  outcome.kind === 'foreign' || (!named && outcome.kind === 'kept' && outcome.stamp !== undefined);

const isNowhere = ({ outcome }: Repaired): boolean => outcome.kind === 'kept' && outcome.stamp === undefined;

const withRouting = (routing: string | undefined): string =>
  routing === undefined ? 'without a routing' : `with the routing ${routing}`;

const repairResult = (
  state: RouteState,
  repaired: readonly Repaired[],
  { unlisted, unstable, named, routing }: Wanted,
): Result => {
  const outcomes: Record<string, number> = {};
  for (const { outcome } of repaired) outcomes[outcome.kind] = (outcomes[outcome.kind] ?? 0) + 1;
  const bad = repaired.filter(({ outcome }) => outcome.kind === 'failed' || outcome.kind === 'refused');
  if (bad.length > 0) {
    const failed = bad
      .slice(0, 100)
      .map(({ doc, outcome }) => ({ ...doc, reason: 'reason' in outcome ? outcome.reason : '' }));
    const message = `${bad.length} of ${repaired.length} documents could not be repaired`;
    return {
      state: 'failed',
      code: 'UPSTREAM_REFUSED',
      message,
      details: { outcomes, failed: withIndices(state, failed) },
    };
  }
  const kept = repaired.filter((one) => stays(one, named)).length;
  const nowhere = named ? repaired.filter(isNowhere).length : 0;
  const advice = [
    ...(kept > 0 ? [`${kept} that somebody else or another transform wrote to the follower stay: repair --force`] : []),
    ...(unlisted > 0 ? [`${unlisted} more were found: repair again`] : []),
    ...uncompared(unstable),
    ...(nowhere > 0 ? [`${nowhere} are on neither side, looked for ${withRouting(routing)}`] : []),
  ];
  const message = [`${repaired.length} documents looked at`, ...advice].join('; ');
  return { state: 'done', message, details: { equal: kept + unlisted === 0, outcomes, failed: [] } };
};

/** Named ids, or whatever a full verification finds; undefined when it goes on in the next turn. */
export const repairRoute = async (checking: Checking, args: unknown): Promise<Result | undefined> => {
  const { ids, index, routing, force } = parse(RepairArgs, args);
  const { leading, state, signal } = checking;
  const wanted = ids === undefined ? await foundDocs(checking) : namedDocs(state, { ids, index, routing });
  if (wanted === undefined) return undefined;
  const io = await verifyIo(leading, state);
  const repaired = await repairIds(wanted.docs, {
    ...io,
    pins: pinsOf(leading),
    overwrite: force ? 'any' : undefined,
    signal,
  });
  if (signal.aborted) return undefined;
  const result = repairResult(state, repaired, wanted);
  const outcomes = result.details?.['outcomes'];
  await leading.journal.audit({ what: 'repair', reason: 'asked', evidence: { outcomes } });
  leading.deps.logger.info({ slug: leading.deps.slug, outcomes }, 'repair ended');
  return result;
};
