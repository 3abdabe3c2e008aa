/**
 * A file that is written beside the place where it belongs and has its name only when it is complete.
 * What is no regular file, such as a device or a pipe, is written into as it stands.
 */
import { LockedError, StorageError } from "../base/errors.ts";
import { storageError } from "./handle_cache.ts";
import { isSameFile, kindOf, openOrMake } from "./no_follow.ts";
import { lookAt } from "./folder.ts";

export class ReplacedFile implements Disposable {
  /** Where it will be: links on the way are resolved. */
  readonly target: string;
  readonly #temporary: string | undefined;
  readonly #file: Deno.FsFile;
  #named = false;

  /**
   * @param mode Permission bits; what the umask leaves if left out.
   * @throws {StorageError} If it cannot be made.
   * @throws {LockedError} If another process is writing it.
   */
  constructor(path: string, { mode }: { mode?: number } = {}) {
    this.target = path;
    try {
      const info = statOf(path);
      if (info?.isDirectory) throw new StorageError(`Cannot write "${path}": it is a folder`);
      if (info !== undefined && !info.isFile) {
        this.#file = Deno.openSync(path, { write: true });
        return;
      }
      if (info !== undefined) this.target = Deno.realPathSync(path);
      else if (lookAt(path) !== undefined) {
        throw new StorageError(`Cannot write "${path}": it is ${kindOf(lookAt(path)!)} to nothing`);
      }
      this.#temporary = `${this.target}.trove-new`;
      this.#file = openAlone(this.#temporary, path);
      if (mode !== undefined && Deno.build.os !== "windows") Deno.chmodSync(this.#temporary, mode);
    } catch (error) {
      if (error instanceof StorageError || error instanceof LockedError) throw error;
      throw storageError(`Cannot write "${path}"`, error);
    }
  }

  /** @throws {StorageError} */
  write(bytes: Uint8Array): void {
    try {
      for (let rest = bytes; rest.length > 0;) rest = rest.subarray(this.#file.writeSync(rest));
    } catch (error) {
      throw storageError(`Cannot write "${this.target}"`, error);
    }
  }

  /** It is complete: bring it to disk and give it its name. @throws {StorageError} */
  finish(): void {
    if (this.#temporary === undefined) return;
    try {
      this.#file.syncSync();
      Deno.renameSync(this.#temporary, this.target);
      this.#named = true;
    } catch (error) {
      throw storageError(`Cannot write "${this.target}"`, error);
    }
  }

  /** What is not complete is removed. */
  [Symbol.dispose](): void {
    try {
      if (this.#temporary !== undefined && !this.#named) Deno.removeSync(this.#temporary);
    } catch {
      // It is only in the way of nobody: the next one takes it over.
    } finally {
      this.#file.close();
    }
  }
}

function statOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** An empty file of our own. One that a killed process left is taken over. */
function openAlone(temporary: string, path: string): Deno.FsFile {
  for (;;) {
    const file = openOrMake(temporary);
    if (!file.tryLockSync(true)) {
      file.close();
      throw new LockedError(`Cannot write "${path}": another process does so`, {
        hint: "wait for it to end, or choose another file",
      });
    }
    const named = lookAt(temporary);
    if (named !== undefined && isSameFile(file.statSync(), named)) {
      file.truncateSync(0);
      return file;
    }
    file.close(); // its last owner named or removed it between our two calls
  }
}
