/**
 * Opening files where somebody else may put symbolic links meanwhile: nothing is ever written
 * through a link.
 *
 * The last component of a path is safe: a file is made with "must not exist", which does not follow
 * links, or opened and then compared with what `lstat` says stands there, before the first byte is
 * written. Of the folders above, see `finish_file.ts`.
 */

/** Bytes copied at once. */
const COPY_BYTES = 1024 * 1024;

/**
 * Open a file for reading and writing, making it if it is missing.
 *
 * @param mode Permission bits of a new file, of which the system may take some away.
 * @throws {Error} What the system says; or that a link or no regular file is there.
 */
export function openOrMake(path: string, mode?: number): Deno.FsFile {
  try {
    return Deno.openSync(path, { read: true, write: true, createNew: true, mode });
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

/** A copy at a private place, made anew: what lies there from before is not written through. */
export function copyFile(from: string, to: string): void {
  try {
    Deno.removeSync(to);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  using source = Deno.openSync(from, { read: true });
  using copy = openOrMake(to);
  const piece = new Uint8Array(COPY_BYTES);
  for (let read = source.readSync(piece); read !== null; read = source.readSync(piece)) {
    for (let at = 0; at < read;) at += copy.writeSync(piece.subarray(at, read));
  }
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
