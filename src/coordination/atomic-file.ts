/**
 * Replaces a file as a whole: a reader sees the old contents or the new ones, never a part, also after a crash. It is for its
 * owner, and for the group where somebody has allowed that; another user who may replace it leaves it to its owner.
 */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
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
    await writeWhole({ draft, file }, text, options.durable);
    await options.beforeRename?.();
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  if (options.durable) await syncDirectory(dirname(file));
};

const ownerOnly = 0o600;
const notOthers = 0o770;

const protect = async (handle: FileHandle, standing: Stats | undefined): Promise<void> => {
  if (standing === undefined) return handle.chmod(ownerOnly);
  await handle.chmod(standing.mode & notOthers);
  // Only the superuser can; to others of the group the mode has to suffice.
  if (standing.uid !== process.getuid?.()) await handle.chown(standing.uid, standing.gid).catch(() => undefined);
};

type Draft = { draft: string; file: string };
const writeWhole = async ({ draft, file }: Draft, text: string, durable: boolean): Promise<void> => {
  const standing = await stat(file).catch(() => undefined);
  const handle = await open(draft, 'w', ownerOnly);
  try {
    await protect(handle, standing);
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
