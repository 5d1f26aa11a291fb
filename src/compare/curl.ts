/**
 * A request as a command that can be pasted into a POSIX shell. Credentials are never part of it: the person who pastes
 * it adds their own.
 */
export type CurlRequest = { url: string; method: string; path: string; query: string; body?: string | undefined };

/** In single quotes nothing is special but the quote itself. */
const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

const contentType = (path: string): string =>
  /\/_(msearch|bulk)(\/|$)/.test(path) ? 'application/x-ndjson' : 'application/json';

export const curlCommand = ({ url, method, path, query, body }: CurlRequest): string => {
  const target = `${url.replace(/\/$/, '')}${path}${query === '' ? '' : `?${query}`}`;
  // Unlike --data, --data-raw does not read a leading @ as the name of a file.
  const data =
    body === undefined || body === ''
      ? []
      : ['-H', quote(`content-type: ${contentType(path)}`), '--data-raw', quote(body)];
  const head = method === 'HEAD' ? ['--head'] : ['-X', method];
  return ['curl', '-sS', '--globoff', ...head, quote(target), ...data].join(' ');
};
