/**
 * The part of reading a configuration that touches the disk: the file itself, and whether the files and folders that it
 * names can be used. Every unusable file is reported, beside the mistakes that load.ts finds.
 */
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { ConfigIssue } from './issues.ts';
import { valueAt } from './issues.ts';
import type { Setting } from './settings.ts';

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const problem = (path: string, mode: number): string | undefined => {
  try {
    accessSync(path, mode);
    return undefined;
  } catch (error) {
    return message(error).replace(/^(\w+): /, '$1, ');
  }
};

const readable = (path: string): string | undefined =>
  problem(path, constants.R_OK) ?? (statSync(path).isDirectory() ? 'it is a folder' : undefined);

/** The text of the configuration file, or the mistake that it cannot be read. */
export const readConfigFile = (path: string): { text: string } | { issue: ConfigIssue } => {
  try {
    return { text: readFileSync(path, 'utf8') };
  } catch (error) {
    return {
      issue: { path: '', from: 'file', value: JSON.stringify(path), expected: `a readable file; ${message(error)}` },
    };
  }
};

const issue = (setting: Pick<Setting, 'name'>, value: string, expected: string): ConfigIssue => ({
  path: setting.name,
  from: 'file',
  value: JSON.stringify(value),
  expected,
});

const isFileSetting = ({ name }: Setting): boolean => name.endsWith('File');

/** Settings whose file cannot be read, and the folder of the embedded store when it cannot be written. */
export const checkFiles = (config: unknown, settings: readonly Setting[]): ConfigIssue[] => {
  const unreadable = settings.filter(isFileSetting).flatMap((setting) => {
    const path = valueAt(config, setting.path);
    const wrong = typeof path === 'string' ? readable(path) : undefined;
    return wrong === undefined ? [] : [issue(setting, path as string, `a readable file; ${wrong}`)];
  });
  return [...unreadable, ...checkStoreFolder(config)];
};

/** Missing folders are created at the start, below this one. */
const existingAncestor = (folder: string): string =>
  existsSync(folder) || dirname(folder) === folder ? folder : existingAncestor(dirname(folder));

const checkStoreFolder = (config: unknown): ConfigIssue[] => {
  const file = valueAt(config, ['store', 'file']);
  if (typeof file !== 'string' || valueAt(config, ['nats']) !== undefined) return [];
  const folder = existingAncestor(dirname(resolve(file)));
  const wrong =
    problem(folder, constants.R_OK | constants.W_OK) ??
    (statSync(folder).isDirectory() ? undefined : `${folder} is no folder`);
  return wrong === undefined ? [] : [issue({ name: 'store.file' }, file, `a path in a writable folder; ${wrong}`)];
};
