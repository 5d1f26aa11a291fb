/** One route per test file on the real clusters, ready in `dual`, and the executors of writes in front of it. */
import { afterAll, beforeAll } from 'vitest';
import type { RouteSpec } from '../../../src/coordination/route-spec.ts';
import { silentLogger } from '../../../src/log.ts';
import type { WriteDeps, WriteEvent } from '../../../src/proxy/write/index.ts';
import { TestRoute } from '../../support/epoch.ts';
import { ndjson } from '../../support/ndjson.ts';
import { services, uniqueName } from '../../support/services.ts';
import { testTransport } from '../../support/transport.ts';
import { createSender, type Got } from '../../support/write-client.ts';

export type Fixture = {
  readonly route: TestRoute;
  readonly slug: string;
  readonly source: string;
  readonly target: string;
  readonly events: WriteEvent[];
  readonly send: ReturnType<typeof createSender>['send'];
  readonly execute: ReturnType<typeof createSender>['execute'];
  /** Body as an object or as raw text. */
  write(method: string, path: string, body?: unknown): Promise<Got>;
  bulk(path: string, lines: readonly unknown[]): Promise<Got>;
};

type Options = {
  spec?: (names: { slug: string; source: string; target: string }) => Partial<Record<keyof RouteSpec, unknown>>;
  settings?: Record<string, unknown>;
  mappings?: Record<string, unknown>;
  deps?: Partial<WriteDeps>;
};

export const useRoute = ({ spec, settings, mappings, deps }: Options = {}): Fixture => {
  const fixture = {} as { -readonly [K in keyof Fixture]: Fixture[K] };
  beforeAll(async () => {
    const { sourceUrl, targetUrl } = await services();
    const slug = uniqueName('wr');
    const names = { slug, source: `${slug}-v1`, target: `${slug}-v2` };
    const transports = { source: testTransport(sourceUrl), target: testTransport(targetUrl) };
    const indices = [{ source: names.source, target: names.target }];
    const route = new TestRoute(transports, { route: slug, indices, aliases: [slug], ...spec?.(names) });
    await route.create(settings, mappings);
    const events: WriteEvent[] = [];
    const sender = createSender({
      transports,
      admission: route.admission,
      copies: route.copies,
      table: () => route.table,
      limits: { maxBodyBytes: 100 * 1024 * 1024 },
      logger: silentLogger(),
      now: () => performance.now(),
      onEvent: (event) => void events.push(event),
      repairIds: route.repairIds,
      ...deps,
    });
    const text = (body: unknown) => (typeof body === 'string' ? body : JSON.stringify(body));
    Object.assign(fixture, { route, events, ...names, ...sender } satisfies Partial<Fixture>);
    fixture.write = (method, path, body) =>
      sender.send({ method, path, ...(body === undefined ? {} : { body: text(body) }) });
    fixture.bulk = (path, lines) => sender.send({ method: 'POST', path, body: ndjson(lines) });
  });
  afterAll(() => fixture.route?.destroy());
  return fixture;
};
