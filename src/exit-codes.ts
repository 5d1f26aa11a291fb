/**
 * What the exit code of a command means. Scripts branch on these numbers, so they never change their meaning; docs/cli.md
 * lists them and a test keeps the two equal. 64 and 70 are the values of sysexits.h for the same two cases.
 */
import type { ErrorCode } from './errors.ts';

export const exitTable = {
  done: { code: 0, meaning: 'done' },
  failed: { code: 1, meaning: 'failed for a reason that has no code of its own; see the message' },
  usage: { code: 2, meaning: 'the command line is not valid; nothing was done' },
  refused: { code: 3, meaning: 'refused: a condition is not met, and nothing was changed' },
  aborted: { code: 4, meaning: 'begun and given up; the state before it is in force again' },
  no_leader: { code: 5, meaning: 'no agent runs, or none took up the request in time and it was withdrawn' },
  store: { code: 6, meaning: 'the coordination store cannot be reached or is not safe to use' },
  unknown_route: { code: 7, meaning: 'no route has this name' },
  conflict: { code: 8, meaning: 'somebody else changed the same thing first; look again' },
  unconfirmed: { code: 9, meaning: 'not confirmed: answered no, or no terminal and no --yes' },
  waiting: { code: 10, meaning: '--timeout passed while the request was still being carried out' },
  different: { code: 11, meaning: 'a check or a repair ran to its end, and something is wrong' },
  agent: { code: 12, meaning: 'an agent or a cluster that the command needs cannot be reached' },
  config: { code: 64, meaning: 'configuration or route file is not valid; nothing was started' },
  crashed: { code: 70, meaning: 'a bug: the process ended by an error nobody planned for' },
  interrupted: { code: 130, meaning: 'stopped by Ctrl-C; a request made before goes on' },
} as const;
export type Exit = keyof typeof exitTable;
export const exitCode = (exit: Exit): number => exitTable[exit].code;

/** Codes of errors.ts that a command may meet; all others mean that something unplanned happened. */
const exits: Partial<Record<ErrorCode, Exit>> = {
  CONFIG_INVALID: 'config',
  USAGE: 'usage',
  STORE_UNAVAILABLE: 'store',
  STORE_OUTCOME_UNKNOWN: 'store',
  STORE_UNSUPPORTED: 'store',
  STORE_CONFLICT: 'conflict',
  ROUTE_UNKNOWN: 'unknown_route',
  PREFLIGHT_REFUSED: 'refused',
  GATE_REFUSED: 'refused',
  REPLAY_REFUSED: 'refused',
  PHASE_REFUSED: 'refused',
  ADMIN_REFUSED: 'refused',
  MEMBER_TAKEN: 'refused',
  CUTOVER_ABORTED: 'aborted',
  NO_LEADER: 'no_leader',
  UNAUTHORIZED: 'agent',
  FORBIDDEN: 'agent',
  UPSTREAM_UNREACHABLE: 'agent',
  INTERNAL: 'crashed',
};

export const exitOf = (code: ErrorCode): Exit => exits[code] ?? 'failed';
