/**
 * Opening files where somebody else may put symbolic links meanwhile: nothing is ever written
 * through a link.
 *
 * The last component of a path is safe: a file is made with "must not exist", which does not follow
 * links, or opened and then compared with what `lstat` says stands there, before the first byte is
 * written. Of the folders above, see `finish_file.ts`.
 */

/**
 * Open a file for reading and writing, making it if it is missing.
 *
 * @throws {Error} What the system says; or that a link or no regular file is there.
 */
export function openOrMake(path: string): Deno.FsFile {
  try {
    return Deno.openSync(path, { read: true, write: true, createNew: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
  const named = Deno.lstatSync(path);
  if (!named.isFile) throw new Error(`it is ${kindOf(named)}, not a regular file`);
  const file = Deno.openSync(path, { read: true, write: true });
  if (isSameFile(file.statSync(), named)) return file;
  file.close();
  throw new Error("somebody else put something in its place");
}

/** Whether both are the same regular file. */
export function isSameFile(a: Deno.FileInfo, b: Deno.FileInfo): boolean {
  return a.isFile && b.isFile && a.ino === b.ino && a.dev === b.dev;
}

/** For messages: what stands where something else was expected. */
export function kindOf(info: Deno.FileInfo): string {
  if (info.isSymlink) return "a symbolic link";
  if (info.isDirectory) return "a folder";
  return info.isFile ? "a file" : "something special";
}
