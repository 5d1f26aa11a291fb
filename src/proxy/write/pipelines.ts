/**
 * Knows whether an index of the authority has a default or final ingest pipeline: then the document stored is not the
 * document sent. Asked once per index and phase and again after a while; when it cannot be found out, a pipeline is
 * assumed, because reading a document back is always right and only slower. Documents copied as sent on the word of an
 * answer that proves outdated are copied anew. Invariant: of each of them the authority under which it was written is
 * asked once more, soon, and before this member reports that phase drained.
 */
import type { Admission, DocKey, RouteState } from '../../coordination/ports.ts';
import { eachMember, rawOf } from '../../json/scan.ts';
import type { Transports } from '../../upstream/types.ts';
import { authorityOf, concreteName } from './names.ts';
import type { WriteEvent } from './ports.ts';
import { type IndexAt, indexKey, SentAsWritten } from './sent-as-written.ts';

/** One small question to the cluster for each index in this time. */
const cacheMs = 1000;
/** A phase may wait for the answer. */
const timeoutMs = 5000;
/** So often in a row without the answer that there is none, the documents are copied anew on suspicion. */
const maxQuestions = 10;

export type PipelineOptions = {
  readonly transports: Transports;
  readonly now: () => number;
  readonly admission: Pick<Admission, 'awaitNewer' | 'drainAfter'>;
  readonly onEvent?: (event: WriteEvent) => void;
  /** The copies of these documents may carry another content than the authority stored. Resolves to whether they do no more. */
  readonly copyAnew: (state: RouteState, docs: readonly DocKey[]) => Promise<boolean>;
};
/** `headers`: credentials of a client that wrote to it. */
export type WrittenIndex = IndexAt & { readonly headers: Record<string, string | string[]> };
/** `told`: what the cluster last said itself. */
type Known = {
  readonly phaseRevision: number;
  readonly pipeline: boolean;
  readonly told: boolean | undefined;
  readonly untilMs: number;
};
/** `mayBeOld`: the question was put before the caller's write was answered. */
export type Found = { readonly pipeline: boolean; readonly mayBeOld: boolean };

export interface Pipelines {
  /** The answer at once when it is known and fresh. */
  known(index: IndexAt): boolean | undefined;
  /** Never throws. */
  find(index: WrittenIndex): Promise<Found>;
  /** An answer showed that a pipeline ran. */
  seen(index: WrittenIndex): void;
  /** A document is copied as it was sent, on the word of an answer that may be old. */
  sentAsWritten(index: WrittenIndex, doc: DocKey): void;
}

class AskedPipelines implements Pipelines {
  readonly #options: PipelineOptions;
  readonly #cache = new Map<string, Known>();
  readonly #asking = new Map<string, Promise<boolean>>();
  readonly #sent = new SentAsWritten();
  readonly #watched = new Set<string>();

  constructor(options: PipelineOptions) {
    this.#options = options;
  }

  known({ state, ordinal }: IndexAt): boolean | undefined {
    const entry = this.#cache.get(`${state.slug} ${ordinal}`);
    const isFresh = entry?.phaseRevision === state.phaseRevision && entry.untilMs > this.#options.now();
    return isFresh ? entry.pipeline : undefined;
  }

  find(index: WrittenIndex): Promise<Found> {
    const key = indexKey(index);
    const running = this.#asking.get(key);
    if (running !== undefined) return running.then((pipeline) => ({ pipeline, mayBeOld: true }));
    const own = this.#ask(index)
      .then(({ pipeline }) => pipeline)
      .finally(() => this.#asking.delete(key));
    this.#asking.set(key, own);
    return own.then((pipeline) => ({ pipeline, mayBeOld: false }));
  }

  seen(index: WrittenIndex): void {
    void this.#settle(index, this.#sent.take(index), true);
  }

  sentAsWritten(index: WrittenIndex, doc: DocKey): void {
    this.#note(index, [doc]);
  }

  #note(index: WrittenIndex, docs: readonly DocKey[]): void {
    this.#sent.note(index, docs);
    const key = indexKey(index);
    if (this.#watched.has(key)) return;
    this.#watched.add(key);
    const watching = this.#watch(index).finally(() => {
      this.#watched.delete(key);
      if (this.#sent.has(index)) this.#note(index, []);
    });
    this.#options.admission.drainAfter(index.state, watching);
  }

