/**
 * `GET /api/events`: the stream behind the dashboard. Each client first gets the moments it has not seen, then every look
 * of the shared sampler, written once for all. Bounds: so many clients, so many bytes behind, so long a life; a client
 * that is cut off comes back with the id it saw last, and with a token that is valid then.
 */
import { PassThrough } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { repeat, systemTimers, type Timers } from '../coordination/timers.ts';
import { CrossfadeError } from '../errors.ts';
import type { Look, Sampler, SamplerEvent } from './sampler.ts';
import { eventId, frameText, heartbeatText, resumeFrom } from './sse.ts';

export type EventStreamOptions = {
  sampler: Sampler;
  /** Told to each client once. */
  self: { member: string; version: string };
  /** Random per process start. */
  boot: string;
  timers?: Timers;
  bounds?: Partial<Bounds>;
};
export type Bounds = { maxClients: number; maxBehindBytes: number; heartbeatMs: number; maxLifeMs: number };

const defaultBounds: Bounds = {
  maxClients: 32,
  maxBehindBytes: 16 * 1024 * 1024,
  heartbeatMs: 15_000,
  maxLifeMs: 15 * 60_000,
};

const lastEventId = ({ headers }: FastifyRequest): string | undefined => {
  const id = headers['last-event-id'];
  return typeof id === 'string' ? id : undefined;
};

export class EventStream {
  readonly #options: EventStreamOptions & { timers: Timers };
  readonly #bounds: Bounds;
  readonly #clients = new Set<PassThrough>();
  #detach: (() => void) | undefined;

  constructor(options: EventStreamOptions) {
    this.#options = { timers: systemTimers, ...options };
    this.#bounds = { ...defaultBounds, ...options.bounds };
  }

  get clients(): number {
    return this.#clients.size;
  }

  /** @throws CrossfadeError TOO_MANY_CONNECTIONS */
  open(lastId: string | undefined): PassThrough {
    if (this.#clients.size >= this.#bounds.maxClients)
      throw new CrossfadeError('TOO_MANY_CONNECTIONS', `${this.#clients.size} dashboards are open at this member.`);
    const client = new PassThrough();
    this.#clients.add(client);
    const { timers, sampler } = this.#options;
    const endBeats = repeat(timers, this.#bounds.heartbeatMs, async () => this.#write(client, heartbeatText));
    const endLife = timers.set(() => client.end(), this.#bounds.maxLifeMs);
    client.once('close', () => {
      endBeats();
      endLife();
      this.#leave(client);
    });
    this.#greet(client, lastId);
    this.#detach ??= sampler.attach((event) => this.#broadcast(event));
    return client;
  }

  close(): void {
    for (const client of this.#clients) client.end();
  }

  #leave(client: PassThrough): void {
    this.#clients.delete(client);
    if (this.#clients.size > 0) return;
    this.#detach?.();
    this.#detach = undefined;
  }

  #greet(client: PassThrough, lastId: string | undefined): void {
    const { boot, sampler, self } = this.#options;
    const from = resumeFrom(boot, lastId);
    const data = { ...self, resumed: from > 0, moments: sampler.since(from) };
    this.#write(client, frameText({ event: 'hello', data }));
    const latest = sampler.latest();
    if (latest !== undefined) this.#write(client, this.#lookText(latest));
  }

  #lookText(look: Look): string {
    return frameText({ event: 'look', id: eventId(this.#options.boot, look.seq), data: look });
  }

  #broadcast(event: SamplerEvent): void {
    const text =
      event.kind === 'look'
        ? this.#lookText(event.look)
        : frameText({ event: 'problem', data: { message: event.message } });
    for (const client of this.#clients) this.#write(client, text);
  }

  #write(client: PassThrough, text: string): void {
    if (client.writableEnded) return;
    client.write(text);
    if (client.writableLength + client.readableLength > this.#bounds.maxBehindBytes) client.destroy();
  }
}

export const addEvents = (app: FastifyInstance, options: EventStreamOptions): EventStream => {
  const events = new EventStream(options);
  app.get('/api/events', (request, reply) => {
    const client = events.open(lastEventId(request));
    request.raw.once('close', () => client.destroy());
    return reply.type('text/event-stream').header('x-accel-buffering', 'no').send(client);
  });
  app.addHook('preClose', async () => {
    events.close();
    options.sampler.close();
  });
  return events;
};
