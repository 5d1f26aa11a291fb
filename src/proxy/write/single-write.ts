/**
 * Carries out index, create, update and delete of one document: prepared by single-request.ts, sent to the authority
 * through the epoch alias, copied to the follower from what the authority stored, answered as the authority answered.
 */
import { followerServesReads } from '../../coordination/effective.ts';
import type { Ticket } from '../../coordination/ports.ts';
import { CrossfadeError } from '../../errors.ts';
import { skipSpace } from '../../json/scan.ts';
import type { UpstreamAnswer } from '../../upstream/types.ts';
import type { Plan, RoutedIndex } from '../types.ts';
import { showSingle } from './answer-client.ts';
import { asItCame } from './answer-form.ts';
import { readFacts, updatedSource, type WriteFacts } from './answer-facts.ts';
import {
  acknowledge,
  admit,
  awaitReplay,
  metFence,
  mayHaveBeenApplied,
  recordUnknown,
  replayBudgetMs,
  sendTo,
  stateNow,
} from './attempts.ts';
import { awaitTail } from './await-tail.ts';
import { type AppliedWrite, type CopyBatch, settleCopies } from './copying.ts';
import { credentialsOf } from './credentials.ts';
import { fencing } from './fence.ts';
import { authorityOf, isAliasName, isCopying, pathWithQuery, resolveWrite } from './names.ts';
import { noteConflict } from './note-conflict.ts';
import type { Pipelines, WrittenIndex } from './pipelines.ts';
import type { WriteClient, WriteDeps } from './ports.ts';
import { postImage, type WriteOp } from './post-image.ts';
import { isUnsupported, isVersionMismatch, noWriteIndex, type Refusal, refusalBody } from './refusals.ts';
import { readRequestBody } from './request-body.ts';
import { type PreparedWrite, prepareSingle, type SingleWrite } from './single-request.ts';

type WritePlan = Extract<Plan, { kind: 'write' }>;
type Tools = { readonly deps: WriteDeps; readonly pipelines: Pipelines };

export const createSingleWrite =
  (tools: Tools) =>
  async (client: WriteClient, plan: WritePlan): Promise<void> => {
    const { deps } = tools;
    const date = deps.date?.() ?? new Date();
    const { operation, index } = plan;
    const name = operation.params['index'] ?? '';
    const body = await readRequestBody(client, deps.limits.maxBodyBytes);
    const addressesAlias = isAliasName(index.state, name, date);
    const write: SingleWrite = { op: opOf(operation.family), operation, head: client.head, body, name, addressesAlias };
    let deadlineMs: number | undefined;
    for (;;) {
      const ticket = await admit(deps, client, { slug: index.state.slug, kind: 'write' });
      const target = resolveWrite(deps.table(), name, date);
      const attempt: Attempt = { ...tools, client, write, ticket };
      if (target.kind === 'ambiguous') return refuse(attempt, noWriteIndex(name));
      if (target.kind === 'unrouted' || ticket.state.phase.phase === 'off') return passOn(attempt);
      if (target.index.state.slug !== ticket.state.slug) throw movedAway(ticket);
      const outcome = await runAttempt(attempt, { ...target.index, state: ticket.state });
      if (outcome === 'done') return;
      deadlineMs ??= deps.now() + replayBudgetMs(ticket.state);
      await awaitReplay(deps, ticket.state, deadlineMs);
    }
  };

type Attempt = Tools & { readonly client: WriteClient; readonly write: SingleWrite; readonly ticket: Ticket };

const opOf = (family: string): WriteOp => {
  if (family === 'index' || family === 'create' || family === 'update' || family === 'delete') return family;
  throw new CrossfadeError('INTERNAL', `${family} is no write of one document`);
};

/** The name changed routes while the write was held: the client may simply send it again. */
const movedAway = (ticket: Ticket): CrossfadeError => {
  ticket.done();
  return new CrossfadeError('NOT_READY', 'The route of this index changed while the write was waiting.');
};

const refuse = ({ client, ticket, deps }: Attempt, refusal: Refusal): void => {
  ticket.done();
  if (isUnsupported(refusal)) {
    if (isVersionMismatch(refusal)) deps.onEvent?.({ kind: 'version_mode_mismatch', slug: ticket.state.slug });
    throw new CrossfadeError('UNSUPPORTED', String(refusal.error['reason']));
  }
  client.respond({ status: refusal.status, headers: jsonHeaders, body: refusalBody(refusal) });
};
const jsonHeaders = { 'content-type': 'application/json; charset=UTF-8' };

/** The route went off while the write waited: the source takes it under its own name, as all traffic in `off`. */
const passOn = async ({ deps, client, write, ticket }: Attempt): Promise<void> => {
  try {
    const { head, body } = write;
    const request = { method: head.method, path: pathWithQuery(head), headers: body.headers, body: bodyOf(body.bytes) };
    const answer = await sendTo(deps, client, { side: 'source', request });
    client.respond(showSingle(answer, ticket.state, { stripGet: false, form: asItCame, name: write.name }));
  } finally {
    ticket.done();
  }
};

const bodyOf = (bytes: Buffer): Buffer | undefined => (bytes.length === 0 ? undefined : bytes);

