/** docs/cli.md promises fields of `--json`; each row is run and must hold them. */
import { describe, expect, test } from 'vitest';
import { partOf } from '../../../scripts/reference.ts';
import { read, tableRows } from '../docs/files.ts';
import { answerAsk, products, putReport, withLeader, withRoute } from './harness.ts';

const rows = tableRows(partOf(read('docs/cli.md'), 'json') ?? '').map(([command = '', fields = '']) => ({
  command: command.replaceAll('`', ''),
  paths: [...(fields.split('with `code`')[0] ?? '').matchAll(/`([^`]+)`/g)].flatMap(([, text = '']) => expand(text)),
}));

/** `a[].{b,c}` means `a[].b` and `a[].c`. */
function expand(text: string): string[] {
  const [, head, names] = /^(.*)\{(.*)\}$/.exec(text) ?? [];
  return names === undefined ? [text] : names.split(',').map((name) => `${head}${name}`);
}

/** Whether a value stands under the path; under `[]` in the first item, which must exist. */
const has = (value: unknown, path: string): boolean =>
  path
    .replaceAll('[]', '.0')
    .replace(/\.0$/, '')
    .split('.')
    .reduce<unknown>((at, step) => (at as Record<string, unknown> | undefined)?.[step], value) !== undefined;

const ready = async () => {
  const made = await withRoute({ phase: 'dual', epoch: 1 });
  await withLeader(made);
  await putReport(made);
  const entry = { schema: 1, at: 't', by: 'ann', what: 'phase dual', reason: '' };
  await made.store.config.put('audit.products.1', JSON.stringify(entry));
  return made;
};

describe('the JSON that docs/cli.md promises', () => {
  test('is a table with fields in every row', () => {
    expect(rows.length).toBeGreaterThan(8);
    for (const { paths } of rows) expect(paths.length).toBeGreaterThan(0);
  });

  test.each(rows.map(({ command, paths }) => [command, paths] as const))('%s prints %j', async (command, paths) => {
    const made = await ready();
    const ran = await made.run(`${command.replace('products.yaml', '-')} --json`, {
      stdin: JSON.stringify(products),
      onSleep: async () => void (await answerAsk(made, { state: 'done', message: 'committed' })),
    });
    expect(paths.filter((path) => !has(ran.json(), path))).toEqual([]);
  });
});
