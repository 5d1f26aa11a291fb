/**
 * Refusals that the server would give if the client's own name went on, and that it cannot give because the epoch alias
 * stands in its place; plus the refusal of versions that the route does not declare. Each is the answer of a single write
 * or of one item of a bulk.
 */
import type { RouteState } from '../../coordination/ports.ts';
import { isCopying } from './names.ts';
import type { WriteOp } from './post-image.ts';

export type Refusal = { readonly status: number; readonly error: Readonly<Record<string, unknown>> & { type: string } };

export type RefusalQuestion = {
  readonly state: RouteState;
  readonly op: WriteOp;
  /** As the client wrote it. */
  readonly name: string;
  readonly addressesAlias: boolean;
  readonly requireAlias: boolean;
  readonly routing: string | undefined;
  readonly aliasRouting: string | undefined;
  readonly versionType: string | undefined;
};

const notAnAlias = (name: string): Refusal => ({
  status: 404,
  error: {
    type: 'index_not_found_exception',
    reason: `no such index [${name}] and [require_alias] request flag is [true] and [${name}] is not an alias`,
    index: name,
    index_uuid: '_na_',
  },
});

const otherRouting = ({ name, aliasRouting, routing }: RefusalQuestion): Refusal => ({
  status: 400,
  error: {
    type: 'illegal_argument_exception',
    reason: `Alias [${name}] has index routing associated with it [${aliasRouting}], and was provided with routing value [${routing}], rejecting operation`,
  },
});

export const noWriteIndex = (name: string): Refusal => ({
  status: 400,
  error: {
    type: 'illegal_argument_exception',
    reason: `no write index is defined for alias [${name}]. The write index may be explicitly disabled using is_write_index=false or the alias points to multiple indices without one being designated as a write index`,
  },
});

const versionReason = {
  internal:
    'this route declares versions: internal, and after a switch the versions on the other side could not be compared with version_type=external',
  external: 'this route declares versions: external, so each write needs a version and version_type=external',
} as const;

/** Mixed versions would be lost or refused after a switch, so they are refused while the authority can still take them. */
const wrongVersions = ({ state, versionType, op }: RefusalQuestion): Refusal | undefined => {
  if (!isCopying(state)) return undefined;
  const declared = state.spec.versions;
  const fits = declared === 'internal' ? !isExternal(versionType) : versionType === 'external' && op !== 'update';
  return fits ? undefined : { status: 400, error: { type: unsupportedType, reason: versionReason[declared] } };
};
const isExternal = (versionType: string | undefined): boolean => versionType?.startsWith('external') ?? false;

/** Why a reindex may not give its documents versions of this kind; undefined when it may. */
export const wrongVersionsOfReindex = (state: RouteState, versionType: string | undefined): string | undefined =>
  isCopying(state) && state.spec.versions === 'internal' && isExternal(versionType)
    ? versionReason.internal
    : undefined;
const unsupportedType = 'crossfade_unsupported';
export const isUnsupported = (refusal: Refusal): boolean => refusal.error.type === unsupportedType;
export const isVersionMismatch = ({ error }: Refusal): boolean =>
  Object.values<unknown>(versionReason).includes(error['reason']);

/** A switch has changed what its token means, and it cannot be translated. */
export const hiddenToken: Refusal = {
  status: 400,
  error: {
    type: unsupportedType,
    reason: 'the if_primary_term in the body of this update cannot be read: send plain JSON, or give it as a parameter',
  },
};

/** undefined = the write may go on. */
export const refusalOf = (question: RefusalQuestion): Refusal | undefined => {
  const { op, name, requireAlias, addressesAlias, routing, aliasRouting } = question;
  if (requireAlias && !addressesAlias && op !== 'delete') return notAnAlias(name);
  if (aliasRouting !== undefined && routing !== undefined && routing !== aliasRouting) return otherRouting(question);
  return wrongVersions(question);
};

/** As the whole answer of a single write. */
export const refusalBody = ({ status, error }: Refusal): Buffer =>
  Buffer.from(JSON.stringify({ error: { root_cause: [error], ...error }, status }));
