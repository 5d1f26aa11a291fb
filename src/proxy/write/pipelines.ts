/**
 * Knows whether an index of the authority has a default or final ingest pipeline: then the document stored is not the
 * document sent. Asked once per index and phase and again after a while; when it cannot be found out, a pipeline is
 * assumed, because reading a document back is always right and only slower. Documents copied as sent on the word of an
 * answer that proves outdated are handed over, to be copied anew.
 */
import type { DocKey, RouteState } from '../../coordination/ports.ts';
import { eachMember, rawOf } from '../../json/scan.ts';
import type { Transports } from '../../upstream/types.ts';
import { authorityOf, concreteName } from './names.ts';
import type { WriteEvent } from './ports.ts';
import { SentAsWritten } from './sent-as-written.ts';

/** One small question to the cluster for each index in this time. */
const cacheMs = 1000;

export type PipelineOptions = {
  readonly transports: Transports;
  readonly now: () => number;
  readonly onEvent?: (event: WriteEvent) => void;
  /** The copies of these documents may carry another content than the authority stored. */
  readonly onOutdated?: (state: RouteState, docs: readonly DocKey[]) => void;
};
type Headers = Record<string, string | string[]>;
type Known = { readonly pipeline: boolean; readonly untilMs: number };

export interface Pipelines {
  /** The answer at once when it is known and fresh. */
  known(state: RouteState, ordinal: number): boolean | undefined;
  /** Never throws. `headers`: credentials of the client. */
  find(state: RouteState, ordinal: number, headers: Headers): Promise<boolean>;
  /** An answer showed that a pipeline ran. */
  seen(state: RouteState, ordinal: number): void;
  /** A document is copied as it was sent, because `known` said that there is no pipeline. */
  sentAsWritten(doc: DocKey): void;
}

export const createPipelines = ({ transports, now, onEvent, onOutdated }: PipelineOptions): Pipelines => {
  const cache = new Map<string, Known>();
  const asking = new Map<string, Promise<boolean>>();
  const sent = new SentAsWritten();
  const keyOf = (state: RouteState, ordinal: number) => `${state.slug} ${state.phaseRevision} ${ordinal}`;

  const remember = (state: RouteState, ordinal: number, pipeline: boolean) => {
    const key = keyOf(state, ordinal);
    const before = cache.get(key);
    if (before === undefined) forget(`${state.slug} `, ` ${ordinal}`);
    if (before !== undefined && before.pipeline !== pipeline)
      onEvent?.({ kind: 'pipeline_changed', slug: state.slug, ordinal, pipeline });
    cache.set(key, { pipeline, untilMs: now() + cacheMs });
  };
  /** Entries of earlier phases of the same index. */
  const forget = (prefix: string, suffix: string) => {
    for (const key of cache.keys()) if (key.startsWith(prefix) && key.endsWith(suffix)) cache.delete(key);
  };
  const found = (state: RouteState, ordinal: number, before: readonly DocKey[]) => {
    const outdated = [...before, ...sent.take(state.slug, ordinal)];
    if (outdated.length > 0) onOutdated?.(state, outdated);
    remember(state, ordinal, true);
  };
  const ask = async (state: RouteState, ordinal: number, headers: Headers): Promise<boolean> => {
    const before = sent.take(state.slug, ordinal);
    const pipeline = await askSettings(transports, { state, ordinal, headers });
    if (pipeline === true) found(state, ordinal, before);
    else remember(state, ordinal, pipeline ?? true);
    if (pipeline === undefined) for (const doc of before) sent.note(doc);
    return pipeline ?? true;
  };
  const known = (state: RouteState, ordinal: number) => {
    const entry = cache.get(keyOf(state, ordinal));
    return entry !== undefined && entry.untilMs > now() ? entry.pipeline : undefined;
  };
  return {
    known,
    find: (state, ordinal, headers) => {
      const fresh = known(state, ordinal);
      if (fresh !== undefined) return Promise.resolve(fresh);
      const key = keyOf(state, ordinal);
      const running = asking.get(key) ?? ask(state, ordinal, headers).finally(() => asking.delete(key));
      asking.set(key, running);
      return running;
    },
    seen: (state, ordinal) => found(state, ordinal, []),
    sentAsWritten: (doc) => sent.note(doc),
  };
};

const settingNames = ['index.default_pipeline', 'index.final_pipeline'];

type Question = { state: RouteState; ordinal: number; headers: Headers };
/** undefined = it could not be found out. */
const askSettings = async (
  transports: Transports,
  { state, ordinal, headers }: Question,
): Promise<boolean | undefined> => {
  const index = encodeURIComponent(concreteName(state, ordinal));
  try {
    const { status, body } = await transports[authorityOf(state)].request({
      method: 'GET',
      path: `/${index}/_settings/${settingNames.join(',')}?flat_settings=true`,
      headers: { ...headers, accept: 'application/json' },
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
