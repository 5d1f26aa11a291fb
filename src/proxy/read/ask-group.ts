/**
 * Asks one side for a group of items of a multi request, and makes its items what the client is to see. A follower's group
 * has the authority behind it: when the follower's answer is not good enough, the same items are asked there.
 */
import { asksPretty } from '../write/answer-form.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { authorityIn, otherSide, type Side } from '../../coordination/records.ts';
import { type IndexNames, renameIndices } from '../rename.ts';
import type { ServedRead, SideRequest } from '../shadow/ports.ts';
import { clientTerm } from '../write/tokens.ts';
import { originOf, refuseOtherFormats, shownTerm, wrapMembers } from './answer-edits.ts';
import { askFollower } from './ask-follower.ts';
import { type CursorOrigin, needsWrapping } from './cursor-token.ts';
import { sideHeaders } from './deliver.ts';
import { askSide } from './forward.ts';
import { groupRequest, type GroupWords } from './group-request.ts';
import { isJson, judgeFollower } from './judge-follower.ts';
import type { Assigned, Group } from './multi-assign.ts';
import { parseMultiAnswer, renderMultiAnswer } from './multi-answer.ts';
import { wireTarget } from './outgoing.ts';
import type { AskedAnswer, MultiReading, SeenAnswer } from './ports.ts';
import { reignsOn } from './reigns.ts';
import type { Sampling } from './sampling.ts';
import type { Shared } from './shared.ts';
import { showTerms } from './show-terms.ts';

export type GroupAnswer = {
  readonly group: Group;
  readonly side: Side;
  /** As the side sent it. */
  readonly raw: AskedAnswer;
  /** As the client is to see them; undefined when the answer holds no items. */
  readonly items: readonly Uint8Array[] | undefined;
  readonly tookMs: number | undefined;
  /** The whole answer, for a client that asked for exactly this group. */
  readonly shown: () => SeenAnswer;
};

export const askGroup = async (shared: Shared, reading: MultiReading, group: Group): Promise<GroupAnswer> => {
  const { followerOf: state } = group;
  if (state === undefined) return authorityAnswer(shared, reading, { group, side: group.side });
  const authority = authorityIn(state.phase.phase);
  if (!shared.breakerOf(state.slug).admit()) return authorityAnswer(shared, reading, { group, side: authority });
  const outcome = await questionFollower(shared, reading, { group, state });
  if (outcome.kind === 'follower') {
    const { answer, raw } = outcome;
    // The judge has put the authority's tokens in already.
    return toAnswer(shared, reading, {
      group,
      side: group.side,
      raw: { ...answer, body: raw },
      body: answer.body,
      termsDone: true,
    });
  }
  shared.emit({ kind: 'fallback', slug: state.slug, family: reading.plan.operation.family, cause: outcome.cause });
  return authorityAnswer(shared, reading, { group, side: authority, answer: outcome.answer });
};

const ask = (shared: Shared, reading: MultiReading, group: Group, side: Side) => (signal?: AbortSignal) => {
  const wire = groupRequest(groupWords(reading, group), side);
  return askSide(shared.deps, reading.request, { side, target: wireTarget(wire), body: wire.body, signal });
};

const questionFollower = (
  shared: Shared,
  reading: MultiReading,
  { group, state }: { group: Group; state: RouteState },
) => {
  const { family, group: operationGroup } = reading.plan.operation;
  const { layout, reign } = state.phase;
  return askFollower({
    follower: ask(shared, reading, group, group.side),
    authority: ask(shared, reading, group, otherSide(group.side)),
    judge: (answer) =>
      judgeFollower(
        {
          family,
          group: operationGroup,
          head: false,
          tokens: { layout, reign, showTerm: (term) => clientTerm(String(term), reign) },
        },
        answer,
      ),
    breaker: shared.breakerOf(state.slug),
    hedgeMs: shared.hedgeMs,
    timers: shared.timers,
    aborted: reading.request.aborted,
  });
};

type FromAuthority = { readonly group: Group; readonly side: Side; readonly answer?: AskedAnswer | undefined };

const authorityAnswer = async (shared: Shared, reading: MultiReading, from: FromAuthority): Promise<GroupAnswer> => {
  const raw = from.answer ?? (await ask(shared, reading, from.group, from.side)());
  return toAnswer(shared, reading, { ...from, raw, body: raw.body, termsDone: false });
};

