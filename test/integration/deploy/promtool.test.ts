/** The rules as Prometheus itself reads them. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run } from '../../support/services/prerequisites.ts';
import { prometheusTools } from '../../support/services/prometheus.ts';
import { root } from '../../unit/docs/files.ts';

const tools = await prometheusTools();
const promtool = async (...args: string[]): Promise<string> => {
  const { stdout } = await run(tools?.promtool ?? 'promtool', args, { cwd: join(root, 'deploy/prometheus') });
  return stdout;
};

describe.skipIf(tools === undefined)('promtool', () => {
  it('finds nothing wrong with the rules', async () => {
    expect(await promtool('check', 'rules', '--lint-fatal', 'crossfade-rules.yaml')).toContain('SUCCESS');
  });

  it('sees every alert fire where it should, and stay quiet where it should', async () => {
    expect(await promtool('test', 'rules', 'crossfade-rules.test.yaml')).toContain('SUCCESS');
  });
});
