/**
 * The name of this process among the members. Kubernetes gives each pod a name of its own through the downward API; on
 * other machines the host name serves. Characters that a store key cannot hold become `-`.
 */
import type { Environment } from './environment.ts';

type Identity = { readonly member: string | undefined; readonly env: Environment; readonly hostName: string };

export const memberName = ({ member, env, hostName }: Identity): string =>
  member ?? ((env['POD_NAME'] || hostName).replace(/[^-/=.\w]/g, '-').slice(0, 128) || 'crossfade');
