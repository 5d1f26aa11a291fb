/**
 * Documentation as a test: a newcomer follows the README and nothing else, from an empty folder to `finalize` and on
 * another index to the rollback; then every other command that any page shows is run too, or stands in the table below
 * with the reason why not here.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { AgentProcess } from '../../support/agent-process.ts';
import { eventually } from '../../support/eventually.ts';
import { services } from '../../support/services.ts';
import { pages, read } from '../../unit/docs/files.ts';
import { call, contents, createIndex, search, write } from './application.ts';
import { commandBlocks, commandsOf, yamlBlock } from './commands.ts';
import { Reader, typed } from './reader.ts';

const readme = read('README.md');
let urls: Awaited<ReturnType<typeof services>>;
beforeAll(async () => {
  urls = await services();
});

/** The variables of the sidecar in the README's manifest, with the addresses of the test services. */
const sidecarEnv = (): Record<string, string> => {
  const pod = parse(yamlBlock(readme, 'initContainers')) as {
    initContainers: { env: { name: string; value: string }[] }[];
  };
  const addresses: Record<string, string> = {
    'https://old.search:9200': urls.sourceUrl,
    'https://new.search:9200': urls.targetUrl,
    'nats://nats:4222': urls.natsUrl,
    '0.0.0.0:9600': '127.0.0.1:0',
  };
  return Object.fromEntries(
    pod.initContainers[0]!.env.map(({ name, value }) => {
      expect(addresses, `an address for ${value}`).toHaveProperty([value]);
      return [name, addresses[value]!];
    }),
  );
};

/** A reader with an index of its own, the README's route file and one agent. */
const settle = async (env: Record<string, string>, route = yamlBlock(readme, '# products.yaml')) => {
  const reader = await Reader.create();
  await createIndex(urls.sourceUrl, reader.slug);
  reader.writeFile('products.yaml', route);
  return { reader, agent: await reader.startAgent(env) };
};

const followed = async (reader: Reader, line: string): Promise<string> => {
  const { exit, out, err } = await reader.type(line);
  expect(exit, `${line}\n${out}\n${err}`).toBe(0);
  return out;
};

const complain = (agent: AgentProcess | undefined): void =>
  void process.stderr.write(`${JSON.stringify(agent?.log().filter(({ level }) => level >= 40))}\n`);

/** Of these the state matters: they are run by the walks of this file in their place. */
const ends = [
  'advance',
  'finalize',
  'rollback',
  'phase products',
  'route delete',
  'curl',
  'apply',
  'status products --watch',
];

/** Tools for people who change the project: minutes of load, or files of the tree written anew. */
const tools = /^(npm run (bench|faults)|node (bench|scripts|test)\/)/;

