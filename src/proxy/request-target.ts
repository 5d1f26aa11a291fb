/**
 * Takes the request target apart (RFC 9112 3.2). The upstream is never chosen by it: an absolute target is accepted only
 * when it names this very listener and agrees with Host, and then counts as its path; any other host, the authority form
 * and unknown forms are refused. The path stays raw: the cluster splits it before it decodes it.
 */
import { CrossfadeError } from '../errors.ts';

export type Target = { path: string; query: string } | 'asterisk';

type Request = {
  method: string;
  target: string;
  /** Value of the Host header. */
  host: string | undefined;
  /** `host:port` names of this listener, lower case. */
  isOwn: (authority: string) => boolean;
};

const refuse = (message: string): CrossfadeError => new CrossfadeError('BAD_TARGET', message);

/** For the origin form: path and query, raw. */
export const splitTarget = (raw: string): Exclude<Target, 'asterisk'> => {
  const question = raw.indexOf('?');
  return question < 0 ? { path: raw, query: '' } : { path: raw.slice(0, question), query: raw.slice(question + 1) };
};

const fromAbsolute = ({ target, host, isOwn }: Request): Target | CrossfadeError => {
  const match = /^https?:\/\/([^/?#]*)(.*)$/i.exec(target);
  const authority = match?.[1]?.toLowerCase();
  if (authority === undefined) return refuse('The request target is not a path.');
  if (authority !== host?.toLowerCase() || !isOwn(authority)) return refuse('The request target names another host.');
  const rest = match?.[2] ?? '';
  return splitTarget(rest.startsWith('/') ? rest : `/${rest}`);
};

export const parseTarget = (request: Request): Target | CrossfadeError => {
  const { method, target } = request;
  if (target.startsWith('/')) return splitTarget(target);
  if (target === '*') return method === 'OPTIONS' ? 'asterisk' : refuse('`*` is a target of OPTIONS only.');
  return fromAbsolute(request);
};
