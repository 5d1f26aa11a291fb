/** The admin API of agents, as the few commands need it that the store alone cannot answer. */
import { readFileSync } from 'node:fs';
import type { AdminConfig } from '../config.ts';
import { CliError } from './cli-error.ts';

/** `status` of the agent's answer; undefined when there was none. */
export class AgentError extends CliError {
  readonly status: number | undefined;
  constructor(message: string, status?: number) {
    super('agent', message);
    this.status = status;
  }
}

export interface AdminClient {
  /** CROSSFADE_ADMIN_URL; undefined = the addresses that members publish. */
  readonly url: string | undefined;
  /** @throws AgentError */
  get(base: string, path: string): Promise<unknown>;
  /** @throws AgentError */
  post(base: string, path: string, body: object): Promise<unknown>;
}

const readMs = 5000;
/** A replay asks both clusters anew. */
const workMs = 60_000;

type AdminClientOptions = { url: string | undefined } & Pick<AdminConfig, 'token' | 'tokenFile'>;

/** @throws CliError config when the token file cannot be read */
const tokenOf = ({ token, tokenFile }: AdminClientOptions): string | undefined => {
  if (token !== undefined || tokenFile === undefined) return token;
  try {
    return readFileSync(tokenFile, 'utf8').trim();
  } catch (error) {
    throw new CliError('config', `${tokenFile} cannot be read: ${(error as Error).message}`);
  }
};

/** The reason in an error's body, when it has one. */
const reasonOf = async (answer: Response): Promise<string> => {
  const body = (await answer.json().catch(() => undefined)) as { error?: { reason?: unknown } } | undefined;
  const reason = body?.error?.reason;
  return typeof reason === 'string' ? `: ${reason}` : '';
};

type Call = { method: 'GET' | 'POST'; body?: object; token: string | undefined; timeoutMs: number };

const call = async (base: string, path: string, { method, body, token, timeoutMs }: Call): Promise<unknown> => {
  const answer = await fetch(new URL(path, base), {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(timeoutMs),
  }).catch((cause: Error) => {
    throw new AgentError(`${base} cannot be reached: ${(cause.cause as Error | undefined)?.message ?? cause.message}`);
  });
  if (!answer.ok) throw new AgentError(`${base} answered ${answer.status}${await reasonOf(answer)}`, answer.status);
  return answer.json();
};

export const createAdminClient = (options: AdminClientOptions): AdminClient => ({
  url: options.url,
  get: (base, path) => call(base, path, { method: 'GET', token: tokenOf(options), timeoutMs: readMs }),
  post: (base, path, body) => call(base, path, { method: 'POST', body, token: tokenOf(options), timeoutMs: workMs }),
});
