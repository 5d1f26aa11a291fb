/**
 * Builds a Kubernetes API server into a folder and puts Debian's etcd beside it, for tests that are skipped without:
 * `node scripts/kube-apiserver.ts <folder> [release]`, then CROSSFADE_TEST_KUBE_APISERVER=<folder>. Needs Go and apt-get; five
 * minutes on two cores and a gigabyte of build cache, which is why no test does it.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const program = 'k8s.io/kubernetes/cmd/kube-apiserver';

const [folder, release = '1.35.3'] = process.argv.slice(2);
const staged = `v0.${release.slice(2)}`;
if (folder === undefined) throw new Error('say into which folder');
const into = resolve(folder);
mkdirSync(into, { recursive: true });
const work = mkdtempSync(join(tmpdir(), 'crossfade-kube-build-'));
const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { cwd: work, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

/** Modules that the main one finds beside itself are published on their own, under a version that tells the same release. */
const replaced = (): string[] => {
  const answer = run('go', 'mod', 'download', '-json', `k8s.io/kubernetes@v${release}`);
  const { GoMod } = JSON.parse(answer) as { GoMod: string };
  const found = readFileSync(GoMod, 'utf8').matchAll(/^\s*(?:replace )?(k8s\.io\/\S+) => \.\/staging\//gm);
  return [...found].map(([, name = '']) => `replace ${name} => ${name} ${staged}`);
};

const buildServer = (): void => {
  writeFileSync(
    join(work, 'go.mod'),
    ['module build', 'go 1.25.0', `require k8s.io/kubernetes v${release}`, ...replaced(), ''].join('\n'),
  );
  writeFileSync(join(work, 'tools.go'), `//go:build tools\n\npackage tools\n\nimport _ "${program}"\n`);
  run('go', 'mod', 'tidy');
  const named = `-X k8s.io/component-base/version.gitVersion=v${release}`;
  run('go', 'build', '-p', '2', `-ldflags=${named}`, '-o', join(into, 'kube-apiserver'), program);
};

const unpackEtcd = (): void => {
  run('apt-get', '-qq', '-o', 'APT::Sandbox::User=root', 'download', 'etcd-server');
  const packed = readdirSync(work).find((name) => name.endsWith('.deb')) ?? '';
  run('dpkg-deb', '-x', packed, 'unpacked');
  copyFileSync(join(work, 'unpacked/usr/bin/etcd'), join(into, 'etcd'));
};

try {
  unpackEtcd();
  buildServer();
  process.stdout.write(run(join(into, 'kube-apiserver'), '--version'));
} finally {
  rmSync(work, { recursive: true, force: true });
}
