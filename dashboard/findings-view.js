/**
 * A sample of a mismatch as texts: both sides next to each other, and the request as a command. Pure. Values came as keyed
 * hashes: what was equal still looks equal, and nothing can be read back.
 */
import { milliseconds, time } from './format.js';

/** @typedef {string | number | { key: string }} PathSegment */
/** @typedef {{ severity: string, kind: string, path: readonly PathSegment[], authority?: unknown, other?: unknown }} Difference */
/**
 * @typedef {object} Finding
 * @property {string} id
 * @property {string} at
 * @property {string} [member]
 * @property {string} [severity]
 * @property {string} [family]
 * @property {string} [shape]
 * @property {string} [shapeLabel]
 * @property {string} [authority]
 * @property {string} [summary]
 * @property {{ method: string, path: string, query: string, body?: string }} [request]
 * @property {readonly Difference[]} [differences]
 * @property {number} [authorityMs]
 * @property {number} [otherMs]
 */

/** @param {readonly PathSegment[] | undefined} path */
export const pathText = (path) =>
  (path ?? []).map((segment) => (typeof segment === 'object' ? segment.key : String(segment))).join('.');

/** @param {unknown} value */
const valueText = (value) => {
  if (value === undefined) return '–';
  return typeof value === 'string' ? value : JSON.stringify(value, null, 1);
};

/** In single quotes nothing is special to a shell but the quote itself. @param {string} text */
const quote = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/** The request as it was sent to the sidecar; credentials are added by whoever runs it. @param {Finding['request']} request */
export const curlOf = (request) => {
  if (request === undefined) return '';
  const { method, path, query, body } = request;
  const url = `http://127.0.0.1:9200${path}${query === '' ? '' : `?${query}`}`;
  const type = /\/_msearch(\/|$)/.test(path) ? 'application/x-ndjson' : 'application/json';
  const data =
    body === undefined || body === '' ? [] : ['-H', quote(`content-type: ${type}`), '--data-raw', quote(body)];
  return ['curl', '-sS', '--globoff', '-X', method, quote(url), ...data].join(' ');
};

/** @param {Finding} finding */
export const findingOf = (finding) => ({
  severity: finding.severity ?? '',
  at: time(finding.at),
  family: finding.family ?? '',
  shape: finding.shapeLabel ?? finding.shape ?? '',
  summary: finding.summary ?? '',
  member: finding.member ?? '',
  timing: `authority ${finding.authority ?? ''} answered in ${milliseconds(finding.authorityMs)}, the other side in ${milliseconds(finding.otherMs)}`,
  rows: (finding.differences ?? []).map(({ severity, kind, path, authority, other }) => [
    pathText(path),
    `${severity} ${kind}`,
    valueText(authority),
    valueText(other),
  ]),
  curl: curlOf(finding.request),
});