type Answered = {
  readonly group: Group;
  readonly side: Side;
  readonly raw: AskedAnswer;
  readonly body: Buffer;
  readonly termsDone: boolean;
};

const toAnswer = (shared: Shared, reading: MultiReading, answered: Answered): GroupAnswer => {
  const { group, side, raw, body } = answered;
  const { family } = reading.plan.operation;
  const pretty = asksPretty(reading.request.head.query);
  const names: IndexNames = side === 'target' ? shared.namesOf(reading.table) : new Map();
  const found = raw.status === 200 && isJson(raw) ? parsedItems(family, body) : undefined;
  const origins = group.items.map((assigned) => itemOrigin(assigned, side));
  const reignOf = reignsOn(reading.table, { side, sameCluster: reading.sameCluster });
  const items = found?.items.map((item, i) => {
    const shown = answered.termsDone ? item : showTerms(item, shownTerm(origins[i] ?? unroutedOrigin, reignOf));
    const isPit = group.items[i]?.cursor !== undefined;
    const wrapped = isPit
      ? wrapMembers(shown, ['pit_id'], { origin: origins[i] ?? unroutedOrigin, mac: shared.mac })
      : shown;
    return renameIndices(wrapped, names);
  });
  const isUntouched = items === undefined || items.every((item, i) => item === found?.items[i]);
  const shown = (): SeenAnswer => {
    if (items === undefined) return { ...raw, body: isJson(raw) ? renamedOrSame(body, names) : body };
    return { ...raw, body: isUntouched ? body : renderMultiAnswer(family, items, { tookMs: found?.tookMs, pretty }) };
  };
  return { group, side, raw, items, tookMs: found?.tookMs, shown };
};

/** Where an item opens or continues what names its side, or asks for tokens of a later reign, only JSON can be made right. */
export const refuseFormatOf = ({ request }: MultiReading, { items, side }: Group): void => {
  for (const assigned of items) {
    const origin = itemOrigin(assigned, side);
    const cursor = assigned.cursor !== undefined && needsWrapping(origin);
    refuseOtherFormats({ cursor, asksTerms: assigned.facts.asksTokens && origin.reign !== 1 }, request.head);
  }
};

const unroutedOrigin: CursorOrigin = { side: 'source', reign: 1 };
const itemOrigin = ({ route, cursor, origin }: Assigned, side: Side): CursorOrigin =>
  cursor ?? (route === undefined ? (origin ?? unroutedOrigin) : originOf(side, route.state));

const parsedItems = (family: Parameters<typeof parseMultiAnswer>[0], body: Buffer) => {
  try {
    return parseMultiAnswer(family, body);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
};

const renamedOrSame = (body: Buffer, names: IndexNames): Buffer => {
  try {
    return renameIndices(body, names);
  } catch {
    return body;
  }
};

const groupWords = ({ plan, request, table, body, sameCluster }: MultiReading, { items }: Group): GroupWords => ({
  operation: plan.operation,
  head: { path: request.head.path, query: request.head.query },
  table,
  body,
  items,
  sameCluster,
});

/** The request for the sample of a group that is the whole request: its words, and not the exchange with the client. */
export const groupSample = (reading: MultiReading, group: Group): Pick<ServedRead, 'requestBody' | 'requestFor'> => ({
  requestBody: reading.plain.bytes,
  requestFor: inWordsOf(groupWords(reading, group)),
});

const inWordsOf =
  (words: GroupWords) =>
  (side: Side): SideRequest =>
    groupRequest(words, side);

/** Streams when the group is the whole request on the source and neither request nor answer changes. */
export const passGroup = (
  shared: Shared,
  reading: MultiReading,
  { group, sampling, state }: { group: Group; sampling: Sampling | undefined; state: RouteState | undefined },
): Promise<void> | undefined => {
  const { request, plain } = reading;
  if (group.side !== 'source' || group.followerOf !== undefined) return undefined;
  if (group.items.some((assigned) => needsWrapping(itemOrigin(assigned, 'source')))) return undefined;
  const wire = groupRequest(groupWords(reading, group), 'source');
  if (wire.body !== plain.bytes) return undefined;
  request.trace.side = 'source';
  const tee = sampling?.tee('source', () => groupSample(reading, group));
  return shared.deps.streams.pass(request, {
    side: 'source',
    target: wireTarget(wire),
    safeToRepeat: true,
    answerHeaders: sideHeaders(shared.deps, 'source', state),
    ...(tee === undefined ? {} : { tee }),
  });
};
