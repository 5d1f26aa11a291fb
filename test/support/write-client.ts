/** Sends requests through classifier, planner and the executors of writes, without a listener. */
import { CrossfadeError, renderError } from '../../src/errors.ts';
import { classify } from '../../src/proxy/classify.ts';
import type { ClientAnswer, ClientRequest } from '../../src/proxy/client-request.ts';
import { plan } from '../../src/proxy/plan.ts';
import type { RequestHead, RouteTable } from '../../src/proxy/types.ts';
import { createWriteExecutors, type WriteDeps } from '../../src/proxy/write/index.ts';

export type Sent = { method: string; path: string; body?: Uint8Array | string; headers?: Record<string, string> };
export type Got = { status: number; headers: Record<string, unknown>; text: string; json: never };

const headOf = ({ method, path, headers = {} }: Sent): RequestHead => {
  const [rawPath = '', query = ''] = path.split(/\?(.*)/s);
  return { method, path: rawPath, query, headers };
};

export type FakeClient = ClientRequest & { readonly answers: ClientAnswer[]; leave(): void };

export const fakeClient = (sent: Sent): FakeClient => {
  const head = headOf({ headers: { 'content-type': 'application/json' }, ...sent });
  const body = Buffer.from(sent.body ?? '');
  const leaving = new AbortController();
  const answers: ClientAnswer[] = [];
  const client: Partial<FakeClient> = {
    head,
    headers: Object.entries(head.headers).flat(),
    bodyLength: body.length,
    trace: {
      family: 'unclassified',
      access: 'write',
      routeSlug: undefined,
      side: undefined,
      upstreamMs: 0,
      clientMs: 0,
    },
    aborted: leaving.signal,
    get gone() {
      return leaving.signal.aborted;
    },
    readBody: ({ maxBytes }) =>
      body.length > maxBytes ? Promise.reject(new CrossfadeError('BODY_TOO_LARGE')) : Promise.resolve(body),
    respond: (answer) => void answers.push(answer),
    answers,
    leave: () => leaving.abort(),
  };
  return client as FakeClient;
};

export const createSender = (deps: WriteDeps & { table: () => RouteTable }) => {
  const executors = createWriteExecutors(deps);
  const carryOut = (client: FakeClient): Promise<void> => {
    const { head } = client;
    const decided = plan({ operation: classify(head.method, head.path), head, table: deps.table(), now: new Date() });
    switch (decided.kind) {
      case 'write':
        return executors.write(client, decided);
      case 'bulk':
        return executors.bulk(client, decided);
      case 'by_query':
        return executors.by_query(client, decided);
      case 'reindex':
        return executors.reindex(client, decided);
      case 'reject':
        return Promise.reject(decided.error);
      default:
        throw new Error(`planned as ${decided.kind}`);
    }
  };
  const execute = async (client: FakeClient): Promise<Got> => {
    try {
      await carryOut(client);
    } catch (error) {
      if (!(error instanceof CrossfadeError)) throw error;
      client.answers.push(renderError(error));
    }
    const [answer, ...more] = client.answers;
    if (answer === undefined || more.length > 0) throw new Error(`${client.answers.length} answers to one request`);
    return gotOf(answer);
  };
  return { execute, send: (sent: Sent): Promise<Got> => execute(fakeClient(sent)) };
};

const gotOf = ({ status, headers, body }: ClientAnswer): Got => {
  const text = (body ?? '').toString();
  return {
    status,
    headers: headers as Record<string, unknown>,
    text,
    get json() {
      return JSON.parse(text) as never;
    },
  };
};
