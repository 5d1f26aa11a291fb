/** helm and kubectl as functions from folders and values to manifests. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { kubernetesTools } from '../services/kubernetes-tools.ts';
import { run } from '../services/prerequisites.ts';
import type { Manifest } from './schema.ts';

/** Undefined where there is none; then the tests that ask are skipped. */
export const tools = await kubernetesTools();

const root = join(import.meta.dirname, '../../..');
export const chart = join(root, 'deploy/helm/crossfade');
export const everything = join(chart, 'ci/everything-values.yaml');

export const manifestsIn = (text: string): Manifest[] =>
  parseAllDocuments(text).flatMap((document) => {
    const manifest = document.toJS() as Manifest | null;
    return manifest === null ? [] : [manifest];
  });

export const helm = async (...args: string[]): Promise<string> => {
  const { stdout } = await run(tools?.helm ?? 'helm', args, { maxBuffer: 64 << 20 });
  return stdout;
};

/** What `helm template` renders for a release called `crossfade`; `set` is `--set`. */
export const render = async (folder: string, ...args: string[]): Promise<Manifest[]> =>
  manifestsIn(await helm('template', 'crossfade', folder, ...args));

export const kustomize = async (folder: string): Promise<Manifest[]> => {
  const { stdout } = await run(tools?.kubectl ?? 'kubectl', ['kustomize', folder], { maxBuffer: 64 << 20 });
  return manifestsIn(stdout);
};

/** A folder that is gone when the work is done. */
export const inFolder = async <T>(work: (folder: string) => Promise<T>): Promise<T> => {
  const folder = mkdtempSync(join(tmpdir(), 'crossfade-deploy-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** A chart of somebody else that lists Crossfade as a dependency. */
export const renderParent = (...args: string[]): Promise<Manifest[]> =>
  inFolder(async (folder) => {
    cpSync(join(root, 'test/fixtures/helm/gateway'), folder, { recursive: true });
    cpSync(chart, join(folder, 'charts/crossfade'), { recursive: true });
    return await render(folder, ...args);
  });

/** The example in the component's comment, as somebody would paste it. */
const example = (): Record<string, unknown> => {
  const lines = readFileSync(join(root, 'deploy/kustomize/kustomization.yaml'), 'utf8').split('\n');
  const text = lines
    .filter((line) => line.startsWith('#   '))
    .map((line) => line.slice(4))
    .join('\n');
  return parse(text.replace('../crossfade/deploy/kustomize', 'crossfade')) as Record<string, unknown>;
};

/** Deployments of an application with the component, applied as its own head comment says. */
export const buildComponent = (): Promise<Manifest[]> =>
  inFolder(async (folder) => {
    cpSync(join(root, 'test/fixtures/kustomize/gateway'), folder, { recursive: true });
    cpSync(join(root, 'deploy/kustomize'), join(folder, 'crossfade'), { recursive: true });
    writeFileSync(join(folder, 'kustomization.yaml'), stringify({ resources: ['deployment.yaml'], ...example() }));
    return await kustomize(folder);
  });
