/** Replaces a file as a whole: a reader sees the old contents or the new ones, never a part, also after a crash. */
import { constants } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

export type ReplaceOptions = {
  /** Survives a power failure. */
  durable: boolean;
  /** Last chance to refuse, by throwing. */
  beforeRename?: () => Promise<void>;
};

export const replaceFile = async (file: string, text: string, options: ReplaceOptions): Promise<void> => {
  const draft = `${file}.${process.pid}.tmp`;
  try {
    await writeWhole(draft, text, options.durable);
    await options.beforeRename?.();
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  if (options.durable) await syncDirectory(dirname(file));
};

const writeWhole = async (file: string, text: string, durable: boolean): Promise<void> => {
  const handle = await open(file, 'w');
  try {
    await handle.writeFile(text);
    if (durable) await handle.sync();
  } finally {
    await handle.close();
  }
};

/** Makes the rename itself durable; not every platform can open a directory. */
const syncDirectory = async (directory: string): Promise<void> => {
  try {
    const handle = await open(directory, constants.O_RDONLY);
    await handle.sync().finally(() => handle.close());
  } catch {
    // The contents are safe; only which of two complete versions survives a power failure is left open.
  }
};
