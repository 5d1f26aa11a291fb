/**
 * The application: a few clients that write to few documents, each through whichever process is at hand, one request at a
 * time, with conditional writes, bulks and documents whose id the cluster chooses. Each write carries a marker of its own.
 */
import type { Sent } from '../support/write-client.ts';
import type { ClientCall, History, Outcome, WriteItem, WriteKind } from './history.ts';
import type { Answer, Member } from './member.ts';
import type { Scheduler } from './scheduler.ts';

export type Crowd = {
  scheduler: Scheduler;
  history: History;
  index: string;
  /** The few documents that most writes go to. */
  hotIds: readonly string[];
  /** Processes that serve now. */
  members: () => readonly Member[];
  /** Share of updates that ask for the source themselves: what they stored is then read back. */
  asksSource: number;
  /** Further documents in each bulk, before the hot ones. */
  bulkOthers: number;
  /** Documents the follower will not take are among those written. */
  refusedDocuments: () => boolean;
  /** Clients hurry while something is going on. */
  hurry: () => boolean;
  onProblem: (problem: string) => void;
};
type Token = { id: string; seq: string; term: string; marker: string };

export const refusedMarker = 'refused-by-target';
const json = { 'content-type': 'application/json' };
/** The server's refusals and our own that say the write was not applied. */
const sureRefusals = new Set([
  'HOLD_TIMEOUT',
  'HOLD_QUEUE_FULL',
  'FENCED',
  'NOT_READY',
  'AUTHORITY_UNKNOWN',
  'UPSTREAM_UNREACHABLE',
  'UNSUPPORTED',
  'CLIENT_CLOSED',
  'ROUTE_UNKNOWN',
]);

export class Client {
  readonly #crowd: Crowd;
  readonly #name: string;
  #count = 0;
  #stopped = false;
  #call: ClientCall | undefined;
  readonly #tokens: Token[] = [];

  constructor(name: string, crowd: Crowd) {
    this.#name = name;
    this.#crowd = crowd;
    this.#think();
  }

  stop(): void {
    this.#stopped = true;
  }

  /** The process that was asked is gone, and the connection with it. */
  processDied(process: string): void {
    const call = this.#call;
    if (call === undefined || call.process !== process) return;
    for (const item of call.items) item.outcome = 'unknown';
    this.#end(call);
  }

  #think(): void {
    if (this.#stopped) return;
    const { scheduler, hurry } = this.#crowd;
    const ms = scheduler.random.between(5, hurry() ? 60 : 3_000);
    scheduler.after(ms, '', () => this.#act());
  }

  #act(): void {
    if (this.#stopped) return;
    const { scheduler, members } = this.#crowd;
    const serving = members();
    if (serving.length === 0) {
      this.#think();
      return;
    }
    const member = scheduler.random.pick(serving);
    const { sent, items } = scheduler.random.chance(0.25) ? this.#bulk() : this.#single();
    const name = `${this.#name}-${++this.#count}`;
    const call: ClientCall = {
      name,
      items,
      startedAtMs: scheduler.nowMs,
      process: member.process.name,
      endedAtMs: undefined,
    };
    this.#call = call;
    this.#crowd.history.calls.set(name, call);
    const headers = { ...json, ...sent.headers, 'x-opaque-id': name };
    const label = `${name} ${sent.method} ${sent.path} ${items.map((item) => `${item.kind} ${item.id}`).join(', ')}`;
    const send = (): void => this.#send(member, call, { ...sent, headers });
    scheduler.note(`${member.process.name}: ${label}`);
    // A process that is stopped reads it when it goes on.
    if (member.process.stoppedUntil > scheduler.nowMs) scheduler.after(0, '', send, member.process);
    else send();
  }

  #send(member: Member, call: ClientCall, sent: Sent): void {
    member.send(sent).then(
      (answer) => this.#take(call, answer),
      (error: unknown) => this.#crowd.onProblem(`${call.name} failed: ${error instanceof Error ? error.stack : error}`),
    );
  }

