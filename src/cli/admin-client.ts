/** The admin API of agents, as the few commands need it that the store alone cannot answer. */
import { readFileSync } from 'node:fs';
import type { AdminConfig } from '../config.ts';
import { CliError } from './cli-error.ts';

export interface AdminClient {
  /** CROSSFADE_ADMIN_URL; undefined = the addresses that members publish. */
  readonly url: string | undefined;
  /** @throws CliError agent */
  get(base: string, path: string): Promise<unknown>;
}

const timeoutMs = 5000;

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

export const createAdminClient = (options: AdminClientOptions): AdminClient => ({
  url: options.url,
  get: async (base, path) => {
    const token = tokenOf(options);
    const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const answer = await fetch(new URL(path, base), { headers, signal: AbortSignal.timeout(timeoutMs) }).catch(
      (cause: Error) => {
        throw new CliError(
          'agent',
          `${base} cannot be reached: ${(cause.cause as Error | undefined)?.message ?? cause.message}`,
        );
      },
    );
    if (!answer.ok) throw new CliError('agent', `${base} answered ${answer.status}`);
    return answer.json();
  },
});
