/** The command line on a terminal of its own, as a person sees it: `script` makes the terminal, a file is the store. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { crossfade, must } from '../../support/agent-process.ts';
import { eventually } from '../../support/eventually.ts';

const main = join(import.meta.dirname, '../../../src/main.ts');
const folder = mkdtempSync(join(tmpdir(), 'crossfade-terminal-'));
const env = { CROSSFADE_STORE_FILE: join(folder, 'store.json') };
/** util-linux has it on every Linux; the one of other systems takes other arguments. */
const hasScript = spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux') === true;

/** As one word of a shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

type Terminal = { seen(): string; type(text: string): void; exit: Promise<number> };
const onTerminal = (command: string, extra: Record<string, string> = {}): Terminal => {
  const line = `stty rows 20 cols 70; exec ${quoted(process.execPath)} ${quoted(main)} ${command}`;
  const child = spawn('script', ['-qec', line, '/dev/null'], {
    env: { PATH: process.env['PATH'] ?? '', TERM: 'xterm', ...env, ...extra },
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  return {
    seen: () => Buffer.concat(chunks).toString('utf8'),
    type: (text) => void child.stdin.write(text),
    exit: once(child, 'close').then(([code]) => code as number),
  };
};

beforeAll(async () => {
  const file = join(folder, 'route.yaml');
  writeFileSync(file, 'route: products\nindices: [{ source: products_v1, target: products_v2 }]\n');
  await must(crossfade(['apply', '-f', file], env));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(!hasScript)('on a terminal', () => {
  test('status --watch redraws in place, never beyond the window, and ends at Ctrl-C with 0', async () => {
    const terminal = onTerminal('status products --watch');
    await eventually(() => terminal.seen().split('\u001b[H').length > 3, { what: 'three pictures' });
    terminal.type('\u0003');
    expect(await terminal.exit).toBe(0);
    const [, , picture = ''] = terminal.seen().split('\u001b[H');
    const lines = picture.replaceAll(/\u001b\[[\d?]*[A-Za-z]/g, '').split('\r\n');
    expect(picture).toContain('products');
    expect(picture).toContain('\u001b[');
    expect(lines.length).toBeLessThanOrEqual(20);
    expect(Math.max(...lines.map((text) => [...text].length))).toBeLessThanOrEqual(70);
    expect(terminal.seen()).toContain('next: crossfade phase products observe');
  });

  test('NO_COLOR takes the colours off, and the words stay', async () => {
    const terminal = onTerminal('status products', { NO_COLOR: '1' });
    expect(await terminal.exit).toBe(0);
    expect(terminal.seen()).toMatch(/safe to advance\?\s+no: /);
    expect(terminal.seen()).not.toMatch(/\u001b\[\d+m/);
  });

  test('a step that cannot be taken back asks, and anything but yes leaves everything as it was', async () => {
    const refused = onTerminal('route delete products');
    await eventually(() => refused.seen().includes('[y/N]'), { what: 'the question' });
    refused.type('n\n');
    expect(await refused.exit).toBe(9);
    expect((await crossfade(['status', 'products'], env)).exit).toBe(0);
    const agreed = onTerminal('route delete products');
    await eventually(() => agreed.seen().includes('[y/N]'), { what: 'the question' });
    agreed.type('y\n');
    expect(await agreed.exit).toBe(0);
    expect((await crossfade(['status', 'products'], env)).exit).toBe(7);
  });
});
