/**
 * The body of a request that is passed on: at hand, worth waiting for, or in chunks. A reader of chunks tells when it begins
 * to wait for one and when it waits no more, so that the client's pace is not taken for that of the cluster.
 */
import type { ClientRequest } from './client-request.ts';
import { heldBodyBytes } from './framing.ts';

export type RelayBody = { body: Buffer | AsyncIterable<Buffer> | null; bodyLength?: number | undefined };

/** undefined = it must be waited for. `given` is what is sent when not the client's own. */
export const bodyAtHand = (request: ClientRequest, given: Buffer | null | undefined): RelayBody | undefined => {
  const whole = given ?? (given === undefined ? request.bodyRead : null);
  if (whole === null) return { body: null };
  if (whole !== undefined) return { body: whole.length === 0 ? null : whole };
  const { bodyLength } = request;
  if (bodyLength !== undefined && bodyLength <= heldBodyBytes) return undefined;
  return { body: request.bodyChunks(), bodyLength };
};

type Wait = { begun(): void; over(): void };

export const awaitedChunks = (chunks: AsyncIterable<Buffer>, wait: Wait): AsyncIterable<Buffer> => ({
  [Symbol.asyncIterator]: () => {
    const source = chunks[Symbol.asyncIterator]();
    return {
      next: () => {
        wait.begun();
        return source.next().then(
          (result) => {
            wait.over();
            return result;
          },
          (error: unknown) => {
            wait.over();
            throw error;
          },
        );
      },
      return: async () => (await source.return?.()) ?? { done: true, value: undefined },
    };
  },
});
