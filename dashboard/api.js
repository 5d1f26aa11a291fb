/** Calls of the member's admin API, with the token that was typed in for this tab. */

const tokenKey = 'crossfade-token';
/** @returns {Record<string, string>} */
const authorization = () => {
  const token = sessionStorage.getItem(tokenKey);
  return token === null ? {} : { authorization: `Bearer ${token}` };
};
/** @param {string} token */
export const keepToken = (token) => sessionStorage.setItem(tokenKey, token);

export class Refused extends Error {
  /** @param {{ status: number, message: string, changedNothing: boolean }} answer */
  constructor({ status, message, changedNothing }) {
    super(message);
    this.status = status;
    this.changedNothing = changedNothing;
  }
}

/** @param {Response} answer */
const refusal = async (answer) => {
  const body = await answer.json().catch(() => ({}));
  const { status, headers } = answer;
  const changedNothing = status < 500 || headers.get('x-crossfade-not-sent') === 'true';
  return new Refused({ status, message: body.error?.reason ?? `status ${status}`, changedNothing });
};

/** @param {string} path @param {RequestInit} [init] */
export const call = async (path, init = {}) => {
  const answer = await fetch(path, { ...init, headers: { ...init.headers, ...authorization() } });
  if (!answer.ok) throw await refusal(answer);
  return answer;
};

/** @param {string} path */
export const getJson = async (path) => (await call(path, { signal: AbortSignal.timeout(15_000) })).json();

/** @param {string} path @param {object} body */
export const postJson = async (path, body) => {
  const headers = { 'content-type': 'application/json' };
  return (await call(path, { method: 'POST', headers, body: JSON.stringify(body) })).json();
};
