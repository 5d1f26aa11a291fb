/**
 * A migration with one agent and the embedded store, for tests of what happens over phases: names of its own on both
 * clusters, a folder for its files, the command line on the same store, and an end that leaves nothing behind.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AgentProcess, crossfade, must, type Ran, startAgent, statusAt } from './agent-process.ts';
import { eventually } from './eventually.ts';
import { services, uniqueName } from './services.ts';

type Urls = Awaited<ReturnType<typeof services>>;
type Answer = { ok: boolean; status: number; side: string | null; text: string };
type Ready = 'safeToAdvance' | 'safeToRollBack';

export const send = async (method: string, url: string, body?: unknown): Promise<Answer> => {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(url, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const { ok, status } = answer;
  return { ok, status, side: answer.headers.get('x-crossfade-side'), text: await answer.text() };
};

/** @throws when the answer is no success */
// oxlint-disable-next-line typescript/no-explicit-any -- each test knows the shape that it asks for
export const request = async (method: string, url: string, body?: unknown): Promise<any> => {
  const { ok, text } = await send(method, url, body);
  if (!ok) throw new Error(`${method} ${url}: ${text}`);
  return JSON.parse(text);
};

export class OneAgent {
  readonly slug: string;
  readonly source: string;
  readonly target: string;
  readonly folder: string;
  #urls: Urls | undefined;
  #agent: AgentProcess | undefined;
  #env: Record<string, string> = {};

  constructor(name: string) {
    this.slug = uniqueName(name);
    this.source = `${this.slug}_v1`;
    this.target = `${this.slug}_v2`;
    this.folder = mkdtempSync(join(tmpdir(), `crossfade-${name}-`));
  }

  get urls(): Urls {
    if (this.#urls === undefined) throw new Error('the services are not up');
    return this.#urls;
  }
  get agent(): AgentProcess {
    if (this.#agent === undefined) throw new Error('the agent is not started');
    return this.#agent;
  }

  async createSource(more: Record<string, unknown> = {}): Promise<void> {
    this.#urls ??= await services();
    const settings = { number_of_replicas: 0, number_of_shards: 1 };
    const body = { settings, ...more, aliases: { [this.slug]: {} } };
    await request('PUT', `${this.urls.sourceUrl}/${this.source}`, body);
  }

  /** `store`: the name of the embedded store; another one is another migration. */
  async start(store = 'store'): Promise<void> {
    this.#env = { CROSSFADE_STORE_FILE: join(this.folder, `${store}.json`), CROSSFADE_MEMBER: 'pod-0' };
    const { sourceUrl, targetUrl } = this.urls;
    const clusters = { CROSSFADE_CLUSTERS_SOURCE_URL: sourceUrl, CROSSFADE_CLUSTERS_TARGET_URL: targetUrl };
    this.#agent = await startAgent({ env: { ...this.#env, ...clusters } });
  }

  async apply(more: Record<string, unknown> = {}): Promise<void> {
    const { slug, source, target } = this;
    const route = { route: slug, indices: [{ source, target }], aliases: [slug], createTarget: true, ...more };
    const file = join(this.folder, 'route.json');
    writeFileSync(file, JSON.stringify(route));
    await this.must('apply', '-f', file);
  }

  cli(...args: string[]): Promise<Ran> {
    return crossfade(args, this.#env);
  }
  must(...args: string[]): ReturnType<typeof must> {
    return must(this.cli(...args));
  }
  status() {
    return statusAt(this.agent, this.slug);
  }
  async untilReady(which: Ready = 'safeToAdvance'): Promise<void> {
    const isReady = async (): Promise<boolean> => (await this.status())[which]?.ok === true;
    await eventually(isReady, { what: which, timeoutMs: 60_000 });
  }

  async close(): Promise<void> {
    await this.#agent?.stop();
    for (const [url, index] of [
      [this.#urls?.sourceUrl, this.source],
      [this.#urls?.targetUrl, this.target],
    ])
      if (url !== undefined) await fetch(`${url}/${index}`, { method: 'DELETE' });
    rmSync(this.folder, { recursive: true, force: true });
  }
}
