/**
 * The stage of a fault test: an index on two real clusters, NATS, agents as processes that may be killed and paused,
 * clients that write through all of them, and the verdict at rest.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kvm } from '@nats-io/kv';
import { connect } from '@nats-io/transport-node';
import { keys } from '../../src/coordination/keys.ts';
import { PhaseRecord } from '../../src/coordination/records.ts';
import type { RouteStatus } from '../../src/fleet/fleet-status.ts';
import { type AgentProcess, crossfade, type Ran, startAgent } from '../support/agent-process.ts';
import { eventually } from '../support/eventually.ts';
import { services, uniqueName } from '../support/services.ts';
import { dropStreams } from '../integration/coordination/nats-admin.ts';
import { check, differing, type Document, type Documents } from './checker.ts';
import { documentIds, listIds, type Load, startLoad } from './load.ts';
import { Recorder } from './recorder.ts';

export type Member = { name: string; process: AgentProcess };
export type World = {
  slug: string;
  recorder: Recorder;
  load: Load;
  /** Those that clients are told of. */
  members: Member[];
  named(name: string): Member;
  /** Starts one more agent, perhaps with its own way to NATS, and tells the clients of it. */
  join(name: string, natsUrl?: string): Promise<Member>;
  /** The clients learn of it at once, as from a closed port on the same host. */
  kill(member: Member): Promise<void>;
  cli(...args: string[]): Promise<Ran>;
  status(): Promise<RouteStatus>;
  /** Waits for the gate, then switches; a switch that is given up is asked for again. */
  switchTo(phase: 'target' | 'dual'): Promise<RouteStatus>;
  /** Calls back with each phase record as it appears in the store. */
  onPhase(listener: (record: PhaseRecord) => void): Promise<() => Promise<void>>;
  /** Ends the load, waits until the sides are equal, and says what is wrong. */
  verdict(): Promise<string[]>;
  close(): Promise<void>;
};
export type WorldOptions = { agents?: number; natsUrl?: string; sourceUrl?: string; targetUrl?: string };

