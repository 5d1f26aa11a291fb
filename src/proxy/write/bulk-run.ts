/**
 * The state of one bulk over its attempts: which positions have a result, whose copies are on their way, and the answer
 * made of it all. When one cluster answered everything at once, its bytes are the answer. Invariant: every ticket is given
 * back, after the copies of its items have settled, whatever happens.
 */
import { followerServesReads } from '../../coordination/effective.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { CrossfadeError, errorTable, isCrossfadeError } from '../../errors.ts';
import { prettyJson } from '../../json/pretty.ts';
import { applyEdits, textOf } from '../../json/scan.ts';
import { asksPretty } from './answer-form.ts';
import type { BodyPieces, UpstreamAnswer } from '../../upstream/types.ts';
import type { RoutedIndex } from '../types.ts';
import { acknowledge, mayHaveBeenApplied, metFence, recordUnknown, sendTo, stateNow } from './attempts.ts';
import {
  composeAnswer,
  failedItem,
  type ItemFailure,
  type ItemResult,
  itemEdits,
  parseBulkAnswer,
} from './bulk-answer.ts';
import { type Addressed, type BulkInput, type Division, type Group, writeGroup } from './bulk-groups.ts';
import { readMeta } from './bulk-request.ts';
import {
  type Answered,
  detachDocuments,
  errorOf,
  matchItems,
  type RouteWrites,
  resultOf,
  routeWrites,
  treatmentOf,
} from './bulk-results.ts';
import { settleCopies } from './copying.ts';
import { credentialsOf } from './credentials.ts';
import { type Fencing, mentionsFence } from './fence.ts';
import { isCopying, writeName } from './names.ts';
import { noteConflict } from './note-conflict.ts';
import type { Pipelines } from './pipelines.ts';
import type { WriteClient, WriteDeps } from './ports.ts';
import type { RequestBody } from './request-body.ts';
import { refreshOf } from './single-request.ts';

export type BulkContext = {
  readonly deps: WriteDeps;
  readonly pipelines: Pipelines;
  readonly client: WriteClient;
  readonly input: BulkInput;
  readonly body: RequestBody;
};
export type BulkAttempt = {
  readonly division: Division;
  readonly states: readonly RouteState[];
  /** Where the index in the path leads, when it is routed. */
  readonly defaultIndex: RoutedIndex | undefined;
  /** Gives the tickets back. */
  readonly end: () => void;
};
/** Positions that met the fence, with the state they were sent under. */
export type Fenced = ReadonlyMap<number, RouteState>;

type Reply = { readonly group: Group; readonly answer?: UpstreamAnswer; readonly error?: unknown };
type Judged = {
  readonly group: Group;
  readonly answer: UpstreamAnswer;
  readonly items: readonly Answered[];
  readonly pipelineRan: boolean;
};

/** An update answers with its document, so the answer may be larger than any request. */
const answerLimitFactor = 4;
/** Smaller bodies are joined: one write to the connection is worth more than the memory. */
const joinBytes = 256 * 1024;

const bodyOf = (pieces: readonly Buffer[]): Uint8Array | BodyPieces => {
  const [only] = pieces;
  if (only !== undefined && pieces.length === 1) return only;
  const byteLength = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return byteLength <= joinBytes ? Buffer.concat(pieces, byteLength) : { byteLength, pieces: () => pieces };
};

export class BulkRun {
  readonly #context: BulkContext;
  readonly #results: (ItemResult | undefined)[];
  readonly #states = new Set<RouteState>();
  readonly #acknowledged: Promise<unknown>[] = [];
  #whole: UpstreamAnswer | undefined;
  /** Of a request as a whole; a single cluster would have refused all actions with it. */
  #refusal: UpstreamAnswer | undefined;
  /** Something was carried out, or may have been. */
  #carriedOut = false;
  #headers: UpstreamAnswer['headers'] = { 'content-type': 'application/json; charset=UTF-8' };
  #tookMs = 0;
  #ingestTookMs: number | undefined;

  constructor(context: BulkContext, count: number) {
    this.#context = context;
    this.#results = new Array<ItemResult | undefined>(count).fill(undefined);
  }

