/** Reads the configuration of a process: file, environment and the files they name, with every mistake at once. */

import type { Environment } from '../config/environment.ts';
import { checkFiles, readConfigFile } from '../config/files.ts';
import { renderIssues } from '../config/issues.ts';
import { configSettings, loadConfig } from '../config/load.ts';
import type { Config } from '../config.ts';

export type ProcessConfig = { ok: true; config: Config } | { ok: false; message: string };

export const loadProcessConfig = (path: string | undefined, env: Environment): ProcessConfig => {
  const file = path === undefined ? { text: undefined } : readConfigFile(path);
  if ('issue' in file) return { ok: false, message: renderIssues([file.issue]) };
  const loaded = loadConfig({ fileText: file.text, env });
  if (!loaded.ok) return { ok: false, message: renderIssues(loaded.issues) };
  const issues = checkFiles(loaded.config, configSettings);
  return issues.length === 0 ? loaded : { ok: false, message: renderIssues(issues) };
};