/** Commands that are run elsewhere or need something that no test has, each with the reason. */
const excused = new Map([
  ['npm ci && npm test', 'runs this test'],
  ['npm test', 'runs this test'],
  ['npm audit', 'asks the registry; a test must not depend on what was found out since'],
  ['npm run check', 'the first step of npm test'],
  ['npm run test:unit', 'a step of npm test'],
  ['npm run test:sim', 'a step of npm test'],
  ['npm run test:integration', 'runs this test'],
  ['npm run format', 'writes into the tree; npm run check is its check'],
  ['npm ci', 'replaces the packages that this test runs with'],
  ['npm ci && npm run demo', 'a migration of its own for minutes; run by hand before a release'],
  ['npm run demo -- --stay', 'does not end'],
  ['npm run -s crossfade -- <command>', 'a form, not a call'],
  ['crossfade <command> --help', 'a form, not a call'],
  ['helm template', 'a name in a sentence'],
  ['kubectl kustomize', 'a name in a sentence'],
  ['kubectl port-forward pod/my-app-0 9600', 'needs a pod; the page itself: test/integration/dashboard'],
  ['npm run bench -- scrape', 'needs nginx'],
  ...['kubectl get pods', 'kubectl describe pod', 'kubectl logs -c crossfade --previous', 'kubectl port-forward'].map(
    (line): [string, string] => [line, 'needs a Kubernetes cluster with nodes'],
  ),
  ...[
    'kubectl proxy',
    'kubectl get migrations -n search',
    'kubectl wait --for=condition=PhaseReached migration/products -n search',
    'kubectl apply -f deploy/operator/crd.yaml',
    'kubectl apply -n search -f deploy/operator/operator.yaml',
  ].map((line): [string, string] => [line, 'needs an API server: test/integration/kubernetes, where there is one']),
  ['crossfade operator', 'a name in a sentence'],
  ['crossfade route delete products', 'the route must be off: test/unit/cli/commands.test.ts'],
  [
    'crossfade operator --namespace search --kube-api http://127.0.0.1:8001',
    'does not end; test/integration/kubernetes/operator.test.ts',
  ],
  ['crossfade agent --config crossfade.yaml', 'test/integration/cli/process.test.ts'],
  ['crossfade apply', 'a name in a sentence'],
  ['crossfade verify', 'a name in a sentence'],
  ['crossfade repair --force', 'a name in a sentence'],
  ['crossfade verify --mode hash', 'a name in a sentence'],
  ['crossfade forget', 'a name in a sentence'],
  ['crossfade forget <member>', 'a form, not a call'],
  ['crossfade discrepancies', 'a name in a sentence'],
  ['crossfade discrepancies replay', 'a name in a sentence'],
  ['crossfade verify --mode full', 'a name in a sentence'],
  ['crossfade discrepancies show 1f0c9a2e --curl', 'needs the id of a difference: test/unit/cli/discrepancies.test.ts'],
  ['crossfade discrepancies replay 1f0c9a2e', 'needs the id of a difference: test/unit/cli/discrepancies.test.ts'],
  [
    'crossfade compare a.json b.json --request query.json --rename products_v2=products --profile rules.yaml',
    'needs files of the reader: test/unit/cli/compare.test.ts',
  ],
  [
    'curl -s "$OLD/products/_search" -d @query.json -H content-type:application/json > a.json',
    'needs files and clusters of the reader',
  ],
  [
    'curl -s "$NEW/products_v2/_search" -d @query.json -H content-type:application/json > b.json',
    'needs files and clusters of the reader',
  ],
  ['source <(crossfade completion bash)', 'test/unit/cli/commands.test.ts'],
  ['source <(crossfade completion zsh)', 'test/unit/cli/commands.test.ts'],
  ['nats kv del crossfade -f', 'the last step of the walk'],
  ['nats stream backup KV_crossfade', 'needs the nats tool'],
  ['nats kv put', 'a name in a sentence'],
  ['nats kv ls', 'a name in a sentence'],
]);

const isExcused = (line: string): boolean => excused.has(line) || tools.test(line);

