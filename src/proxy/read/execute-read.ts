/**
 * Carries out a read of one route: draws a shadow sample, chooses the side, asks the follower or the authority, and gives
 * the answer back in the client's own names. The body is read only when something in it can matter: for the follower, for
 * rewriting, or for a sample; a read that stays at the source is streamed.
 */
import { effectivePercents } from '../../coordination/effective.ts';
import { authorityIn, otherSide, type Side } from '../../coordination/records.ts';
import type { ClientRequest } from '../client-request.ts';
import { getParam } from '../query.ts';
import type { SideRequest } from '../shadow/ports.ts';
import type { Plan, RouteTable } from '../types.ts';
import { clientTerm } from '../write/tokens.ts';
import { type AnswerContext, answerNeeds, editAnswer, originOf } from './answer-edits.ts';
import { askFollower, type FollowerOutcome } from './ask-follower.ts';
import { noBodyFacts } from './body-names.ts';
import { type ChoiceReason, chooseSide, type PinReason, type SideChoice } from './choose-side.ts';
import { deliver, sideHeaders } from './deliver.ts';
import { askSide } from './forward.ts';
import { judgeFollower } from './judge-follower.ts';
import { bodyTrouble, hasMoved } from './body-words.ts';
import { sideRequest, type WholeRead, wireTarget } from './outgoing.ts';
import { type ReadBody, readBody } from './read-body.ts';
import type { AskedAnswer } from './ports.ts';
import { bodyPin, headPin, isRealtime, needsRefresh } from './request-pins.ts';
import { type Sampling, startSampling } from './sampling.ts';
import type { Shared } from './shared.ts';
import { aliasRouting } from './side-names.ts';
import { stickyKey } from './sticky-key.ts';

type ReadPlan = Extract<Plan, { kind: 'read' }>;
type Reading = {
  readonly request: ClientRequest;
  readonly plan: ReadPlan;
  readonly table: RouteTable;
  readonly authority: Side;
  readonly sampling: Sampling;
  readonly sameCluster: boolean;
};

export const createReadExecutor =
  (shared: Shared) =>
  async (request: ClientRequest, plan: ReadPlan): Promise<void> => {
    const reading: Reading = {
      request,
      plan,
      table: shared.deps.table(),
      authority: authorityIn(plan.state.phase.phase),
      sampling: startSampling(shared, request, plan),
      sameCluster: shared.deps.sameCluster === true,
    };
    request.trace.routeSlug = plan.state.slug;
    try {
      const choice = chooseFor(shared, reading);
      if (choice.side === reading.authority) return await serveAuthority(shared, reading, { reason: choice.reason });
      await serveFollower(shared, reading, choice.reason);
    } catch (error) {
      reading.sampling.failed();
      throw error;
    }
  };

const pinOf = ({ deps, refreshes }: Shared, { request, plan }: Reading): PinReason | undefined =>
  headPin(plan.operation, request.head, plan.state) ??
  (isCopyPending(deps, request, plan) ? 'pending_copy' : undefined) ??
  (needsRefresh(plan.operation.family) && refreshes.has(plan.indices) ? 'not_refreshed' : undefined);

/** A document whose copy is on its way is not yet on the follower as the client last saw it. */
const isCopyPending = (
  { copies }: Pick<Shared['deps'], 'copies'>,
  { head }: ClientRequest,
  { operation, state, indices }: ReadPlan,
): boolean => {
  const { id } = operation.params;
  const index = indices[0];
  if (!isRealtime(operation.family) || id === undefined || index === undefined) return false;
  const routing = getParam(head.query, 'routing') ?? index.aliasRouting;
  return copies.isPending({ slug: state.slug, ordinal: index.ordinal, id, routing });
};

const chooseFor = (shared: Shared, reading: Reading): SideChoice => {
  const { request, plan, authority } = reading;
  const followerPercent = effectivePercents(plan.state).read;
  // The common case costs nothing more than this.
  if (followerPercent <= 0) return { side: authority, reason: 'single_side' };
  return chooseSide({
    state: plan.state,
    followerPercent,
    followerIsFilled: shared.followerIsFilled(plan.state),
    key: stickyKey(plan.state.spec.reads, request.head, shared.callerOf(request)),
    principal: request.principal,
    pin: pinOf(shared, reading),
    random: shared.deps.random(),
  });
};

const serveFollower = async (shared: Shared, reading: Reading, reason: ChoiceReason): Promise<void> => {
  const { plan, request, table } = reading;
  const body = await readBody(request, shared.deps.limits.maxBodyBytes);
  const pin = bodyPin({ table, state: plan.state, indices: plan.indices, facts: body.facts });
  if (pin !== undefined) return serveAuthority(shared, reading, { reason: pin, body });
  if (!shared.breakerOf(plan.state.slug).admit())
    return serveAuthority(shared, reading, { reason: 'breaker_open', body });
  const outcome = await questionFollower(shared, reading, body);
  if (outcome.kind === 'follower') return deliverFollower(shared, reading, { outcome, body, reason });
  shared.emit({ kind: 'fallback', slug: plan.state.slug, family: plan.operation.family, cause: outcome.cause });
  await serveAuthority(shared, reading, { reason: 'fallback', body, answer: outcome.answer });
};

