/** Where tests put programs that they run: inside the tree, because the system's folder for temporary files may allow none. */
import { mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';

/** A new folder, which whoever made it removes. */
export const executableFolder = (name: string): string => {
  const cache = join(import.meta.dirname, '../../.cache');
  mkdirSync(cache, { recursive: true });
  return mkdtempSync(join(cache, `${name}-`));
};