describe('a newcomer with the README', () => {
  const block = commandBlocks(readme).find((lines) => lines.some((line) => line.startsWith('crossfade apply'))) ?? [];
  let reader: Reader;
  let agent: AgentProcess;

  beforeAll(async () => {
    ({ reader, agent } = await settle(sidecarEnv()));
  });
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') complain(agent);
  });
  afterAll(() => reader.leave());

  /** What a person would see after each of the ten commands, by the command. */
  const seen: Record<string, () => Promise<unknown>> = {
    'crossfade phase products observe': async () =>
      expect(await write(agent.url, reader.slug, 'in-observe')).toMatchObject({ status: 201 }),
    'crossfade phase products dual': async () => {
      expect((await write(agent.url, reader.slug, 'in-dual')).status).toBe(201);
      await eventually(async () => (await contents(urls.targetUrl, `${reader.slug}_v2`)).has('in-dual'));
    },
    'crossfade status products --watch': async () =>
      expect(await contents(urls.targetUrl, `${reader.slug}_v2`)).toEqual(
        await contents(urls.sourceUrl, `${reader.slug}_v1`),
      ),
    'nats kv put crossfade rt.products.pct.shadow 5': () =>
      eventually(
        async () => {
          for (let i = 0; i < 40; i++) await search(agent.url, reader.slug, `${i}`);
          return (await reader.status()).shadow.compared > 0;
        },
        { timeoutMs: 45_000, what: 'a comparison' },
      ),
    'nats kv put crossfade rt.products.pct.read 10': () =>
      eventually(async () => {
        const sides = await Promise.all(
          Array.from({ length: 200 }, (_, i) => search(agent.url, reader.slug, `user-${i}`)),
        );
        const share = sides.filter(({ side }) => side === 'target').length / sides.length;
        return share > 0.02 && share < 0.25;
      }),
    'crossfade advance products --rehearse --wait --yes': async () =>
      expect(await reader.status()).toMatchObject({ phase: 'dual', hold: null }),
    'crossfade advance products --wait --yes': async () => {
      expect((await reader.status()).phase).toBe('target');
      expect((await write(agent.url, reader.slug, 'in-target')).status).toBe(201);
      expect((await contents(urls.targetUrl, `${reader.slug}_v2`)).has('in-target')).toBe(true);
      await eventually(async () => (await contents(urls.sourceUrl, `${reader.slug}_v1`)).has('in-target'));
    },
    'crossfade finalize products --wait --yes': async () => {
      expect((await reader.status()).phase).toBe('final');
      const late = await call(`${urls.sourceUrl}/${reader.slug}_v1/_doc/late`, 'PUT', {});
      expect(late.status).toBe(403);
      const documents = await contents(urls.targetUrl, `${reader.slug}_v2`);
      for (const id of ['kept-0', 'in-observe', 'in-dual', 'in-target']) expect([...documents.keys()]).toContain(id);
    },
  };

  test('finds ten commands, and each check of this test belongs to one', () => {
    expect(block).toHaveLength(10);
    expect(Object.keys(seen).filter((line) => !block.includes(line))).toEqual([]);
  });

  test('starts with traffic that passes untouched', async () => {
    expect((await search(agent.url, `${reader.slug}_v1`, '1')).status).toBe(200);
  });

  test.each(block)(
    '%s',
    async (line) => {
      await followed(reader, line);
      await seen[line]?.();
    },
    180_000,
  );
});