const runAttempt = async (attempt: Attempt, index: RoutedIndex): Promise<'done' | 'fenced'> => {
  const { ticket, deps, client } = attempt;
  const { state } = ticket;
  const prepared = prepareSingle(attempt.write, index);
  if ('error' in prepared) {
    refuse(attempt, prepared);
    return 'done';
  }
  const sentMs = deps.now();
  const answer = await send(attempt, prepared);
  const tookMs = deps.now() - sentMs;
  if (await isFenced(attempt, answer, prepared.alias)) {
    ticket.done();
    return 'fenced';
  }
  const { op, operation } = attempt.write;
  noteConflict(deps, index, { op, status: answer.status, id: operation.params['id'], routing: prepared.routing });
  const settled = settle(attempt, { index, prepared, answer }).finally(() => ticket.done());
  await acknowledge(deps, state, settled);
  if (!prepared.readable && answer.status < 300) await awaitTail(deps, { client, state, tookMs });
  const { askedSource: stripGet, form } = prepared;
  client.respond(showSingle(answer, state, { stripGet, form, name: attempt.write.name }));
  return 'done';
};

const send = async ({ deps, client, write, ticket }: Attempt, prepared: PreparedWrite): Promise<UpstreamAnswer> => {
  const { path, body } = prepared;
  const request = { method: write.head.method, path, headers: write.body.headers, body: bodyOf(body) };
  try {
    return await sendTo(deps, client, { side: authorityOf(ticket.state), request });
  } catch (error) {
    if (mayHaveBeenApplied(error)) recordUnknown(deps, ticket.state, prepared.mayDelete);
    ticket.done();
    throw error;
  }
};

const isFenced = async (
  { deps, ticket, write }: Attempt,
  { status, body }: UpstreamAnswer,
  alias: string,
): Promise<boolean> => {
  const verdict = fencing(status, body, alias);
  return metFence(deps, { verdict, state: ticket.state, alias, headers: credentialsOf(write.body.headers) });
};

type Answered = { index: RoutedIndex; prepared: PreparedWrite; answer: UpstreamAnswer };

/**
 * A copy may wait for minutes while the follower is away, so nothing that lives until its fate is known may hold the
 * client's request: no frame of an async function here has `attempt` in it, and closures take what they need.
 */
const settle = (attempt: Attempt, answered: Answered): Promise<unknown> => {
  const { deps, ticket, write } = attempt;
  const { state } = ticket;
  if (!isCopying(state)) return Promise.resolve();
  const refresh = followerServesReads(stateNow(deps, state)) ? answered.prepared.refresh : undefined;
  const copyIt = copyingFor(deps, { state, refresh, headers: credentialsOf(write.body.headers) });
  const reading = readApplied(attempt, answered);
  return reading instanceof Promise ? reading.then(copyIt) : copyIt(reading);
};

const copyingFor =
  (deps: WriteDeps, common: Omit<CopyBatch, 'writes'>) =>
  (applied: AppliedWrite | undefined): Promise<unknown> =>
    applied === undefined ? Promise.resolve() : settleCopies(deps, { ...common, writes: [applied] });

/** Synchronous up to the offer when the pipelines are known, so that the copy is pending before the client is answered. */
const readApplied = (
  attempt: Attempt,
  answered: Answered,
): AppliedWrite | undefined | Promise<AppliedWrite | undefined> => {
  const { pipelines, write, ticket } = attempt;
  const { index, prepared } = answered;
  const sure = prepared.document === undefined && !prepared.askedSource;
  if (sure || answered.answer.status >= 300) return appliedOf(attempt, answered, false);
  if (prepared.pipeline !== undefined && prepared.pipeline !== '_none') return appliedOf(attempt, answered, true);
  const written = { state: ticket.state, ordinal: index.ordinal, headers: credentialsOf(write.body.headers) };
  const known = pipelines.known(written);
  if (known !== undefined) return noted(pipelines, written, appliedOf(attempt, answered, known));
  return pipelines.find(written).then(({ pipeline, mayBeOld }) => {
    const applied = appliedOf(attempt, answered, pipeline);
    return mayBeOld ? noted(pipelines, written, applied) : applied;
  });
};

/** What is known may be outdated, and then the copy is not what was stored. */
const noted = (
  pipelines: Pipelines,
  written: WrittenIndex,
  applied: AppliedWrite | undefined,
): AppliedWrite | undefined => {
  if (applied?.image.kind !== 'index') return applied;
  // The key alone: the content keeps a client's whole body alive.
  const { ordinal, id, routing } = applied;
  pipelines.sentAsWritten(written, { slug: written.state.slug, ordinal, id, routing });
  return applied;
};

const factsOf = ({ body }: UpstreamAnswer): WriteFacts | undefined => {
  try {
    return readFacts(body, skipSpace(body, 0));
  } catch {
    return undefined;
  }
};

const appliedOf = (attempt: Attempt, answered: Answered, pipeline: boolean): AppliedWrite | undefined => {
  const { index, prepared, answer } = answered;
  const facts = factsOf(answer);
  const image = postImage({
    op: attempt.write.op,
    status: answer.status,
    result: facts?.result,
    errorType: facts?.errorType,
    document: prepared.document,
    updated: facts !== undefined && prepared.askedSource ? updatedSource(answer.body, facts) : undefined,
    pipeline,
  });
  if (image.kind === 'none') return undefined;
  const { id, seq, term, version } = facts ?? {};
  if (image.kind !== 'unknown' && id !== undefined) {
    const { routing } = prepared;
    return { ordinal: index.ordinal, id, routing, position: { seq, term, version }, image };
  }
  leaveUnread(attempt, answered);
  return undefined;
};

/**
 * An answer that is not JSON tells neither the write's number nor whether there was one. What reading back shows may be on
 * the primary alone, and counted as this write it could stand for one that was lost; so the tail brings it.
 */
const leaveUnread = ({ deps, ticket }: Attempt, { index, prepared, answer }: Answered): void => {
  const { slug, phase } = ticket.state;
  if (answer.status < 500) deps.copies.leftToTail(slug, { reign: phase.reign, ordinal: index.ordinal, writes: 1 });
  recordUnknown(deps, ticket.state, prepared.mayDelete);
};
