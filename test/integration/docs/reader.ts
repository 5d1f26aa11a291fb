/**
 * A person who follows a page: has a folder, a shell with two variables, an agent, and types what the page says. What a
 * page calls `products` is an index of this person's own; `crossfade` as a bucket is a bucket of its own; `nats` is
 * stood in for by a raw client that sends the same bytes. Everything else runs as written, as real processes.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { headers, type NatsConnection } from '@nats-io/transport-node';
import type { RouteStatus } from '../../../src/fleet/fleet-status.ts';
import { type AgentProcess, crossfade, type Ran, startAgent } from '../../support/agent-process.ts';
import { eventually } from '../../support/eventually.ts';
import { services, uniqueName } from '../../support/services.ts';
import { root } from '../../unit/docs/files.ts';
import { dropStreams, kvPut, withNats } from '../coordination/nats-admin.ts';

const main = join(import.meta.dirname, '../../../src/main.ts');
type Urls = Awaited<ReturnType<typeof services>>;
/** Commands as the pages show them that some reader has run. */
export const typed = new Set<string>();

/** Words of a command line; single quotes keep blanks together. */
const wordsOf = (line: string): string[] =>
  [...line.matchAll(/(?:[^\s']|'[^']*')+/g)].map(([word]) => word.replaceAll("'", ''));

export class Reader {
  readonly slug = uniqueName('docs');
  readonly bucket = uniqueName('docs');
  readonly folder = mkdtempSync(join(tmpdir(), 'crossfade-docs-'));
  readonly #urls: Urls;
  readonly #agents: AgentProcess[] = [];

  private constructor(urls: Urls) {
    this.#urls = urls;
  }

  static async create(): Promise<Reader> {
    return new Reader(await services());
  }

  get env(): Record<string, string> {
    return { CROSSFADE_NATS_SERVERS: this.#urls.natsUrl, CROSSFADE_NATS_BUCKET: this.bucket };
  }

  /** With the variables that a page shows, hosts of the page replaced by those of the test services. */
  async startAgent(env: Record<string, string>): Promise<AgentProcess> {
    const agent = await startAgent({ env: { ...env, ...this.env } });
    this.#agents.push(agent);
    return agent;
  }

  /** `products` as the page writes it, under this reader's name. */
  own(text: string): string {
    return text.replaceAll('products', this.slug);
  }

  writeFile(name: string, text: string): void {
    writeFileSync(join(this.folder, name), this.own(text));
  }

  /** Runs a line of a page. A switch that was given up for want of time on a busy machine is asked again, as a person would. */
  async type(line: string): Promise<Ran> {
    typed.add(line);
    const words = wordsOf(this.own(line.replace('<id>', 'kept-1').replace('<key>', 'rt.products.rate')));
    // An install would take the packages away that this very test runs on.
    if (words[0] === 'npm' && words[1] !== 'run')
      throw new Error(`no test types ${line}: give it a reason in the table`);
    if (words[0] === 'npm' && !words.includes('crossfade')) return this.#npm(words.slice(1));
    // From a checkout: everything behind the two dashes is what the installed command gets.
    const [tool, ...args] = words[0] === 'npm' ? ['crossfade', ...words.slice(words.indexOf('--') + 1)] : words;
    if (tool === 'curl') return this.#curl(args);
    if (tool === 'nats') return this.#nats(args);
    if (args.includes('--watch')) return this.#watch(args);
    const named = args.map((word) =>
      word.endsWith('.yaml') ? join(this.folder, word.replace(this.slug, 'products')) : word,
    );
    if (tool !== 'crossfade') throw new Error(`no test knows how to type ${line}: give it a reason in the table`);
    let ran = await crossfade(named, this.env);
    for (let tries = 0; ran.exit === 4 && tries < 8; tries++) ran = await crossfade(named, this.env);
    return ran;
  }

  async status(): Promise<RouteStatus> {
    return JSON.parse((await crossfade(['status', this.slug, '--json'], this.env)).out) as RouteStatus;
  }

  /** A person watches until it is safe to advance, and presses Ctrl-C. */
  async #watch(args: readonly string[]): Promise<Ran> {
    const env = { PATH: process.env['PATH'] ?? '', ...this.env };
    const child = spawn(process.execPath, [main, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString('utf8')));
    const closed = once(child, 'close');
    try {
      await eventually(() => /safe to advance\?\s+yes/.test(out.slice(out.lastIndexOf('safe to advance?'))), {
        timeoutMs: 90_000,
        what: 'safe to advance',
      });
    } finally {
      child.kill('SIGINT');
    }
    const [code] = (await closed) as [number | null];
    return { exit: code ?? -1, out, err: '' };
  }

  async #nats(args: readonly string[]): Promise<Ran> {
    const out = await withNats(this.#urls.natsUrl, (connection) => this.#asNats(connection, args));
    return { exit: 0, out, err: '' };
  }

  async #asNats(
    connection: NatsConnection,
    [group = '', verb = '', name = '', ...rest]: readonly string[],
  ): Promise<string> {
    const bucket = name.replace('KV_', '').replace('crossfade', this.bucket);
    const [key = '', value = ''] = rest;
    const manager = await jetstreamManager(connection);
    switch (`${group} ${verb}`) {
      case 'kv put':
        await kvPut(connection, bucket, { key, value });
        return value;
      case 'kv get':
        return (await (await new Kvm(connection).open(bucket)).get(key))?.string() ?? '';
      case 'kv del': {
        if (key.startsWith('-')) return String(await manager.streams.delete(`KV_${bucket}`));
        const deletion = headers();
        deletion.set('KV-Operation', 'DEL');
        await connection.request(`$KV.${bucket}.${key}`, '', { headers: deletion, timeout: 5000 });
        return 'deleted';
      }
      case 'kv add':
        return this.#addBucket(connection, `${bucket}-made`, rest);
      case 'kv info':
      case 'stream info':
        return (await manager.streams.info(`KV_${bucket}`)).config.name;
      default:
        throw new Error(`nats ${group} ${verb} is not known to this reader`);
    }
  }

  /** On one server there is one replica. */
  async #addBucket(connection: NatsConnection, bucket: string, flags: readonly string[]): Promise<string> {
    const flag = (name: string) => flags.find((text) => text.startsWith(`--${name}=`))?.split('=')[1];
    const ttlSeconds = flag('ttl')?.replace('s', '');
    const [src = '', dest = ''] = ['republish-source', 'republish-destination'].map((name) =>
      flag(name)?.replace('crossfade', this.bucket),
    );
    await new Kvm(connection).create(bucket, {
      history: Number(flag('history')),
      ...(ttlSeconds === undefined ? {} : { ttl: Number(ttlSeconds) * 1000 }),
      republish: { src: src.replace(this.bucket, `${this.bucket}-made`), dest },
    });
    return bucket;
  }

  async #npm(args: readonly string[]): Promise<Ran> {
    // Anything else of npm may change the tree that this test runs in.
    if (args.join(' ') !== 'run -s sbom') throw new Error(`npm ${args.join(' ')} is not known to this reader`);
    const child = spawn('npm', [...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    const [code] = (await once(child, 'close')) as [number | null];
    return { exit: code ?? -1, out: Buffer.concat(chunks).toString('utf8'), err: '' };
  }

  async #curl(args: readonly string[]): Promise<Ran> {
    const method = args.find((word) => word.startsWith('-X'))?.slice(2) ?? 'GET';
    const url = args.find((word) => word.startsWith('http')) ?? '';
    const body = args[args.indexOf('-d') + 1];
    const answer = await fetch(url.replace('http://search:9200', this.#urls.sourceUrl), {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body }),
    });
    return { exit: answer.ok ? 0 : 22, out: await answer.text(), err: '' };
  }

  async stopAgents(): Promise<void> {
    await Promise.all(this.#agents.splice(0).map((agent) => agent.stop()));
  }

  async leave(): Promise<void> {
    await this.stopAgents();
    for (const url of [this.#urls.sourceUrl, this.#urls.targetUrl])
      for (const index of [`${this.slug}_v1`, `${this.slug}_v2`]) await fetch(`${url}/${index}`, { method: 'DELETE' });
    await dropStreams(this.#urls.natsUrl, this.bucket);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