describe('somebody who has to go back', () => {
  const ways = [...readme.matchAll(/^\|.*\| `(.+?)`(?:, or .*)? \|/gm)].map(([, command = '']) => command);
  let reader: Reader;
  let agent: AgentProcess;

  beforeAll(async () => {
    ({ reader, agent } = await settle(sidecarEnv()));
    for (const line of [
      'crossfade apply -f products.yaml',
      'crossfade phase products dual',
      'crossfade status products --watch',
    ])
      await followed(reader, line);
  }, 180_000);
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') complain(agent);
  });
  afterAll(() => reader.leave());

  const sides = async (): Promise<Set<string | null>> =>
    new Set(
      (await Promise.all([1, 2, 3, 4].map((i) => search(agent.url, reader.slug, `u${i}`)))).map(({ side }) => side),
    );
  const allOn = (side: string) =>
    eventually(async () => [...(await sides())].join() === side, { what: `reads on ${side}` });

  test('finds the commands in the table of the README', () => {
    expect(ways).toEqual([
      'crossfade route reset products',
      'nats kv put crossfade rt.products.stop on',
      'crossfade rollback products --wait --yes',
    ]);
  });

  test.each([
    'crossfade route reset products',
    'nats kv del crossfade rt.products.pct.read -f',
    'nats kv put crossfade rt.products.stop on',
  ])('before the cutover: %s brings all reads home', async (line) => {
    await followed(reader, 'nats kv del crossfade rt.products.stop -f');
    await followed(reader, 'nats kv put crossfade rt.products.pct.read 100');
    await allOn('target');
    await followed(reader, line);
    await allOn('source');
  });

  test('the brake holds later values back', async () => {
    await followed(reader, 'nats kv put crossfade rt.products.pct.read 100');
    expect((await reader.status()).percent.read).toBe(0);
    await allOn('source');
    await followed(reader, 'crossfade route reset products');
  });

  test('after the cutover: rollback gives the source the authority back, with everything written meanwhile', async () => {
    await followed(reader, 'crossfade status products --watch');
    await followed(reader, 'crossfade advance products --wait --yes');
    expect((await write(agent.url, reader.slug, 'meanwhile')).status).toBe(201);
    expect((await contents(urls.targetUrl, `${reader.slug}_v2`)).has('meanwhile')).toBe(true);
    await eventually(async () => (await reader.status()).safeToRollBack.ok, {
      timeoutMs: 45_000,
      what: 'rollback ready',
    });
    await followed(reader, 'crossfade rollback products --wait --yes');
    expect((await reader.status()).phase).toBe('dual');
    expect((await contents(urls.sourceUrl, `${reader.slug}_v1`)).has('meanwhile')).toBe(true);
    expect((await write(agent.url, reader.slug, 'afterwards')).status).toBe(201);
    expect((await contents(urls.sourceUrl, `${reader.slug}_v1`)).has('afterwards')).toBe(true);
  }, 180_000);

  /** What pages show besides, all of it possible in dual. */
  const others = pages()
    .flatMap((page) => commandsOf(read(page)))
    .filter((line) => !isExcused(line) && !ways.includes(line) && !ends.some((end) => line.includes(end)));
  test.each([...new Set(others)])(
    '%s',
    async (line) => {
      await followed(reader, line);
    },
    120_000,
  );

  test('and the bucket itself, deleted by mistake, does not stop traffic', async () => {
    await followed(reader, 'nats kv del crossfade -f');
    expect((await write(agent.url, reader.slug, 'without-store')).status).toBe(201);
  });
});

describe('a reindex inside one cluster', () => {
  const page = read('docs/reindex-one-cluster.md');
  let reader: Reader;

  beforeAll(async () => {
    const route = yamlBlock(page, '# products.yaml');
    ({ reader } = await settle({ CROSSFADE_CLUSTERS_SOURCE_URL: urls.sourceUrl }, route));
  });
  afterAll(() => reader.leave());

  test('goes as the page says, to the alias on the new index', async () => {
    for (const line of commandBlocks(page).flat()) await followed(reader, line);
    const { json } = await call(`${urls.sourceUrl}/_alias/${reader.slug}`, 'GET');
    expect(Object.keys(json)).toEqual([`${reader.slug}_v2`]);
  }, 180_000);
});

describe('the way back through the phases', () => {
  test('is as docs/start.md tells it', async () => {
    const { reader } = await settle(sidecarEnv());
    try {
      for (const line of [
        'crossfade apply -f products.yaml',
        'crossfade phase products dual',
        // Asks before the backfill is lost; nobody can answer in a script.
        'crossfade phase products observe --yes',
        'crossfade phase products off',
      ])
        await followed(reader, line);
      typed.add('crossfade phase products observe');
      expect((await reader.status()).phase).toBe('off');
      await followed(reader, 'crossfade route delete products --yes');
      typed.add('crossfade route delete products');
    } finally {
      await reader.leave();
    }
  }, 120_000);
});

describe('every command that a page shows', () => {
  test('was run by one of the walks, or stands in the table with its reason', () => {
    const shown = [...new Set(pages().flatMap((page) => commandsOf(read(page))))];
    expect(shown.length).toBeGreaterThan(30);
    expect(shown.filter((line) => !typed.has(line) && !isExcused(line))).toEqual([]);
  });
});
