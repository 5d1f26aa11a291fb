/**
 * Follows /api/events for as long as the page is open: reads, notices silence, comes back after a pause and tells the
 * server what was seen last.
 */
import { call, Refused } from './api.js';
import { createSseParser } from './sse-parse.js';

/** @typedef {import('./sse-parse.js').SseEvent} SseEvent */
/** @typedef {{ onEvent(event: SseEvent): void, onLink(link: 'live' | 'lost', why: string): void, onUnauthorized(why: string): Promise<void> }} Handlers */

/** The server sends something every two seconds, and a comment at least every fifteen. */
const silenceMs = 40_000;
const pauseMs = 1500;
/** @param {number} ms */
const delay = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @param {string | undefined} lastId @param {Handlers} handlers @param {(id: string) => void} onId */
const readOnce = async (lastId, { onEvent, onLink }, onId) => {
  const quiet = new AbortController();
  let timer = setTimeout(() => quiet.abort(), silenceMs);
  const headers = lastId === undefined ? {} : { 'last-event-id': lastId };
  try {
    const answer = await call('/api/events', { headers, signal: quiet.signal });
    const reader = /** @type {ReadableStream<Uint8Array>} */ (answer.body).getReader();
    const [decoder, parse] = [new TextDecoder(), createSseParser()];
    onLink('live', '');
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => quiet.abort(), silenceMs);
      for (const event of parse(decoder.decode(value, { stream: true }))) {
        if (event.id !== undefined) onId(event.id);
        onEvent(event);
      }
    }
  } finally {
    clearTimeout(timer);
  }
};

/** Never ends. @param {Handlers} handlers */
export const follow = async (handlers) => {
  /** @type {string | undefined} */
  let lastId;
  for (;;) {
    try {
      await readOnce(lastId, handlers, (id) => {
        lastId = id;
      });
    } catch (error) {
      const refused = error instanceof Refused && (error.status === 401 || error.status === 403);
      if (refused) await handlers.onUnauthorized(error.message);
      else handlers.onLink('lost', error instanceof Error ? error.message : String(error));
    }
    await delay(pauseMs);
  }
};
