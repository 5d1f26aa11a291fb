/**
 * An HTTP relay in front of a cluster that misbehaves on demand: it drops the answer after the cluster has applied the
 * request, resets, answers something itself, or never answers.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { Agent, request } from 'undici';

export type Fault =
  | { kind: 'drop-answer' }
  | { kind: 'reset' }
  /** `applied`: the cluster gets the request, and its answer never comes. */
  | { kind: 'hang'; applied?: boolean }
  | { kind: 'answer'; status: number };
export type Asked = { method: string; path: string };
export type Relay = {
  url: string;
  /** Decides for each request; undefined lets it pass. */
  misbehave(choose: (asked: Asked) => Fault | undefined): void;
  /** Passes everything again and resets what hangs. */
  behave(): void;
  /** How many requests met a fault since the start. */
  faults(): number;
  close(): Promise<void>;
};

const hopByHop = new Set(['connection', 'keep-alive', 'transfer-encoding', 'host', 'content-length', 'expect']);
const endToEnd = (headers: IncomingMessage['headers']): Record<string, string | string[]> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined || hopByHop.has(name) ? [] : [[name, value]],
    ),
  );

const refusal = (status: number): string =>
  JSON.stringify({ error: { type: 'relay_refusal', reason: 'refused by the relay' }, status });

export const startRelay = async (upstream: string): Promise<Relay> => {
  const agent = new Agent();
  const hanging = new Set<IncomingMessage>();
  let choose: (asked: Asked) => Fault | undefined = () => undefined;
  let faults = 0;

  const forward = async (asked: Asked, incoming: IncomingMessage, body: Buffer) => {
    const headers = endToEnd(incoming.headers);
    const sent = body.length > 0 || incoming.headers['content-length'] !== undefined;
    const method = asked.method as 'GET';
    const answer = await request(`${upstream}${asked.path}`, {
      method,
      headers,
      dispatcher: agent,
      ...(sent ? { body } : {}),
    });
    return { ...answer, bytes: Buffer.from(await answer.body.arrayBuffer()) };
  };
  const pass = async (asked: Asked, incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { statusCode, headers, bytes } = await forward(asked, incoming, await buffer(incoming));
    const kept = endToEnd(headers);
    const length = asked.method === 'HEAD' ? Number(headers['content-length'] ?? 0) : bytes.length;
    response.writeHead(statusCode, { ...kept, 'content-length': length });
    response.end(bytes);
  };
  const misbehaving = async (fault: Fault, asked: Asked, incoming: IncomingMessage, response: ServerResponse) => {
    const body = await buffer(incoming);
    switch (fault.kind) {
      case 'drop-answer':
        await forward(asked, incoming, body);
        return incoming.socket.destroy();
      case 'reset':
        return incoming.socket.resetAndDestroy();
      case 'hang':
        if (fault.applied === true) await forward(asked, incoming, body);
        return hanging.add(incoming);
      case 'answer':
        return response.writeHead(fault.status, { 'content-type': 'application/json' }).end(refusal(fault.status));
      default:
        return fault satisfies never;
    }
  };
  const server = createServer((incoming, response) => {
    const asked = { method: incoming.method ?? 'GET', path: incoming.url ?? '/' };
    const fault = choose(asked);
    const work =
      fault === undefined
        ? pass(asked, incoming, response)
        : misbehaving(fault, asked, incoming, response).then(() => void faults++);
    work.catch(() => incoming.socket.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const behave = (): void => {
    choose = () => undefined;
    for (const { socket } of hanging) socket.destroy();
    hanging.clear();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    misbehave: (next) => {
      choose = next;
    },
    behave,
    faults: () => faults,
    close: async () => {
      behave();
      server.close();
      server.closeAllConnections();
      await agent.destroy();
    },
  };
};
