/**
 * An HTTP relay in front of a cluster that misbehaves on demand: it drops the answer after the cluster has applied the
 * request, resets, answers something itself, never answers, or passes the request on late.
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
  | { kind: 'answer'; status: number }
  | { kind: 'late'; until: Promise<void> };
export type Asked = { method: string; path: string; body: Buffer };
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

  const forward = async (asked: Asked, incoming: IncomingMessage) => {
    const { body } = asked;
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
    const { statusCode, headers, bytes } = await forward(asked, incoming);
    const kept = endToEnd(headers);
    const length = asked.method === 'HEAD' ? Number(headers['content-length'] ?? 0) : bytes.length;
    response.writeHead(statusCode, { ...kept, 'content-length': length });
    response.end(bytes);
  };
  const misbehaving = async (fault: Fault, asked: Asked, incoming: IncomingMessage, response: ServerResponse) => {
    switch (fault.kind) {
      case 'drop-answer':
        await forward(asked, incoming);
        return incoming.socket.destroy();
      case 'reset':
        return incoming.socket.resetAndDestroy();
      case 'hang':
        if (fault.applied === true) await forward(asked, incoming);
        return hanging.add(incoming);
      case 'answer':
        return response.writeHead(fault.status, { 'content-type': 'application/json' }).end(refusal(fault.status));
      case 'late':
        await fault.until;
        return pass(asked, incoming, response);
      default:
        return fault satisfies never;
    }
  };
  const serve = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const asked = { method: incoming.method ?? 'GET', path: incoming.url ?? '/', body: await buffer(incoming) };
    const fault = choose(asked);
    if (fault === undefined) return pass(asked, incoming, response);
    await misbehaving(fault, asked, incoming, response);
    faults++;
  };
  const server = createServer((incoming, response) => {
    serve(incoming, response).catch(() => incoming.socket.destroy());
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
