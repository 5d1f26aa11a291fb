/** What is fetched during `npm test`: it ends with all its children, and nobody waits for it without a word or for ever. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Fetching, startFetching } from '../../../scripts/fetching.ts';
import { eventually } from '../../support/eventually.ts';

const folder = mkdtempSync(join(tmpdir(), 'crossfade-fetching-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let scripts = 0;
const fetching = (lines: string, patience: { tellAfterMs?: number; giveUpAfterMs?: number } = {}) => {
  const script = join(folder, `fetch-${++scripts}.mjs`);
  writeFileSync(script, lines);
  const said: string[] = [];
  return { said, started: startFetching({ script, say: (text) => said.push(text), ...patience }) };
};

/** Like Maven below it: a child that nobody has told to end. */
const childFile = join(folder, 'child');
const hangs = `import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
console.log('OpenSearch');
const child = spawn('sleep', ['60'], { stdio: 'ignore' });
console.log('NATS');
writeFileSync('${childFile}', String(child.pid));`;
const isAlive = (pid: number): boolean => {
  try {
    // A process that has ended and that nobody has waited for yet is in the list too.
    return (
      !/^State:\s+Z/m.test(existsSync('/proc/self') ? readFileSync(`/proc/${pid}/status`, 'utf8') : '') &&
      process.kill(pid, 0)
    );
  } catch {
    return false;
  }
};
const childOf = async (_started: Fetching): Promise<number> =>
  Number(await eventually(() => existsSync(childFile) && readFileSync(childFile, 'utf8'), { what: 'the child' }));

describe('what is fetched meanwhile', () => {
  it('is waited for, and nothing is said of it when it is quick', async () => {
    const { said, started } = fetching(`console.log('OpenSearch');`);
    await started.done();
    expect(said).toEqual([]);
  });

  it('ends with the programs that it runs', async () => {
    const { started } = fetching(hangs);
    const child = await childOf(started);
    expect(isAlive(child)).toBe(true);
    started.stop();
    await started.done();
    await eventually(() => !isAlive(child), { what: 'the child to end' });
    rmSync(childFile);
  });

  it('is named when it takes long, and given up when it takes for ever', async () => {
    const { said, started } = fetching(hangs, { tellAfterMs: 300, giveUpAfterMs: 900 });
    const child = await childOf(started);
    await started.done();
    expect(said).toEqual(['waiting for NATS to be fetched', 'NATS could not be fetched in time: going on without it']);
    await eventually(() => !isAlive(child), { what: 'the child to end' });
  });
});
