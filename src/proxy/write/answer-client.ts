/**
 * Makes the authority's answer the client's: names it knows, terms that carry the reign, `get` and `filter_path` as it
 * asked. An answer that is not JSON passes as it is.
 */
import type { RouteState } from '../../coordination/ports.ts';
import { applyEdits, members, skipSpace } from '../../json/scan.ts';
import type { UpstreamAnswer } from '../../upstream/types.ts';
import type { ClientAnswer } from '../client-request.ts';
import { prettyJson } from '../../json/pretty.ts';
import { decodeComponent } from '../percent-encoding.ts';
import { type IndexNames, renameIndices } from '../rename.ts';
import { answerEdits } from './answer-facts.ts';
import type { Form } from './answer-form.ts';
import { applyFilterPath } from './filter-path.ts';
import { shownNames } from './names.ts';

export type Treatment = {
  readonly stripGet: boolean;
  readonly form: Form;
  /** As the client wrote it. */
  readonly name: string;
};

/** The transport has undone the coding; the length is set anew. */
const ownHeaders = new Set(['content-encoding', 'content-length', 'transfer-encoding', 'connection', 'keep-alive']);

export const clientHeaders = (
  headers: UpstreamAnswer['headers'],
  names: IndexNames,
): Record<string, string | string[]> => {
  const kept = Object.fromEntries(Object.entries(headers).filter(([name]) => !ownHeaders.has(name)));
  const { location } = kept;
  return typeof location === 'string' ? { ...kept, location: renameLocation(location, names) } : kept;
};

/** `/index/_doc/id`: the first segment is the index. */
const renameLocation = (location: string, names: IndexNames): string => {
  const [, first = '', rest = ''] = /^\/([^/]*)(.*)$/s.exec(location) ?? [];
  const to = names.get(decodeComponent(first) ?? first);
  return to === undefined ? location : `/${encodeURIComponent(to)}${rest}`;
};

const isError = (body: Buffer): boolean => {
  const { error, status } = members(body, 0, ['error', 'status']);
  return error !== undefined && status !== undefined;
};

export const showBody = (body: Buffer, names: IndexNames, { filter, pretty }: Form): Buffer => {
  try {
    const renamed = renameIndices(body, names);
    if (filter === undefined || isError(renamed)) return renamed;
    const filtered = applyFilterPath(renamed, filter);
    return pretty ? prettyJson(filtered) : filtered;
  } catch {
    return body;
  }
};

export const showSingle = (answer: UpstreamAnswer, state: RouteState, treatment: Treatment): ClientAnswer => {
  const { reign } = state.phase;
  const names = shownNames([state], treatment.name);
  const edited = editSingle(answer.body, { stripGet: treatment.stripGet, reign });
  return {
    status: answer.status,
    headers: clientHeaders(answer.headers, names),
    body: showBody(edited, names, treatment.form),
  };
};

const editSingle = (body: Buffer, edits: { stripGet: boolean; reign: number }): Buffer => {
  try {
    return applyEdits(body, answerEdits(body, skipSpace(body, 0), edits));
  } catch {
    return body;
  }
};