const call = async (url: string, method: string, body?: unknown): Promise<unknown> => {
  const type = typeof body === 'string' ? 'application/x-ndjson' : 'application/json';
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await fetch(url, {
    method,
    signal: AbortSignal.timeout(30_000),
    ...(body === undefined ? {} : { body: text, headers: { 'content-type': type } }),
  });
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`);
  return answer.json();
};

const seed = async (url: string, index: string, { alias, recorder }: { alias: string; recorder: Recorder }) => {
  const keyword = { type: 'keyword' };
  await call(`${url}/${index}`, 'PUT', {
    settings: { number_of_shards: 2, number_of_replicas: 0 },
    mappings: { properties: { value: keyword, tokens: keyword } },
    aliases: { [alias]: {} },
  });
  const documents: [string, Document][] = [
    ...documentIds.map((id): [string, Document] => [id, { value: `seed-${id}` }]),
    ...listIds.map((id): [string, Document] => [id, { tokens: [] }]),
  ];
  const lines = documents.map(([_id, source]) => `${JSON.stringify({ index: { _id } })}\n${JSON.stringify(source)}\n`);
  await call(`${url}/${index}/_bulk?refresh=true`, 'POST', lines.join(''));
  for (const id of documentIds)
    recorder.settle(recorder.begin({ kind: 'set', id, value: `seed-${id}` }), 'acknowledged', '201');
};

type Page = { hits: { hits: { _id: string; _source: Document }[] } };
const readAll = async (url: string, index: string): Promise<Documents> => {
  await call(`${url}/${index}/_refresh`, 'POST');
  const { hits } = (await call(`${url}/${index}/_search`, 'POST', { size: 10_000 })) as Page;
  return new Map(hits.hits.map(({ _id, _source }) => [_id, _source]));
};

/** Left to agents that were killed: their own tests tell how they end. */
const endAll = async (members: readonly Member[]): Promise<void> => {
  for (const { process } of members) process.signal('SIGCONT');
  await Promise.all(members.map(({ process }) => process.stop()));
};

export const buildWorld = async (options: WorldOptions = {}): Promise<World> => {
  const urls = await services();
  const slug = uniqueName('fault');
  const names = { source: `${slug}_v1`, target: `${slug}_v2` };
  const natsUrl = options.natsUrl ?? urls.natsUrl;
  const folder = mkdtempSync(join(tmpdir(), 'crossfade-fault-'));
  const store = { CROSSFADE_NATS_SERVERS: natsUrl, CROSSFADE_NATS_BUCKET: slug };
  const members: Member[] = [];
  const recorder = new Recorder();
  const cli = (...args: string[]): Promise<Ran> => crossfade(args, store);
  const must = async (...args: string[]): Promise<void> => {
    const { exit, out, err } = await cli(...args);
    if (exit !== 0) throw new Error(`crossfade ${args.join(' ')}: exit ${exit}: ${out}${err}`);
  };
  const launch = async (name: string, ownNatsUrl = natsUrl): Promise<Member> => {
    const process = await startAgent({
      env: {
        ...store,
        CROSSFADE_NATS_SERVERS: ownNatsUrl,
        CROSSFADE_MEMBER: name,
        CROSSFADE_CLUSTERS_SOURCE_URL: options.sourceUrl ?? urls.sourceUrl,
        CROSSFADE_CLUSTERS_TARGET_URL: options.targetUrl ?? urls.targetUrl,
      },
    });
    return { name, process };
  };
  const status = async (): Promise<RouteStatus> => {
    const asked = members.map(({ process }) => call(`${process.adminUrl}/api/routes/${slug}`, 'GET'));
    return (await Promise.any(asked)) as RouteStatus;
  };

  await seed(urls.sourceUrl, names.source, { alias: slug, recorder });
  members.push(...(await Promise.all(Array.from({ length: options.agents ?? 3 }, (_, i) => launch(`agent-${i}`)))));
  const file = join(folder, 'route.json');
  const targetSettings = { number_of_replicas: 0 };
  // A machine that is busy with other things must not make a switch give up.
  const cutover = { budgetMs: 10_000 };
  writeFileSync(
    file,
    JSON.stringify({ route: slug, indices: [names], aliases: [slug], createTarget: true, targetSettings, cutover }),
  );
  await must('apply', '-f', file);
  const load = startLoad({ alias: slug, agents: () => members.map(({ process }) => process.url), recorder });
  await must('phase', slug, 'dual');

  let refusal = '';
  const attempt = async (phase: 'target' | 'dual'): Promise<RouteStatus | undefined> => {
    const verb = phase === 'target' ? 'advance' : 'rollback';
    const safe = (now: RouteStatus) => (phase === 'target' ? now.safeToAdvance : now.safeToRollBack);
    let reasons: readonly string[] = [];
    const ready = async (): Promise<boolean> => {
      const answer = safe(await status());
      reasons = answer.reasons;
      return answer.ok;
    };
    await eventually(ready, { timeoutMs: 60_000, everyMs: 200, what: `the gate to open for ${verb}` }).catch(
      (error: unknown) => {
        throw new Error(`no ${verb}: ${reasons.join('; ')}`, { cause: error });
      },
    );
    const { exit, out, err } = await cli(verb, slug, '--wait', '--yes');
    refusal = exit === 0 ? '' : `${out}${err}`;
    return exit === 0 ? eventually(async () => ((await status()).phase === phase ? status() : undefined)) : undefined;
  };
  const close = async (): Promise<void> => {
    await load.stop();
    await endAll(members);
    for (const side of ['source', 'target'] as const) {
      const url = urls[`${side}Url`];
      await fetch(`${url}/${names[side]}`, { method: 'DELETE' });
      await fetch(`${url}/crossfade-fence/_alias/crossfade-${slug}-*`, { method: 'DELETE' });
    }
    await dropStreams(natsUrl, slug);
    rmSync(folder, { recursive: true, force: true });
  };

  return {
    slug,
    recorder,
    load,
    members,
    cli,
    status,
    named: (name) => {
      const member = members.find((one) => one.name === name);
      if (member === undefined) throw new Error(`no agent ${name}`);
      return member;
    },
    join: async (name, ownNatsUrl) => {
      const member = await launch(name, ownNatsUrl);
      members.push(member);
      return member;
    },
    kill: async (member) => {
      member.process.signal('SIGKILL');
      members.splice(members.indexOf(member), 1);
      await member.process.exit();
    },
    switchTo: async (phase) => {
      for (let tries = 0; tries < 3; tries++) {
        const done = await attempt(phase);
        if (done !== undefined) return done;
      }
      throw new Error(`no switch to ${phase}: ${refusal} ${JSON.stringify((await status()).lastCutover)}`);
    },
    onPhase: async (listener) => {
      const connection = await connect({ servers: [natsUrl] });
      const bucket = await new Kvm(connection).open(slug);
      const watch = await bucket.watch({ key: keys.phase(slug) });
      const follow = async (): Promise<void> => {
        for await (const entry of watch) listener(PhaseRecord.parse(entry.json()));
      };
      const following = follow();
      return async () => {
        watch.stop();
        await following;
        await connection.close();
      };
    },
    verdict: async () => {
      await load.stop();
      const sides = async () => ({
        source: await readAll(urls.sourceUrl, names.source),
        target: await readAll(urls.targetUrl, names.target),
      });
      let seen = await sides();
      const equal = async (): Promise<boolean> => {
        seen = await sides();
        return differing(seen.source, seen.target).length === 0;
      };
      await eventually(equal, { timeoutMs: 30_000, everyMs: 250 }).catch(() => undefined);
      return check({ operations: recorder.operations, ...seen });
    },
    close,
  };
};
