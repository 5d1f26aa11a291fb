/** The admin API of agents, as the few commands need it that the store alone cannot answer. */
import { CliError } from './cli-error.ts';

export interface AdminClient {
  /** CROSSFADE_ADMIN_URL; undefined = the addresses that members publish. */
  readonly url: string | undefined;
  /** @throws CliError agent */
  get(base: string, path: string): Promise<unknown>;
}

const timeoutMs = 5000;

export const createAdminClient = (options: { url: string | undefined; token: string | undefined }): AdminClient => ({
  url: options.url,
  get: async (base, path) => {
    const headers: Record<string, string> =
      options.token === undefined ? {} : { authorization: `Bearer ${options.token}` };
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
