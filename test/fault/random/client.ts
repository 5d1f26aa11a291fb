/** Sends one request of a client through whichever agents are up, and judges by the letter what the client is told. */
import { Agent, request } from 'undici';
import { type ErrorCode, errorTable } from '../../../src/errors.ts';
import type { Random } from '../../sim/random.ts';
import type { Outcome } from '../checker.ts';

/** What one client was told, and when by the clock of this process. */
export type Told = {
  from: number;
  to: number;
  agent: string;
  what: string;
  answer: string;
  status: number;
};
export type Reply = {
  status: number;
  code: string | undefined;
  text: string;
  /** How the answer as a whole was told. */
  told: Told;
};
export type Ask = { method: 'GET' | 'PUT' | 'POST' | 'DELETE'; path: string; body?: unknown; what: string };
/** Longer than the longest hold with its grace, on a machine that has other things to do. */
const patienceMs = 40_000;

export type ClientOptions = {
  agents(): readonly { name: string; url: string }[];
  random: Random;
};
export type Client = {
  told: Told[];
  /** An outcome alone where there was no answer. */
  send(ask: Ask): Promise<Reply | Outcome>;
  close(): Promise<void>;
};

/** A deletion finds nothing to delete: it is done. `create` is refused, and an update finds nothing to change. */
export const outcomeOf = (status: number, code: string | undefined, deletes: boolean): Outcome => {
  if (status < 300 || (deletes && status === 404 && code === undefined)) return 'acknowledged';
  if (code !== undefined) return errorTable[code as ErrorCode].notSent ? 'failed' : 'unknown';
  return status < 500 ? 'failed' : 'unknown';
};

export const createClient = ({ agents, random }: ClientOptions): Client => {
  const dispatcher = new Agent({ headersTimeout: patienceMs, bodyTimeout: patienceMs });
  const told: Told[] = [];
  const send = async ({ method, path, body, what }: Ask): Promise<Reply | Outcome> => {
    const up = agents();
    if (up.length === 0) return 'failed';
    const { name, url } = random.pick(up);
    const from = Date.now();
    const tell = (status: number, answer: string): Told => {
      const one = { from, to: Date.now(), agent: name, what, answer, status };
      told.push(one);
      return one;
    };
    try {
      const type = typeof body === 'string' ? 'application/x-ndjson' : 'application/json';
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      const sent = body === undefined ? {} : { body: text, headers: { 'content-type': type } };
      const answer = await request(`${url}${path}`, { method, dispatcher, ...sent });
      const code = answer.headers['x-crossfade-error'] as string | undefined;
      const got = await answer.body.text();
      const { statusCode: status } = answer;
      return { status, code, text: got, told: tell(status, `${status} ${code ?? ''}`.trim()) };
    } catch (error) {
      const { code = 'broken' } = error as { code?: string };
      tell(0, code);
      return code === 'ECONNREFUSED' ? 'failed' : 'unknown';
    }
  };
  return { told, send, close: () => dispatcher.close() };
};