const questionFollower = (shared: Shared, reading: Reading, body: ReadBody): Promise<FollowerOutcome> => {
  const { plan, request, authority } = reading;
  const { phase } = plan.state;
  const ask = (side: Side) => (signal: AbortSignal) => {
    const wire = requestFor(reading, body, side);
    return askSide(shared.deps, request, { side, target: wireTarget(wire), body: wire.body, signal });
  };
  return askFollower({
    follower: ask(otherSide(authority)),
    authority: ask(authority),
    judge: (answer) =>
      judgeFollower(
        {
          family: plan.operation.family,
          group: plan.operation.group,
          head: request.head.method === 'HEAD',
          tokens: {
            layout: phase.layout,
            reign: phase.reign,
            showTerm: (term) => clientTerm(String(term), phase.reign),
          },
        },
        answer,
      ),
    breaker: shared.breakerOf(plan.state.slug),
    hedgeMs: shared.hedgeMs,
    timers: shared.timers,
    aborted: request.aborted,
  });
};

const wholeRead = (reading: Reading, { plain, facts }: ReadBody): WholeRead => ({
  ...addressed(reading),
  facts: facts ?? noBodyFacts,
  body: plain.bytes.length === 0 ? undefined : plain.bytes,
});

/** The read in the words of a side. */
const requestFor = (reading: Reading, body: ReadBody, side: Side): SideRequest =>
  sideRequest(wholeRead(reading, body), side);

type FollowerServed = {
  readonly outcome: Extract<FollowerOutcome, { kind: 'follower' }>;
  readonly body: ReadBody;
  readonly reason: ChoiceReason;
};

const deliverFollower = (shared: Shared, reading: Reading, { outcome, body, reason }: FollowerServed): void => {
  const { request, plan, authority, sampling } = reading;
  const side = otherSide(authority);
  const context = contextOf(shared, reading, side);
  const needs = answerNeeds(context, { ...request.head, asksTokens: false });
  request.trace.side = side;
  choseSide(shared, reading, { side, reason });
  deliver(request, {
    ...outcome.answer,
    // The judge has put the authority's tokens in already.
    body: editAnswer(outcome.answer, { ...context, mac: shared.mac }, { ...needs, terms: false }),
    extra: sideHeaders(shared.deps, side, plan.state),
  });
  sampling.served({ side, answer: { ...outcome.answer, body: outcome.raw }, ...sampleRequest(reading, body) });
};

const choseSide = ({ emit }: Shared, { plan }: Reading, { side, reason }: SideChoice): void =>
  emit({ kind: 'chosen', slug: plan.state.slug, family: plan.operation.family, side, reason });

const contextOf = (shared: Shared, { plan, table }: Reading, side: Side): Omit<AnswerContext, 'mac'> => ({
  family: plan.operation.family,
  group: plan.operation.group,
  origin: originOf(side, plan.state),
  names: side === 'target' ? shared.namesOf(table) : noNames,
});
const noNames: ReadonlyMap<string, string> = new Map();

type AuthorityServed = {
  readonly reason: ChoiceReason;
  readonly body?: ReadBody;
  readonly answer?: AskedAnswer | undefined;
};

const serveAuthority = async (shared: Shared, reading: Reading, served: AuthorityServed): Promise<void> => {
  const { request, plan, table, authority: side, sampling } = reading;
  choseSide(shared, reading, { side, reason: served.reason });
  const looks = served.body !== undefined || sampling.drawn || mustLook(reading);
  const body = served.body ?? (looks ? await readBody(request, shared.deps.limits.maxBodyBytes) : undefined);
  const { facts, hidesNames = false } = body ?? {};
  const { sameCluster } = reading;
  const states = [plan.state];
  const trouble = bodyTrouble({ table, side, sameCluster, facts, hidesNames, states, query: request.head.query });
  if (trouble) throw trouble;
  const wire =
    body === undefined
      ? sideRequest({ ...addressed(reading), facts: noBodyFacts, body: undefined }, side)
      : requestFor(reading, body, side);
  const context = contextOf(shared, reading, side);
  await shared.forward(request, {
    side,
    state: plan.state,
    target: wireTarget(wire),
    body: wire.body === body?.plain.bytes ? undefined : wire.body,
    context,
    needs: answerNeeds(context, {
      ...request.head,
      asksTokens: body?.asksTokens,
    }),
    safeToRepeat: true,
    answer: served.answer,
    tee: sampling.tee(side, () => sampleRequest(reading, body)),
  });
};

/** Names inside a body matter once something has moved; tokens asked for in it matter once there was a switch. */
const mustLook = ({ plan, table }: Reading): boolean => plan.state.phase.reign > 1 || hasMoved(table);

const addressed = ({ request, plan, table, sameCluster }: Reading) => ({
  sameCluster,
  operation: plan.operation,
  head: request.head,
  indices: plan.indices,
  table,
});

/** Samples wait in memory, so what is kept of the read is its words, and not the exchange with the client. */
const sampleRequest = (reading: Reading, body: ReadBody | undefined) => {
  const canBeSaid = body?.facts !== undefined && aliasRouting(reading.plan.indices).kind !== 'mixed';
  return {
    requestBody: body?.plain.bytes,
    requestFor: canBeSaid ? inWordsOf(wholeRead(reading, body)) : () => undefined,
  };
};

const inWordsOf =
  (read: WholeRead) =>
  (side: Side): SideRequest =>
    sideRequest(read, side);
