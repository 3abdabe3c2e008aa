/**
 * A place for files on their way to their names below a folder, on the same file system so that
 * renaming works: `.dat/trove.checkout` in that folder, where no path of an archive may lead. One
 * process at a time has it; what a killed one left there is removed.
 */
import { join } from "node:path";
import { LockedError } from "../base/errors.ts";
import { ensurePrivateFolder } from "./finish_file.ts";
import { lookAt } from "./folder.ts";
import { storageError } from "./handle_cache.ts";
import { isSameFile, openOrMake } from "./no_follow.ts";

export class PrivateFolder implements Disposable {
  readonly #dat: string;
  readonly #path: string;
  readonly #lockPath: string;
  readonly #lock: Deno.FsFile;

  /**
   * @param root The folder; made with those above it if it is missing.
   * @throws {LockedError} If another process has the place.
   * @throws {StorageError}
   */
  constructor(root: string) {
    this.#dat = join(root, ".dat");
    this.#path = join(this.#dat, "trove.checkout");
    this.#lockPath = join(this.#dat, "trove.checkout.lock");
    ensurePrivateFolder(this.#dat);
    this.#lock = this.#takeLock(root);
    try {
      this.#clear();
    } catch (error) {
      this.#lock.close();
      throw error;
    }
  }

  /**
   * A new file, open for writing.
   *
   * @throws {StorageError}
   */
  make(name: string): { readonly path: string; readonly file: Deno.FsFile } {
    // Both, for either may have been swapped for a link since the last file.
    ensurePrivateFolder(this.#dat);
    ensurePrivateFolder(this.#path);
    const path = join(this.#path, name);
    try {
      return { path, file: Deno.openSync(path, { write: true, createNew: true }) };
    } catch (error) {
      throw storageError(`Cannot make "${path}"`, error);
    }
  }

  [Symbol.dispose](): void {
    try {
      this.#clear();
      Deno.removeSync(this.#lockPath);
    } catch (error) {
      // Somebody else tidied up; what counts is that nothing of ours is left.
      if (!(error instanceof Deno.errors.NotFound)) {
        throw storageError(`Cannot remove "${this.#lockPath}"`, error);
      }
    } finally {
      this.#lock.close();
    }
    try {
      // Made for us, by this process or one that was killed. One with anything in it stays.
      if (lookAt(this.#dat)?.isDirectory) Deno.removeSync(this.#dat);
    } catch {
      // It is not empty.
    }
  }

  #takeLock(root: string): Deno.FsFile {
    for (;;) {
      let file: Deno.FsFile;
      try {
        file = openOrMake(this.#lockPath);
      } catch (error) {
        throw storageError(`Cannot open "${this.#lockPath}" for writing`, error);
      }
      if (!file.tryLockSync(true)) {
        file.close();
        throw new LockedError(`Cannot write into "${root}": another process does so`, {
          hint: "wait for it to end, or stop it",
        });
      }
      let isOurs = false;
      try {
        const named = lookAt(this.#lockPath);
        isOurs = named !== undefined && isSameFile(file.statSync(), named);
        if (isOurs) return file;
      } finally {
        if (!isOurs) file.close(); // its last owner removed it between our two calls
      }
    }
  }

  #clear(): void {
    if (lookAt(this.#dat)?.isDirectory !== true) return;
    // Without `recursive`, should it be a link or a file: only that goes.
    const info = lookAt(this.#path);
    if (info === undefined) return;
    try {
      Deno.removeSync(this.#path, { recursive: info.isDirectory });
    } catch (error) {
      throw storageError(`Cannot remove "${this.#path}"`, error);
    }
  }
}
