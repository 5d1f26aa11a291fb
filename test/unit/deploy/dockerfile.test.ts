/** What can be said of the image without building it; test/integration/deploy/image.test.ts walks its steps. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { configSettings } from '../../../src/config/load.ts';
import { all, copiesOf, stagesOf } from '../../support/dockerfile.ts';
import { read, root } from '../docs/files.ts';

const [build, image, ...others] = stagesOf(read('Dockerfile'));
const ignored = read('.dockerignore').split('\n').filter(Boolean);
const { engines, bin } = JSON.parse(read('package.json')) as {
  engines: { node: string };
  bin: { crossfade: string };
};

describe('the Dockerfile', () => {
  it('has a stage that builds and a stage that runs', () => {
    expect(others).toEqual([]);
    expect(build?.name).toBe('build');
    expect(image?.name).toBeUndefined();
  });

  it('builds and runs on one major version of Node.js that the package allows', () => {
    const majors = [/^node:(\d+)/.exec(build?.image ?? ''), /nodejs(\d+)-/.exec(image?.image ?? '')].map((match) =>
      Number(match?.[1]),
    );
    expect(majors[0]).toBe(majors[1]);
    expect(majors[0]).toBeGreaterThanOrEqual(Number(/\d+/.exec(engines.node)?.[0]));
  });

  it('copies files that exist and are sent to the builder, the lock file among them', () => {
    const copied = all(build!, 'COPY').flatMap((text) => copiesOf(text).sources);
    expect(copied).toContain('package-lock.json');
    for (const path of copied) {
      expect(existsSync(join(root, path)), path).toBe(true);
      expect(ignored).not.toContain(path);
    }
    expect(ignored).toEqual(expect.arrayContaining(['node_modules', 'dist', '.git']));
  });

  it('runs no shell and installs nothing in the image that is shipped', () => {
    expect(all(image!, 'RUN')).toEqual([]);
    for (const text of all(image!, 'COPY')) expect(copiesOf(text).from).toBe('build');
    for (const word of ['ENTRYPOINT', 'CMD']) expect(Array.isArray(JSON.parse(all(image!, word)[0] ?? ''))).toBe(true);
  });

  it('starts what the package calls its executable, as the user that the manifests name', () => {
    expect(JSON.parse(all(image!, 'ENTRYPOINT')[0] ?? '')).toEqual(['/nodejs/bin/node', `/app/${bin.crossfade}`]);
    expect(JSON.parse(all(image!, 'CMD')[0] ?? '')).toEqual(['agent']);
    expect(all(image!, 'USER')).toEqual(['65532:65532']);
    expect(all(image!, 'WORKDIR')).toEqual(['/app']);
  });

  it('exposes the ports that are the defaults', () => {
    const ports = ['listen', 'admin.listen'].map((name) => {
      const setting = configSettings.find((one) => one.name === name);
      return String(setting?.default).split(':').at(-1);
    });
    expect(all(image!, 'EXPOSE')[0]?.split(' ')).toEqual(ports);
  });

  it('has its Node.js where the hook of the classic sidecar looks for it', () => {
    const [manifest] = parseAllDocuments(read('deploy/sidecar-classic.yaml'));
    const text = JSON.stringify(manifest?.toJS());
    expect(text).toContain(`"command":["${(JSON.parse(all(image!, 'ENTRYPOINT')[0] ?? '') as string[])[0]}","-e",`);
  });
});
