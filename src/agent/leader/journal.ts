/**
 * What the leader leaves in writing: the answer to an operator's ask, and its entries of the audit log.
 */
import { appendAudit } from '../../coordination/audit-log.ts';
import { withEarlier } from '../../coordination/ask-answers.ts';
import { casAndConfirm, casError } from '../../coordination/cas.ts';
import { keys } from '../../coordination/keys.ts';
import { parseRecord } from '../../coordination/parse-record.ts';
import type { Bucket } from '../../coordination/ports.ts';
import { Ask, AskResult, type AuditEntry } from '../../coordination/records.ts';
import type { Timers } from '../../coordination/timers.ts';
import { Begun, type Overtaken, overtaken } from './resumed-ask.ts';

export type Journal = {
  /**
   * The newest ask that has no final answer yet, where the route stood if somebody has begun it already, and the ask in
   * whose place it stands if that was begun and never answered.
   */
  pendingAsk(): Promise<{ ask: Ask; begun: Begun | undefined; before: Overtaken | undefined } | undefined>;
  /** Over the answer that `pendingAsk` saw. @throws STORE_CONFLICT, STORE_OUTCOME_UNKNOWN, STORE_UNAVAILABLE */
  answer(ask: Pick<Ask, 'id'>, result: Omit<AskResult, 'schema' | 'id' | 'at'>): Promise<void>;
  /** `by` for what nobody asked for though somebody else's request may be under way. */
  audit(entry: Omit<AuditEntry, 'schema' | 'at' | 'by'> & Partial<Pick<AuditEntry, 'by'>>): Promise<void>;
  /** Names in the entries that follow who asked; undefined = the leader by itself. */
  actFor(actor: string | undefined): void;
};
export type JournalOptions = {
  bucket: Bucket;
  slug: string;
  by: string;
  clock: () => string;
  /** Monotonic milliseconds. */
  now: () => number;
  timers?: Timers;
};

const patienceMs = 5_000;

const isFinal = (result: AskResult): boolean => result.state !== 'running';

export const createJournal = ({ bucket, slug, by, clock, now, timers }: JournalOptions): Journal => {
  const answerKey = keys.job(slug, 'ask');
  /** Of the answer as it was last read or written: a late write of ours must not open an ask again that was answered. */
  let answered = 0;
  let last: AskResult | undefined;
  let actor: string | undefined;

  return {
    pendingAsk: async () => {
      const entry = await bucket.get(keys.ask(slug));
      const ask = parseRecord(Ask, entry?.value);
      if (ask === undefined) return undefined;
      const standing = await bucket.get(answerKey);
      answered = standing?.revision ?? 0;
      const result = parseRecord(AskResult, standing?.value);
      last = result;
      const isOpen = result !== undefined && !isFinal(result);
      if (result?.id !== ask.id) return { ask, begun: undefined, before: isOpen ? overtaken(result) : undefined };
      return isOpen ? { ask, begun: Begun.safeParse(result.details).data, before: undefined } : undefined;
    },
    answer: async ({ id }, result) => {
      const answer = withEarlier(last, { schema: 1, id, at: clock(), ...result });
      const value = JSON.stringify(answer);
      const patience = { now, deadlineMs: now() + patienceMs, ...(timers === undefined ? {} : { timers }) };
      const written = await casAndConfirm(bucket, { key: answerKey, value, expected: answered }, patience);
      if (!written.ok) throw casError(written.reason, `${answerKey} could not be written`);
      answered = written.revision;
      last = answer;
    },
    actFor: (asker) => {
      actor = asker;
    },
    audit: async (entry) => {
      await appendAudit(bucket, slug, { at: clock(), by: actor ?? by, ...entry });
    },
  };
};
