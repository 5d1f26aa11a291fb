import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createTransforms, loadTransform, transformSource } from '../../../src/agent/transform.ts';

const folder = mkdtempSync(join(tmpdir(), 'crossfade-transform-'));
afterAll(() => rmSync(folder, { recursive: true }));

let written = 0;
const moduleOf = (text: string, name = `t${written++}.mjs`): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  // A file system may keep times in whole seconds.
  utimesSync(path, written, written++);
  return path;
};
const meta = { id: '1', routing: undefined, index: 'p1' };
const both = 'export const inverse = (doc) => doc; export default ';

describe('a transform', () => {
  it('that never answers refuses its one document after a while', async () => {
    const { forward } = await loadTransform(moduleOf(`${both} () => new Promise(() => {})`), 5);
    await expect(transformSource(forward, Buffer.from('{}'), meta)).rejects.toThrow('no answer within 5 ms');
  });

  it.each([
    ['gives nothing back', '(doc) => {}', 'object or null'],
    ['gives a list back', 'async (doc) => [doc]', 'object or null'],
    ['throws', '() => { throw new Error("no") }', 'no'],
    ['rejects', 'async () => { throw new Error("no") }', 'no'],
  ])('that %s refuses its document', async (_what, code, reason) => {
    const { forward } = await loadTransform(moduleOf(both + code));
    await expect(transformSource(forward, Buffer.from('{}'), meta)).rejects.toThrow(reason);
  });

  it.each([
    ['no query', 'true'],
    ['a side that there is not', '{ authority: {} }'],
    ['a list', '{ source: [] }'],
  ])('that tells with %s what it drops is refused', async (_what, drops) => {
    const path = moduleOf(`${both} (doc) => null; export const drops = ${drops}`);
    await expect(loadTransform(path)).rejects.toThrow('must say by a query');
  });

  it('back may drop documents of a follower only where it says so', async () => {
    const path = moduleOf(`${both} (doc) => doc; export const drops = { source: { match_all: {} } }`);
    const transforms = createTransforms();
    expect(await transforms.drops(path)).toEqual({ source: { match_all: {} } });
    expect(await transforms.mayDrop(path, 'source')).toBeTypeOf('function');
    expect(await transforms.mayDrop(path, 'target')).toBeUndefined();
    expect([await transforms.drops(undefined), await transforms.mayDrop(undefined, 'source')]).toEqual([{}, undefined]);
  });

  it('may change the document that it is given, and answer later', async () => {
    const { forward } = await loadTransform(
      moduleOf(`${both} async (doc) => { doc.b = doc.a; delete doc.a; return doc }`),
    );
    const made = await transformSource(forward, Buffer.from('{"a":12345678901234567890}'), meta);
    expect(Buffer.from(made ?? []).toString()).toBe('{"b":12345678901234567890}');
  });

  it.each([
    ['is not there', undefined, 'no such file'],
    ['has a slip of the pen', 'export default (doc => doc', 'cannot be loaded: '],
    ['fails as it begins', 'throw new Error("no database")', 'no database'],
    ['has no way back', 'export default (doc) => doc', '`inverse`'],
  ])('whose module %s says so', async (_what, code, reason) => {
    const path = code === undefined ? join(folder, 'nowhere.mjs') : moduleOf(code);
    expect(await createTransforms().problem(path)).toContain(reason);
  });

  it('is loaded once its module has been corrected, whatever it failed of before', async () => {
    const transforms = createTransforms();
    const path = moduleOf('throw new Error("not yet")');
    expect(await transforms.problem(path)).toContain('not yet');
    moduleOf(`${both} (doc) => doc`, path.slice(folder.length + 1));
    expect(await transforms.problem(path)).toBeUndefined();
    expect(await transforms.towards(path, 'target')).toBeTypeOf('function');
  });
});
