/** The dashboard in a real browser, on real agents: what is pressed there reaches the store, the leader and the reads. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AgentProcess, crossfade, type Ran, startAgent } from '../../support/agent-process.ts';
import { launchBrowser, noBrowser } from '../../support/browser.ts';
import { eventually } from '../../support/eventually.ts';
import { services, uniqueName } from '../../support/services.ts';
import { dropStreams, kvGet, withNats } from '../coordination/nats-admin.ts';

const slug = uniqueName('dash');
const bucket = uniqueName('dash');
const source = `${slug}_v1`;
const target = `${slug}_v2`;
const folder = mkdtempSync(join(tmpdir(), 'crossfade-dash-'));
const documents = 60;
/** A machine that tests many things at once draws slowly. */
const waitMs = 40_000;

let urls: Awaited<ReturnType<typeof services>>;
let agents: AgentProcess[] = [];
let env: Record<string, string>;
let browser: Browser;
let page: Page;
/** What the page did that it must not. */
const offences: string[] = [];
let loading = true;

const soon = <T>(check: () => Promise<T> | T, what: string): Promise<NonNullable<T>> =>
  eventually(check, { what, timeoutMs: waitMs });
const cli = (...args: string[]): Promise<Ran> => crossfade(args, env);
const stored = (key: string): Promise<string | undefined> =>
  withNats(urls.natsUrl, (connection) => kvGet(connection, bucket, key));
const ask = async (): Promise<{ action: string; by: string; reason: string; id: string }> =>
  JSON.parse((await stored(`rt.${slug}.ask`)) ?? '{}');
const call = (url: string, method: string, body: unknown): Promise<Response> =>
  fetch(url, {
    method,
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': typeof body === 'string' ? 'application/x-ndjson' : 'application/json' },
  });
const read = (agent: AgentProcess): Promise<Response> =>
  call(`${agent.url}/${slug}/_search`, 'POST', { query: { match: { name: 'lamp' } }, size: 5 });
const sidesOfReads = (): Promise<(string | null)[]> =>
  Promise.all(agents.map(async (agent) => (await read(agent)).headers.get('x-crossfade-side')));

/** A little traffic through both agents, one request after the other. */
const load = async (): Promise<void> => {
  for (let i = 0; loading; i++) {
    const agent = agents[i % agents.length]!;
    await read(agent).catch(() => undefined);
    await call(`${agent.url}/${slug}/_doc/load-${i % 20}`, 'PUT', { name: 'lamp', n: i }).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

const seed = async (): Promise<void> => {
  const mappings = { properties: { name: { type: 'text' }, n: { type: 'integer' } } };
  const settings = { number_of_shards: 1, number_of_replicas: 0 };
  await call(`${urls.sourceUrl}/${source}`, 'PUT', { settings, mappings, aliases: { [slug]: {} } });
  const lines = Array.from({ length: documents }, (_, i) => `{"index":{"_id":"${i}"}}\n{"name":"old lamp","n":${i}}\n`);
  await call(`${urls.sourceUrl}/${source}/_bulk?refresh=true`, 'POST', lines.join(''));
};

const startMigration = async (): Promise<void> => {
  const file = join(folder, 'route.json');
  const indices = [{ source, target }];
  writeFileSync(file, JSON.stringify({ route: slug, indices, aliases: [slug], createTarget: true }));
  expect((await cli('apply', '-f', file)).exit).toBe(0);
  expect((await cli('phase', slug, 'dual')).exit).toBe(0);
};

/** Watches the page from its first byte on. */
const watch = async (watched: Page, origin: string): Promise<void> => {
  watched.on('request', (request) => {
    if (!request.url().startsWith(`${origin}/`)) offences.push(`request to ${request.url()}`);
  });
  watched.on('pageerror', (error) => offences.push(`error: ${error.message}`));
  watched.on('console', (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) offences.push(message.text());
  });
  await watched.addInitScript(() => {
    const seen = { shift: 0, violations: [] as string[] };
    Object.assign(window, { seen });
    document.addEventListener('securitypolicyviolation', (event) => seen.violations.push(event.violatedDirective));
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as (PerformanceEntry & { value: number; hadRecentInput: boolean })[])
        if (!entry.hadRecentInput) seen.shift += entry.value;
    }).observe({ type: 'layout-shift', buffered: true });
  });
};
type Seen = { shift: number; violations: string[] };
const seenBy = (watched: Page): Promise<Seen> => watched.evaluate(() => (window as unknown as { seen: Seen }).seen);