  #take(call: ClientCall, answer: Answer): void {
    if (call.endedAtMs !== undefined) return;
    if (call.items.length === 1 && !answer.text.includes('"items"'))
      this.#takeItem(call.items[0] as WriteItem, { ...answer, body: answer.text });
    else this.#takeBulk(call, answer);
    this.#crowd.scheduler.note(`${call.name} ${answer.status} ${call.items.map(({ outcome }) => outcome).join(',')}`);
    this.#end(call);
  }

  #takeBulk(call: ClientCall, answer: Answer): void {
    if (answer.status !== 200) {
      for (const item of call.items) item.outcome = outcomeOf({ ...answer, body: answer.text });
      return;
    }
    const { items } = JSON.parse(answer.text) as {
      items: Record<string, { status: number; error?: { type: string } }>[];
    };
    call.items.forEach((item, i) => {
      const [result] = Object.values(items[i] ?? {});
      this.#takeItem(item, { status: result?.status ?? 0, errorCode: undefined, body: JSON.stringify(result) });
    });
  }

  #takeItem(item: WriteItem, answer: Shown): void {
    item.outcome = outcomeOf(answer);
    if (item.outcome !== 'applied' || item.kind === 'delete') return;
    const seq = /"_seq_no":(\d+)/.exec(answer.body)?.[1];
    const term = /"_primary_term":(\d+)/.exec(answer.body)?.[1];
    if (item.id !== undefined && seq !== undefined && term !== undefined)
      this.#tokens.push({ id: item.id, seq, term, marker: item.marker });
  }

  #end(call: ClientCall): void {
    call.endedAtMs = this.#crowd.scheduler.nowMs;
    this.#call = undefined;
    this.#think();
  }

  #item(kind: WriteKind, id: string | undefined, expects?: string): WriteItem {
    const { refusedDocuments, scheduler } = this.#crowd;
    const bad = kind !== 'delete' && refusedDocuments() && scheduler.random.chance(0.03) ? `${refusedMarker}-` : '';
    const marker = `${bad}${this.#name}-${this.#count + 1}-${scheduler.random.below(1e9)}`;
    return { kind, id, marker, expects, outcome: undefined, applied: 0 };
  }

  #single(): { sent: Sent; items: WriteItem[] } {
    const { scheduler, index, hotIds } = this.#crowd;
    const { random } = scheduler;
    const id = random.pick(hotIds);
    const kind = random.pick([
      'index',
      'index',
      'create',
      'update',
      'update',
      'delete',
      'delete',
      'auto',
      'cas',
    ] as const);
    switch (kind) {
      case 'auto': {
        const item = this.#item('index', undefined);
        return { sent: { method: 'POST', path: `/${index}/_doc`, body: document(item) }, items: [item] };
      }
      case 'cas':
        return this.#conditional(id);
      case 'delete':
        return { sent: { method: 'DELETE', path: `/${index}/_doc/${id}` }, items: [this.#item('delete', id)] };
      case 'update': {
        const item = this.#item('update', id);
        // Asking for parts of the source makes the post-image a matter of reading back.
        const query = random.chance(this.#crowd.asksSource) ? '?_source=true' : '';
        const upsert = random.chance(0.3) ? ',"doc_as_upsert":true' : '';
        const body = `{"doc":${document(item, random.below(3))}${upsert}}`;
        return { sent: { method: 'POST', path: `/${index}/_update/${id}${query}`, body }, items: [item] };
      }
      default: {
        const item = this.#item(kind, id);
        const path = `/${index}/${kind === 'create' ? '_create' : '_doc'}/${id}`;
        return { sent: { method: 'PUT', path, body: document(item) }, items: [item] };
      }
    }
  }

  /** With a token from an answer, recent or long past: it must not match another revision of any cluster. */
  #conditional(otherId: string): { sent: Sent; items: WriteItem[] } {
    const { index, scheduler } = this.#crowd;
    const recent = this.#tokens.slice(-3);
    const token = scheduler.random.pick(scheduler.random.chance(0.6) && recent.length > 0 ? recent : this.#tokens);
    const item = this.#item('index', token?.id ?? otherId, token?.marker);
    const query = token === undefined ? '' : `?if_seq_no=${token.seq}&if_primary_term=${token.term}`;
    return { sent: { method: 'PUT', path: `/${index}/_doc/${item.id}${query}`, body: document(item) }, items: [item] };
  }

  #bulk(): { sent: Sent; items: WriteItem[] } {
    const { index, scheduler, hotIds } = this.#crowd;
    const { random } = scheduler;
    const ids = [...hotIds].sort(() => random.next() - 0.5).slice(0, 2 + random.below(3));
    const others = Array.from({ length: this.#crowd.bulkOthers }, (_, i) => this.#item('index', `x-${i}`));
    const hot = ids.map((id) => this.#item(random.pick(['index', 'create', 'update', 'delete'] as const), id));
    const items = [...others, ...hot];
    const lines = items.map((item) => {
      const action = `{"${item.kind}":{"_index":"${index}","_id":"${item.id}"}}\n`;
      if (item.kind === 'delete') return action;
      return `${action}${item.kind === 'update' ? `{"doc":${document(item, random.below(3))}}` : document(item)}\n`;
    });
    const headers = { 'content-type': 'application/x-ndjson' };
    return { sent: { method: 'POST', path: '/_bulk', body: lines.join(''), headers }, items };
  }
}

export type Shown = { status: number; errorCode: string | undefined; body: string };

const document = ({ marker }: WriteItem, field = 0): string => `{"f${field}":"${marker}"}`;

export const outcomeOf = ({ status, errorCode, body }: Shown): Outcome => {
  if (errorCode !== undefined) return sureRefusals.has(errorCode) ? 'refused' : 'unknown';
  if (status < 300) return body.includes('"result":"noop"') ? 'noop' : 'applied';
  if (status === 404 && body.includes('"not_found"')) return 'applied';
  if (status < 500 || body.includes('unavailable_shards_exception') || body.includes('"crossfade_')) {
    return body.includes('crossfade_upstream') ? 'unknown' : 'refused';
  }
  return 'unknown';
};
