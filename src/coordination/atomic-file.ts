/**
 * Replaces a file as a whole: a reader sees the old contents or the new ones, never a part, also after a crash. It is for its
 * owner, and for the group where somebody has allowed that; another user who may replace it leaves it to its owner,
 * or, where that cannot be, to its group.
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

const groupBits = 0o070;

/** Some volumes give every file one mode, and let nobody set another. */
const unsupported: readonly (string | undefined)[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];
const setMode = async (handle: FileHandle, mode: number): Promise<void> => {
  try {
    await handle.chmod(mode);
  } catch (error) {
    if (!unsupported.includes((error as NodeJS.ErrnoException).code)) throw error;
  }
};

const canGiveTo = async (handle: FileHandle, { uid, gid }: Pick<Stats, 'uid' | 'gid'>): Promise<boolean> =>
  handle.chown(uid, gid).then(
    () => true,
    () => false,
  );

/** @throws when the owner could not use what takes the place of its file, though it shares it with a group */
const keepOwners = async (handle: FileHandle, standing: Stats): Promise<void> => {
  const { uid, gid } = await handle.stat();
  if (uid === standing.uid && gid === standing.gid) return;
  // Only the superuser can give a file away; to others of the group the mode has to suffice.
  if ((await canGiveTo(handle, standing)) || (await canGiveTo(handle, { uid, gid: standing.gid }))) return;
  if (uid !== standing.uid && (standing.mode & groupBits) !== 0)
    throw new Error(`it belongs to user ${standing.uid} and group ${standing.gid}, of whom this process is none`);
};

const protect = async (handle: FileHandle, standing: Stats | undefined): Promise<void> => {
  if (standing === undefined) return setMode(handle, ownerOnly);
  await keepOwners(handle, standing);
  await setMode(handle, standing.mode & notOthers);
};

type Draft = { draft: string; file: string };
const writeWhole = async ({ draft, file }: Draft, text: string, durable: boolean): Promise<void> => {
  const standing = await stat(file).catch(() => undefined);
  // One that a process of this number left behind, or somebody else has laid there, may be open to others.
  await rm(draft, { force: true });
  const handle = await open(draft, 'wx', ownerOnly);
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
