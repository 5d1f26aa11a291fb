/**
 * Finds what the real services need on this machine, and says in one sentence what is missing and how to get it.
 * Nothing is installed into the system: downloads go to one cache folder outside the tree and are reused.
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';

export const run = promisify(execFile);
export const isRoot = (): boolean => process.getuid?.() === 0;
/** The unprivileged account that root starts OpenSearch under (it refuses to run as root). */
export const nobody = 65534;

export class MissingPrerequisite extends Error {
  override readonly name = 'MissingPrerequisite';
}

export const findOnPath = (name: string): string | undefined =>
  (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((dir) => join(dir, name))
    .find((file) => existsSync(file));

const javaMajor = async (home: string): Promise<number> => {
  try {
    const { stderr } = await run(join(home, 'bin', 'java'), ['-version']);
    return Number(/version "(?:1\.)?(\d+)/.exec(stderr)?.[1] ?? 0);
  } catch {
    return 0;
  }
};

const javaCandidates = (): string[] => {
  const named = ['OPENSEARCH_JAVA_HOME', 'JAVA_HOME', 'JDK_HOME']
    .map((name) => process.env[name])
    .filter((home) => home !== undefined);
  const installed = [
    '/usr/lib/jvm',
    '/Library/Java/JavaVirtualMachines',
    '/opt/java',
    join(homedir(), '.sdkman/candidates/java'),
  ]
    .filter(existsSync)
    .flatMap((dir) => readdirSync(dir).flatMap((name) => [join(dir, name), join(dir, name, 'Contents/Home')]));
  const onPath = findOnPath('javac');
  return [...named, ...(onPath === undefined ? [] : [join(onPath, '..', '..')]), ...installed];
};

/** A runtime brings `java` alone; unpacking takes `jar`, and older clusters `javac`. */
const isJdk = (home: string): boolean => ['java', 'javac', 'jar'].every((name) => existsSync(join(home, 'bin', name)));

const isOpen = (path: string): boolean =>
  (statSync(path).mode & 1) === 1 && (dirname(path) === path || isOpen(dirname(path)));
/** Whether the unprivileged account may run it too: root's home, for one, is closed to it. */
const isForAll = (home: string): boolean => {
  const java = join(home, 'bin', 'java');
  return [java, realpathSync(java)].every(isOpen);
};

/** Home of the newest usable JDK (21 or later). */
export const findJdk = async (candidates = javaCandidates(), forAll = isRoot()): Promise<string | undefined> => {
  const found = await Promise.all(
    candidates
      .filter((home) => isJdk(home) && (!forAll || isForAll(home)))
      .map(async (home) => ({ home, major: await javaMajor(home) })),
  );
  return found.filter(({ major }) => major >= 21).sort((a, b) => b.major - a.major)[0]?.home;
};

/** True when a container engine answers, so that `testcontainers` can serve. */
export const hasContainerEngine = async (): Promise<boolean> => {
  if (findOnPath('docker') === undefined) return false;
  return run('docker', ['info'], { timeout: 10_000 }).then(
    () => true,
    () => false,
  );
};