  /** Asks until nothing is noted any more, and at once when the phase is over. */
  async #watch(index: WrittenIndex): Promise<void> {
    const { admission, copyAnew } = this.#options;
    const { slug, phaseRevision } = index.state;
    let isOver = false;
    for (let inVain = 0; !isOver && inVain < maxQuestions && this.#sent.has(index);) {
      isOver = await admission.awaitNewer(slug, phaseRevision, cacheMs);
      if (!this.#sent.has(index)) break;
      const { pipeline, settled } = await this.#ask(index);
      inVain = pipeline ? inVain + 1 : 0;
      await settled;
    }
    const left = this.#sent.take(index);
    if (left.length > 0) await copyAnew(index.state, left);
  }

  /** `settled`: what was noted before the question is dealt with. */
  async #ask(index: WrittenIndex): Promise<{ pipeline: boolean; settled: Promise<void> }> {
    const before = this.#sent.take(index);
    const pipeline = await askSettings(this.#options.transports, index);
    const outdated = pipeline === true ? [...before, ...this.#sent.take(index)] : before;
    return { pipeline: pipeline ?? true, settled: this.#settle(index, outdated, pipeline) };
  }

  /** Takes an answer in. `docs`: those that it is about. */
  #settle(index: WrittenIndex, docs: readonly DocKey[], pipeline: boolean | undefined): Promise<void> {
    this.#remember(index, { pipeline, wasNone: docs.length > 0 });
    if (pipeline === false || docs.length === 0) return Promise.resolve();
    const settled = this.#renew(index, docs, pipeline);
    this.#options.admission.drainAfter(index.state, settled);
    return settled;
  }

  async #renew(index: WrittenIndex, docs: readonly DocKey[], pipeline: true | undefined): Promise<void> {
    const isDone = pipeline === true && (await this.#options.copyAnew(index.state, docs));
    if (!isDone) this.#note(index, docs);
  }

  /** Only what the cluster says itself differs from what it said before: no answer is no change. */
  #remember(
    { state, ordinal }: IndexAt,
    { pipeline, wasNone }: { pipeline: boolean | undefined; wasNone: boolean },
  ): void {
    const { slug, phaseRevision } = state;
    const key = `${slug} ${ordinal}`;
    const before = this.#cache.get(key);
    const told = before?.phaseRevision === phaseRevision ? before.told : undefined;
    const was = told ?? (wasNone ? false : undefined);
    if (pipeline !== undefined && was !== undefined && was !== pipeline)
      this.#options.onEvent?.({ kind: 'pipeline_changed', slug, ordinal, pipeline });
    if (before !== undefined && before.phaseRevision > phaseRevision) return;
    const untilMs = this.#options.now() + cacheMs;
    this.#cache.set(key, { phaseRevision, pipeline: pipeline ?? true, told: pipeline ?? was, untilMs });
  }
}

export const createPipelines = (options: PipelineOptions): Pipelines => new AskedPipelines(options);

const settingNames = ['index.default_pipeline', 'index.final_pipeline'];

/** undefined = it could not be found out. */
const askSettings = async (
  transports: Transports,
  { state, ordinal, headers }: WrittenIndex,
): Promise<boolean | undefined> => {
  const index = encodeURIComponent(concreteName(state, ordinal));
  try {
    const { status, body } = await transports[authorityOf(state)].request({
      method: 'GET',
      path: `/${index}/_settings/${settingNames.join(',')}?flat_settings=true`,
      headers: { ...headers, accept: 'application/json' },
      timeoutMs,
      ownAccount: true,
    });
    return status === 200 ? namesPipeline(body) : undefined;
  } catch {
    return undefined;
  }
};

const namesPipeline = (body: Buffer): boolean => {
  let found = false;
  eachMember(body, 0, (_index, { start }) => {
    eachMember(body, start, (_settings, settings) => {
      eachMember(body, settings.start, (name, value) => {
        if (settingNames.includes(name) && rawOf(body, value) !== '"_none"') found = true;
      });
    });
  });
  return found;
};
