/** How long a cluster took, apart from how long its client did. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CrossfadeError } from '../../../src/errors.ts';
import type { ClientRequest } from '../../../src/proxy/client-request.ts';
import { startRelay } from '../../../src/proxy/relay.ts';
import type { AnswerSink, Cluster, StreamRequest } from '../../../src/upstream/types.ts';

let nowMs = 0;
beforeEach(() => {
  nowMs = 1000;
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const piece = Buffer.from('abc');

/** A client and a cluster that do what they are told, and the time that was measured between them. */
const passing = (streamed?: AsyncIterable<Buffer>) => {
  const trace = { upstreamMs: 0, clientMs: 0 };
  const told: number[] = [];
  let answer: AnswerSink | undefined;
  let giveBody: ((body: Buffer) => void) | undefined;
  let loseBody: ((error: CrossfadeError) => void) | undefined;
  let drain: () => void = () => undefined;
  let leave: () => void = () => undefined;
  let ready = true;
  const request = {
    ...{
      method: 'POST',
      target: '/p/_search',
      headers: [],
      bodyLength: streamed === undefined ? 3 : undefined,
      bodyRead: undefined,
      answerBegun: false,
      trace,
    },
    takeBody: (_: number, done: (body: Buffer) => void, failed: (error: CrossfadeError) => void) => {
      [giveBody, loseBody] = [done, failed];
    },
    bodyChunks: () => streamed,
    beginAnswer: () => undefined,
    writeAnswer: () => ready,
    endAnswer: () => undefined,
    answerWhole: () => undefined,
    onDrain: (callback: () => void) => (drain = callback),
    onGone: (callback: () => void) => (leave = callback),
  } as unknown as ClientRequest;
  let pulled: AsyncIterator<Uint8Array> | undefined;
  const cluster = {
    stream: ({ body }: StreamRequest, sink: AnswerSink) => {
      answer = sink;
      if (body !== null && !Buffer.isBuffer(body)) pulled = body[Symbol.asyncIterator]();
      return { resume: () => undefined, abort: () => undefined };
    },
  } as unknown as Cluster;
  startRelay(request, { cluster, tap: { onEnd: (tookMs) => told.push(tookMs) } }, () => undefined);
  return {
    trace,
    told,
    later: (ms: number) => void (nowMs += ms),
    pull: () => pulled?.next(),
    giveBody: () => giveBody?.(Buffer.from('{}')),
    loseBody: (error: CrossfadeError) => loseBody?.(error),
    head: () => answer?.onHead(200, 'OK', []),
    data: (isReady: boolean) => {
      ready = isReady;
      answer?.onData(piece);
    },
    end: () => answer?.onEnd(),
    drain: () => drain(),
    leave: () => leave(),
  };
};

describe('the time that a cluster took', () => {
  it('begins when the request is sent, however long its body took to come', () => {
    const { later, giveBody, head, end, told, trace } = passing();
    later(700);
    giveBody();
    later(20);
    head();
    later(3);
    end();
    expect([told, trace]).toEqual([[23], { upstreamMs: 23, clientMs: 700 }]);
  });

  it('does not go on while the client is slow to send a body that is passed on as it comes', async () => {
    const slow = async function* () {
      for (let i = 0; i < 3; i++) {
        nowMs += 500;
        yield piece;
      }
      nowMs += 400;
    };
    const { later, pull, head, end, told, trace } = passing(slow());
    for (let isOver = false; !isOver;) {
      isOver = (await pull())?.done !== false;
      later(1);
    }
    later(20);
    head();
    later(3);
    end();
    expect([told, trace]).toEqual([[27], { upstreamMs: 27, clientMs: 1900 }]);
  });

  it('does not go on while the client reads no faster', () => {
    const { later, giveBody, head, data, drain, end, told, trace } = passing();
    giveBody();
    later(20);
    head();
    for (let i = 0; i < 3; i++) {
      data(false);
      later(500);
      drain();
      later(1);
    }
    data(true);
    end();
    expect([told, trace]).toEqual([[23], { upstreamMs: 23, clientMs: 1500 }]);
  });

  it('ends where the client began to read no further when it leaves then', () => {
    const { later, giveBody, head, data, leave, trace } = passing();
    giveBody();
    later(20);
    head();
    data(false);
    later(500);
    leave();
    expect(trace).toEqual({ upstreamMs: 20, clientMs: 500 });
  });

  it('is none when nothing was sent', () => {
    const { later, loseBody, trace } = passing();
    later(700);
    loseBody({} as CrossfadeError);
    expect(trace).toEqual({ upstreamMs: 0, clientMs: 700 });
  });
});