const confirmAs = async (by: string, reason: string): Promise<void> => {
  await page.getByLabel('Your name').fill(by);
  await page.getByLabel('Reason').fill(reason);
  await page.locator('#confirm button[value="yes"]').click();
};
const said = (): Promise<string> => page.locator('#said').innerText();

describe.skipIf(noBrowser() !== undefined)(`the dashboard (${noBrowser() ?? 'in Chromium'})`, () => {
  beforeAll(async () => {
    urls = await services();
    env = { CROSSFADE_NATS_SERVERS: urls.natsUrl, CROSSFADE_NATS_BUCKET: bucket };
    const clusters = { CROSSFADE_CLUSTERS_SOURCE_URL: urls.sourceUrl, CROSSFADE_CLUSTERS_TARGET_URL: urls.targetUrl };
    const start = (member: string) => startAgent({ env: { ...env, ...clusters, CROSSFADE_MEMBER: member } });
    const [opened] = await Promise.all([launchBrowser(), seed()]);
    browser = opened;
    agents = await Promise.all([start('gateway-0'), start('gateway-1')]);
    await startMigration();
    void load();
    page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
    page.setDefaultTimeout(waitMs);
    await watch(page, agents[0]!.adminUrl);
    await page.goto(agents[0]!.adminUrl);
    await page.locator('[data-knob="read"]').waitFor();
  });

  afterAll(async () => {
    loading = false;
    await browser?.close();
    await Promise.all(agents.map((agent) => agent.stop()));
    for (const [url, index] of [
      [urls.sourceUrl, source],
      [urls.targetUrl, target],
    ])
      await fetch(`${url}/${index}`, { method: 'DELETE' });
    await dropStreams(urls.natsUrl, bucket);
    rmSync(folder, { recursive: true, force: true });
  });

  test('one pod shows the whole fleet, live', async () => {
    const members = page.getByRole('group', { name: 'Members' });
    await soon(async () => (await members.locator('tbody tr').count()) === 2, 'both members');
    expect(await members.innerText()).toMatch(/gateway-0[\s\S]*gateway-1/);
    expect(await page.locator('#store').innerText()).toContain('2 members');
    // 60 requests each, and the page is served by the first of them alone.
    const rate = page.locator('[data-chart="traffic"] .plot');
    await soon(
      async () => /reads source [1-9]/.test((await rate.getAttribute('aria-label')) ?? ''),
      'reads in the chart',
    );
    expect(await page.locator('.plot canvas').count()).toBe(8);
    await soon(async () => (await page.locator('.progress').innerText()).includes('done, '), 'the backfill to be done');
  });

  test('updates move nothing on the page', async () => {
    const before = await seenBy(page);
    const clock = page.locator('[data-chart="copies"] .plot canvas');
    const look = () => clock.evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
    for (let updates = 0; updates < 3; updates++) {
      const drawn = await look();
      await soon(async () => (await look()) !== drawn, 'the chart to be drawn anew');
    }
    expect((await seenBy(page)).shift - before.shift).toBeLessThan(0.002);
    expect(before.shift).toBeLessThan(0.02);
  });

  test('a percentage set in the page is in the store and moves the reads of every member', async () => {
    expect(await sidesOfReads()).toEqual(['source', 'source']);
    const knob = page.locator('[data-knob="read"]');
    await knob.getByRole('spinbutton').fill('100');
    await knob.getByRole('button').click();
    await page.getByRole('button', { name: 'Cancel' }).click();
    expect(await stored(`rt.${slug}.pct.read`)).toBeUndefined();
    await knob.getByRole('button').click();
    await confirmAs('Ann', 'ramp to all');
    await soon(async () => (await stored(`rt.${slug}.pct.read`)) === '100', 'the key in NATS');
    await soon(async () => (await sidesOfReads()).join() === 'target,target', 'reads on the target');
    const log = page.getByRole('group', { name: 'Audit log' });
    await soon(
      async () => (await log.innerText()).match(/Ann\s+set pct\.read 100\s+ramp to all/),
      'the entry in the audit log',
    );
    await soon(async () => (await page.locator('#routes').innerText()).includes('100 %'), 'the new share');
  });

  test('the keyboard alone is enough', async () => {
    await page.locator('h1').click();
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? '');
    for (let tabs = 0; tabs < 60 && !(await focused()).startsWith('shadow'); tabs++) await page.keyboard.press('Tab');
    expect(await focused()).toContain('shadow');
    const ring = await page.evaluate(() => getComputedStyle(document.activeElement as Element).outlineStyle);
    expect(ring).toBe('solid');
    for (let steps = 0; steps < 3; steps++) await page.keyboard.press('ArrowRight');
    for (const key of ['Tab', 'Tab', 'Enter']) await page.keyboard.press(key);
    // The name is remembered, so the reason has the focus.
    expect(await page.getByLabel('Your name').inputValue()).toBe('Ann');
    await page.keyboard.press('Escape');
    expect(await stored(`rt.${slug}.pct.shadow`)).toBeUndefined();
    await page.keyboard.press('Enter');
    await page.keyboard.type('by keys');
    await page.keyboard.press('Enter');
    await soon(async () => (await stored(`rt.${slug}.pct.shadow`)) === '3', 'the key in NATS');
    await soon(async () => (await said()).includes('pct.shadow is 3'), 'the change to be said');
    expect(await page.locator('#said').getAttribute('aria-live')).toBe('polite');
  });

  test('roll back asks first, and the leader brings the reads home', async () => {
    await page.locator('[data-action="rollback"]').click();
    await page.getByRole('button', { name: 'Cancel' }).click();
    expect(await stored(`rt.${slug}.ask`)).not.toContain('rollback');
    await page.locator('[data-action="rollback"]').click();
    expect(await page.locator('#confirm-title').innerText()).toBe(`Bring all reads of ${slug} home?`);
    await confirmAs('Ben', 'errors');
    await soon(async () => (await ask()).action === 'rollback', 'the ask');
    expect(await ask()).toMatchObject({ by: 'Ben', reason: 'errors' });
    await soon(async () => (await sidesOfReads()).join() === 'source,source', 'reads at home');
    await soon(async () => (await said()).includes('rollback done'), 'the answer of the leader');
  });

  test('advance shows the gate first, and the ask is the cutover', async () => {
    await page.locator('[data-action="advance"]').click();
    const gate = await page.locator('#confirm-gate').innerText();
    for (const condition of ['store connected', 'backfill complete', 'tail caught up'])
      expect(gate).toContain(condition);
    await page.keyboard.press('Escape');
    expect((await ask()).action).toBe('rollback');
    await page.locator('[data-action="advance"]').click();
    await confirmAs('Ben', 'tonight');
    await soon(async () => (await ask()).action === 'advance', 'the ask');
    expect(await ask()).toMatchObject({ by: 'Ben', reason: 'tonight' });
  });

  test('nothing left the origin, and the content security policy had nothing to refuse', async () => {
    expect(await seenBy(page)).toMatchObject({ violations: [] });
    expect(offences).toEqual([]);
  });

  test('with a token the page asks for it, and the embedded store is enough', async () => {
    const config = join(folder, 'alone.json');
    const routes = [{ route: 'alone', indices: [{ source: `${source}_x`, target: `${target}_x` }] }];
    writeFileSync(config, JSON.stringify({ routes, clusters: { source: { url: urls.sourceUrl } } }));
    const alone = await startAgent({ env: { CROSSFADE_ADMIN_TOKEN: 'right-token' }, args: ['--config', config] });
    try {
      const other = await browser.newPage();
      await watch(other, alone.adminUrl);
      await other.goto(alone.adminUrl);
      for (const [token, why] of [
        ['wrong-token', 'token'],
        ['right-token', undefined],
      ]) {
        await other.getByRole('textbox').fill(token ?? '');
        await other.getByRole('button', { name: 'Go on' }).click();
        if (why !== undefined)
          await soon(async () => (await other.locator('#login-problem').innerText()).includes(why), 'the refusal');
      }
      await soon(async () => (await other.locator('#routes').innerText()).includes('alone'), 'the route');
      expect(await other.locator('#store').innerText()).toContain('store file, 1 members');
      expect(offences).toEqual([]);
      await alone.stop();
      await soon(async () => (await other.locator('#link').innerText()).includes('reconnecting'), 'the loss');
      await other.close();
    } finally {
      await alone.stop();
    }
  });
});
