/**
 * Every error that Crossfade itself can answer or exit with: one table of codes, one class. Callers match `code`, never
 * the text. Low-level errors are mapped once, where they enter, and rendered once, where they leave; `docs/errors.md`
 * lists the same codes and a test keeps the two equal.
 * `notSent: true` = the request surely did not reach a cluster, so the client may repeat it safely.
 */
type Row = { status: number; type: string; notSent: boolean; meaning: string };

const row = (status: number, type: string, notSent: boolean, meaning: string): Row => ({
  status,
  type,
  notSent,
  meaning,
});

export const errorTable = {
  BAD_FRAMING: row(
    400,
    'crossfade_bad_request',
    true,
    'The request is framed ambiguously or malformed and could be read differently by two servers.',
  ),
  BAD_TARGET: row(400, 'crossfade_bad_request', true, 'The request target names another host or is not a path.'),
  BAD_BODY: row(
    400,
    'crossfade_bad_request',
    true,
    'The body must be understood to route the request, and it cannot be parsed.',
  ),
  BODY_TOO_LARGE: row(
    413,
    'crossfade_body_too_large',
    true,
    'The body must be held to route the request and is larger than limits.maxBodyBytes.',
  ),
  HEADERS_TOO_LARGE: row(
    431,
    'crossfade_headers_too_large',
    true,
    'The header section is larger than limits.maxHeaderBytes.',
  ),
  EXPECTATION_FAILED: row(
    417,
    'crossfade_expectation_failed',
    true,
    'The request expects something other than 100-continue.',
  ),
  REQUEST_TIMEOUT: row(408, 'crossfade_request_timeout', true, 'The client did not send its whole request in time.'),
  TOO_MANY_CONNECTIONS: row(
    503,
    'crossfade_overloaded',
    true,
    'The listener has limits.maxConnections connections open.',
  ),
  MIXED_ROUTES: row(
    400,
    'crossfade_mixed_routes',
    true,
    'One request addresses indices whose routes send it to different clusters, and it cannot be split.',
  ),
  ADMIN_REFUSED: row(
    409,
    'crossfade_admin_refused',
    true,
    'Index administration on a routed index is refused while the route is not off (adminPolicy).',
  ),
  UNSUPPORTED: row(
    400,
    'crossfade_unsupported',
    true,
    'The operation cannot be carried over a migration safely and is refused for routed indices.',
  ),
  CURSOR_INVALID: row(
    400,
    'crossfade_cursor_invalid',
    true,
    'A scroll, point-in-time or SQL cursor was not issued through this route.',
  ),
  HOLD_TIMEOUT: row(
    503,
    'crossfade_hold',
    true,
    'Writes were held for a switch of authority that did not end in time.',
  ),
  HOLD_QUEUE_FULL: row(503, 'crossfade_hold', true, 'Too many writes are waiting for a switch of authority.'),
  FENCED: row(
    503,
    'crossfade_fenced',
    true,
    'The write met the fence of an older epoch and no newer phase became known in time.',
  ),
  AUTHORITY_UNKNOWN: row(
    503,
    'crossfade_authority_unknown',
    true,
    'This member cannot tell which side holds the authority and will not guess.',
  ),
  NOT_READY: row(503, 'crossfade_not_ready', true, 'The member is starting or stopping.'),
  UPSTREAM_UNREACHABLE: row(
    503,
    'crossfade_upstream_unreachable',
    true,
    'No connection to the cluster could be made; the request was not sent.',
  ),
  UPSTREAM_RESET: row(
    502,
    'crossfade_upstream_reset',
    false,
    'The cluster closed the connection before its answer was complete.',
  ),
  UPSTREAM_TIMEOUT: row(504, 'crossfade_upstream_timeout', false, 'The cluster did not answer in time.'),
  UPSTREAM_INVALID: row(502, 'crossfade_upstream_invalid', false, 'The cluster sent an answer that is not valid HTTP.'),
  UPSTREAM_BODY_TOO_LARGE: row(
    502,
    'crossfade_upstream_body_too_large',
    false,
    'An answer that had to be held was larger than limits.maxBodyBytes.',
  ),
  UPSTREAM_REFUSED: row(
    502,
    'crossfade_upstream_refused',
    false,
    'The cluster refused a request that Crossfade made on its own, or answered only part of it.',
  ),
  CLIENT_CLOSED: row(
    499,
    'crossfade_client_closed',
    false,
    'The client left before the answer; seen in logs and metrics only.',
  ),
  INTERNAL: row(500, 'crossfade_internal', false, 'A bug in Crossfade.'),
  CONFIG_INVALID: row(400, 'crossfade_config_invalid', true, 'Configuration, route file or key value is not valid.'),
  STORE_UNAVAILABLE: row(503, 'crossfade_store_unavailable', true, 'The coordination store cannot be reached.'),
  STORE_CONFLICT: row(409, 'crossfade_store_conflict', true, 'Somebody else changed the key first.'),
  STORE_OUTCOME_UNKNOWN: row(
    503,
    'crossfade_store_outcome_unknown',
    false,
    'A write to the store timed out and may still be applied.',
  ),
  STORE_UNSUPPORTED: row(
    503,
    'crossfade_store_unsupported',
    true,
    'The NATS server or its settings are not safe for coordination.',
  ),
  MEMBER_TAKEN: row(409, 'crossfade_member_taken', true, 'Another agent runs under this name on the embedded store.'),
  ROUTE_UNKNOWN: row(404, 'crossfade_route_unknown', true, 'No route has this name.'),
  SAMPLE_UNKNOWN: row(404, 'crossfade_sample_unknown', true, 'No agent keeps a discrepancy of this id.'),
  REPLAY_REFUSED: row(
    409,
    'crossfade_replay_refused',
    true,
    'The request of a discrepancy was not kept, or its route has moved on, so it cannot be sent again.',
  ),
  PREFLIGHT_REFUSED: row(
    409,
    'crossfade_preflight_refused',
    true,
    'The preflight found something that cannot be migrated safely.',
  ),
  GATE_REFUSED: row(409, 'crossfade_gate_refused', true, 'A condition of the step is not met.'),
  PHASE_REFUSED: row(409, 'crossfade_phase_refused', true, 'The move is not allowed from the present phase.'),
  CUTOVER_ABORTED: row(
    409,
    'crossfade_cutover_aborted',
    true,
    'The switch was given up and the old authority is in force again.',
  ),
  NO_LEADER: row(503, 'crossfade_no_leader', true, 'No agent took up the request in time.'),
  UNAUTHORIZED: row(401, 'crossfade_unauthorized', true, 'The admin API needs a token.'),
  FORBIDDEN: row(403, 'crossfade_forbidden', true, 'The admin API refuses this caller or origin.'),
  USAGE: row(400, 'crossfade_usage', true, 'The command line is not valid.'),
} as const satisfies Record<string, Row>;

