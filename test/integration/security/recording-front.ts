/** Stands before a real cluster, passes everything on, and remembers which credentials each request brought. */
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

export type RecordingFront = {
  url: string;
  /** Every value of Authorization and Cookie that has come so far; '' for a request without. */
  credentials(): string[];
  close(): Promise<void>;
};

export const recordingFront = async (upstream: string): Promise<RecordingFront> => {
  const seen: string[] = [];
  const server = createServer((incoming, outgoing) => {
    const { authorization = '', cookie } = incoming.headers;
    seen.push(authorization);
    if (cookie !== undefined) seen.push(cookie);
    const forward = request(new URL(incoming.url ?? '/', upstream), {
      method: incoming.method,
      headers: { ...incoming.headers, host: new URL(upstream).host },
    });
    forward.on('response', (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    forward.on('error', () => outgoing.destroy());
    incoming.pipe(forward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    credentials: () => seen,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
};