  get states(): RouteState[] {
    return [...this.#states];
  }

  /** @throws what the only cluster concerned failed with */
  async attempt({ division, states, defaultIndex, end }: BulkAttempt): Promise<Fenced> {
    for (const state of states) this.#states.add(state);
    for (const { entry, refusal } of division.refused)
      this.#fail([entry], { status: refusal.status, error: JSON.stringify(refusal.error) });
    const replies = await Promise.all(division.groups.map((group) => this.#send(group, defaultIndex)));
    const fenced = new Map<number, RouteState>();
    const settling: Promise<unknown>[] = [];
    try {
      for (const reply of replies) settling.push(...(await this.#take(reply, fenced)));
    } finally {
      const settled = Promise.allSettled(settling).then(end);
      for (const state of states) this.#acknowledged.push(acknowledge(this.#context.deps, state, settled));
    }
    return fenced;
  }

  /** The rest may not be begun any more. @throws the error itself while nothing has a result yet */
  giveUpAll(open: readonly Addressed[], error: unknown): undefined {
    if (open.length === this.#results.length) throw error;
    this.#fail(open, failureOf(error));
  }

  /** Fills in what can wait no longer and returns the rest. @throws CrossfadeError FENCED when nothing was applied at all */
  giveUp(
    open: readonly Addressed[],
    { fenced, stuck }: { fenced: Fenced; stuck: ReadonlySet<RouteState> },
  ): readonly Addressed[] {
    const isStuck = ({ position }: Addressed) => stuck.has(fenced.get(position) as RouteState);
    const lost = open.filter(isStuck);
    if (lost.length === this.#results.length) throw new CrossfadeError('FENCED');
    this.#fail(lost, failureOf(new CrossfadeError('FENCED')));
    return open.filter((entry) => !isStuck(entry));
  }

  async acknowledged(): Promise<void> {
    await Promise.all(this.#acknowledged);
  }

  answer(): UpstreamAnswer {
    if (this.#whole !== undefined) return this.#whole;
    if (this.#refusal !== undefined && !this.#carriedOut) return this.#refusal;
    const results = this.#results.filter((result) => result !== undefined);
    const body = composeAnswer(results, { tookMs: this.#tookMs, ingestTookMs: this.#ingestTookMs });
    const isPretty = asksPretty(this.#context.client.head.query);
    return { status: 200, headers: this.#headers, body: isPretty ? prettyJson(body) : body };
  }

  #fail(entries: readonly Addressed[], failure: ItemFailure): void {
    const { body } = this.#context.input;
    for (const { position, action, name } of entries) {
      const id = textOf(body, readMeta(body, action).slices._id);
      this.#results[position] = failedItem({ op: action.op, index: name, id }, failure);
    }
  }

  async #send(group: Group, defaultIndex: RoutedIndex | undefined): Promise<Reply> {
    const { deps, client, input, body } = this.#context;
    const { path, pieces } = writeGroup(input, group, defaultIndex);
    const maxBodyBytes = deps.limits.maxBodyBytes * answerLimitFactor;
    const request = { method: client.head.method, path, headers: body.headers, body: bodyOf(pieces), maxBodyBytes };
    try {
      return { group, answer: await sendTo(deps, client, { side: group.side, request }) };
    } catch (error) {
      return { group, error };
    }
  }

  #isAll = (group: Group): boolean => group.entries.length === this.#results.length;

  /** Takes one cluster's reply in; returns what is still to settle. */
  async #take({ group, answer, error }: Reply, fenced: Map<number, RouteState>): Promise<Promise<unknown>[]> {
    if (answer === undefined) this.#takeError(group, error);
    else if (answer.status !== 200) this.#takeRefusal(group, answer, fenced);
    else {
      const judged = this.#judge(group, answer);
      if (judged !== undefined) return this.#takeItems(judged, fenced);
    }
    return [];
  }

  #takeError(group: Group, error: unknown): void {
    if (mayHaveBeenApplied(error)) this.#recordUnknown(group);
    if (this.#isAll(group)) throw error;
    this.#carriedOut = true;
    this.#fail(group.entries, failureOf(error));
  }

  #recordUnknown({ entries }: Group): void {
    const routed = entries.flatMap((entry) => entry.routed ?? []);
    for (const [state, writes] of Map.groupBy(routed, ({ index }) => index.state))
      recordUnknown(
        this.#context.deps,
        state,
        writes.some((write) => write.mayDelete),
      );
  }

  #takeRefusal(group: Group, answer: UpstreamAnswer, fenced: Map<number, RouteState>): void {
    if (answer.status === 403 && mentionsFence(answer.body)) {
      for (const { position, routed } of group.entries) if (routed) fenced.set(position, routed.index.state);
      return;
    }
    if (answer.status >= 500) this.#recordUnknown(group);
    this.#refusal ??= answer;
    if (this.#isAll(group)) this.#whole = answer;
    else this.#fail(group.entries, { status: answer.status, error: errorOf(answer.body) });
  }

  /** undefined when the answer cannot be read: it then is the client's as it stands. */
  #judge(group: Group, answer: UpstreamAnswer): Judged | undefined {
    try {
      const parsed = parseBulkAnswer(answer.body);
      const items = matchItems(answer.body, group, parsed);
      this.#tookMs += parsed.tookMs;
      if (parsed.ingestTookMs !== undefined) this.#ingestTookMs = (this.#ingestTookMs ?? 0) + parsed.ingestTookMs;
      return { group, answer, items, pipelineRan: parsed.ingestTookMs !== undefined };
    } catch {
      this.#carriedOut = true;
      this.#recordUnknown(group);
      this.#markUnparsable(group);
      if (this.#isAll(group)) this.#whole = answer;
      else this.#fail(group.entries, failureOf(new CrossfadeError('UPSTREAM_INVALID')));
      return undefined;
    }
  }

  #markUnparsable({ entries }: Group): void {
    const slugs = new Set(
      entries.flatMap(({ routed }) => (routed && isCopying(routed.index.state) ? routed.index.state.slug : [])),
    );
    for (const slug of slugs) this.#context.deps.copies.sweepNeeded(slug, 'unparsable_answer');
  }

  async #takeItems(
    { group, answer, items, pipelineRan }: Judged,
    fenced: Map<number, RouteState>,
  ): Promise<Promise<unknown>[]> {
    const { input } = this.#context;
    const applied = await this.#withoutFenced(items, fenced);
    if (pipelineRan) this.#notePipeline(items);
    this.#noteConflicts(applied);
    const settling = routeWrites(input, applied, { body: answer.body, pipelineRan }).map((writes) =>
      this.#settle(writes),
    );
    this.#headers = answer.headers;
    this.#carriedOut ||= applied.length > 0;
    if (this.#isAll(group) && applied.length === items.length) this.#whole = editWhole(answer, items);
    else for (const one of applied) this.#results[one.entry.position] = resultOf(answer.body, one);
    return settling;
  }

  /** Single writes cannot see a pipeline run; a bulk can, and tells them when it can only be the index's own. */
  #notePipeline(items: readonly Answered[]): void {
    const { pipelines, input, body } = this.#context;
    const routed = items.map(({ entry }) => entry.routed);
    const index = routed[0]?.index;
    if (index === undefined || input.defaults.pipeline !== undefined) return;
    const { state, ordinal } = index;
    const isOwn = routed.every(
      (one) => one?.index.state === state && one.index.ordinal === ordinal && one.meta.slices.pipeline === undefined,
    );
    if (isOwn) pipelines.seen({ state, ordinal, headers: credentialsOf(body.headers) });
  }

  #noteConflicts(answered: readonly Answered[]): void {
    for (const { entry, item } of answered) {
      const { routed, action } = entry;
      if (routed === undefined) continue;
      const { status, id } = item.facts;
      noteConflict(this.#context.deps, routed.index, { op: action.op, status, id, routing: routed.routing });
    }
  }

  /** Moves items that were refused by the fence, and surely not applied, to `fenced`. */
  async #withoutFenced(items: readonly Answered[], fenced: Map<number, RouteState>): Promise<readonly Answered[]> {
    if (items.every((item) => item.fencing === 'no')) return items;
    const asked = new Map<string, Promise<boolean>>();
    const kept: Answered[] = [];
    for (const one of items) {
      const index = one.entry.routed?.index;
      if (index !== undefined && (await this.#metFence(one.fencing, index, asked)))
        fenced.set(one.entry.position, index.state);
      else kept.push(one);
    }
    return kept;
  }

  /** `asked`: each question is put once for all items. */
  #metFence(verdict: Fencing, { state, ordinal }: RoutedIndex, asked: Map<string, Promise<boolean>>): Promise<boolean> {
    const { deps, body } = this.#context;
    const alias = writeName(state, ordinal);
    const key = `${verdict} ${alias}`;
    const answer = asked.get(key) ?? metFence(deps, { verdict, state, alias, headers: credentialsOf(body.headers) });
    asked.set(key, answer);
    return answer;
  }

  #settle({ state, writes, unknown, unknownMayDelete }: RouteWrites): Promise<unknown> {
    const { deps, input, body } = this.#context;
    if (unknown > 0) recordUnknown(deps, state, unknownMayDelete);
    return settleCopies(deps, {
      state,
      writes: detachDocuments(writes, input.body),
      refresh: followerServesReads(stateNow(deps, state)) ? refreshOf(input.head.query) : undefined,
      headers: credentialsOf(body.headers),
    });
  }
}

const editWhole = (answer: UpstreamAnswer, items: readonly Answered[]): UpstreamAnswer => {
  const edits = items.flatMap(({ entry, item }) => itemEdits(answer.body, item, treatmentOf(entry)));
  return edits.length === 0 ? answer : { ...answer, body: applyEdits(answer.body, edits) };
};

const failureOf = (error: unknown): ItemFailure => {
  const known = isCrossfadeError(error) ? error : new CrossfadeError('INTERNAL', undefined, { cause: error });
  const { status, type } = errorTable[known.code];
  return { status, error: JSON.stringify({ type, reason: known.message }) };
};