export type ErrorCode = keyof typeof errorTable;

export class CrossfadeError extends Error {
  override readonly name = 'CrossfadeError';
  readonly code: ErrorCode;
  readonly details: Record<string, unknown> | undefined;
  constructor(code: ErrorCode, message?: string, options: { cause?: unknown; details?: Record<string, unknown> } = {}) {
    super(message ?? errorTable[code].meaning, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details;
  }
  get status(): number {
    return errorTable[this.code].status;
  }
  get notSent(): boolean {
    return errorTable[this.code].notSent;
  }
}

export const isCrossfadeError = (error: unknown, code?: ErrorCode): error is CrossfadeError =>
  error instanceof CrossfadeError && (code === undefined || error.code === code);

/** The answer in OpenSearch's own shape, with the headers that say the sidecar spoke. */
export const renderError = (
  error: CrossfadeError,
): { status: number; headers: Record<string, string>; body: string } => {
  const { status, type, notSent } = errorTable[error.code];
  const cause = { type, reason: error.message };
  return {
    status,
    headers: {
      'content-type': 'application/json; charset=UTF-8',
      'x-crossfade-error': error.code,
      ...(notSent ? { 'x-crossfade-not-sent': 'true' } : {}),
      ...(status === 503 ? { 'retry-after': '1' } : {}),
    },
    body: JSON.stringify({ error: { root_cause: [cause], ...cause, ...(error.details ?? {}) }, status }),
  };
};
