/** Load by `wrk`: fixed connections for fixed seconds, with the latency distribution it saw. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../test/support/services/prerequisites.ts';

export type Load = {
  method: 'GET' | 'POST' | 'PUT';
  path: string;
  body?: string;
  headers?: Record<string, string>;
  /** Each request has a number of its own behind the path. */
  numbered?: boolean;
};
export type LoadResult = { requests: number; perSecond: number; p50Ms: number; p99Ms: number; errors: number };
export type LoadOptions = {
  url: string;
  load: Load;
  connections: number;
  seconds: number;
  dir: string;
  /** Each connection waits so long after an answer; default: not at all. */
  pauseMs?: number;
  /** The core that the load comes from; default: any. */
  core?: number;
};

const milliseconds = (text: string | undefined): number => {
  const match = /([\d.]+)(us|ms|s)/.exec(text ?? '');
  const scale = { us: 0.001, ms: 1, s: 1000 }[match?.[2] ?? 'ms'] ?? 1;
  return Number(match?.[1] ?? Number.NaN) * scale;
};

let runs = 0;
const numbers = (path: string): string =>
  `local n = 0\nfunction request() n = n + 1; return wrk.format(nil, "${path}${++runs}-" .. n) end`;

const script = ({ method, path, body, headers = {}, numbered = false }: Load, pauseMs: number): string =>
  [
    `wrk.method = "${method}"`,
    'wrk.headers["content-type"] = "application/json"',
    ...Object.entries(headers).map(
      ([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`,
    ),
    ...(body === undefined ? [] : [`wrk.body = ${JSON.stringify(body)}`]),
    ...(numbered ? [numbers(path)] : []),
    ...(pauseMs === 0 ? [] : [`function delay() return ${pauseMs} end`]),
  ].join('\n');

/** What wrk printed with `--latency`. */
export const parseLoad = (text: string): LoadResult => {
  const number = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? 0);
  const errors =
    number(/Non-2xx or 3xx responses: (\d+)/) +
    [...(/Socket errors: (.*)/.exec(text)?.[1] ?? '').matchAll(/\d+/g)].reduce((sum, [n]) => sum + Number(n), 0);
  return {
    requests: number(/(\d+) requests in/),
    perSecond: number(/Requests\/sec:\s+([\d.]+)/),
    p50Ms: milliseconds(/^\s+50%\s+(\S+)/m.exec(text)?.[1]),
    p99Ms: milliseconds(/^\s+99%\s+(\S+)/m.exec(text)?.[1]),
    errors,
  };
};

export const runLoad = async ({
  url,
  load,
  connections,
  seconds,
  dir,
  pauseMs = 0,
  core,
}: LoadOptions): Promise<LoadResult> => {
  const file = join(dir, 'load.lua');
  writeFileSync(file, script(load, pauseMs));
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', '-s', file, `${url}${load.path}`];
  const [command = '', ...rest] = [
    ...(core === undefined ? [] : ['taskset', '--cpu-list', String(core)]),
    'wrk',
    ...args,
  ];
  return parseLoad((await run(command, rest, { maxBuffer: 1 << 20 })).stdout);
};
