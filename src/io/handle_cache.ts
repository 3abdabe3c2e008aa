/** Open files by path, at most so many at once: an archive may have a million of them. */
import { StorageError } from "../base/errors.ts";
import { openOrMake } from "./no_follow.ts";

export type Access = "read" | "write";

/** Enough for the files that are in progress; far below what systems allow a process. */
const MAX_HANDLES = 64;

export class HandleCache {
  /** Least recently used first. */
  readonly #open = new Map<string, Deno.FsFile>();

  /**
   * An open file. For writing it is created if it is missing; for reading, a missing file or one
   * that is no regular file gives undefined.
   *
   * @throws {StorageError}
   */
  open(path: string, access: Access): Deno.FsFile | undefined {
    const key = `${access} ${path}`;
    let file = this.#open.get(key);
    if (file !== undefined) {
      this.#open.delete(key);
    } else {
      file = access === "read" ? openToRead(path) : openToWrite(path);
      if (file === undefined) return undefined;
      if (this.#open.size >= MAX_HANDLES) {
        const [oldest, handle] = this.#open.entries().next().value!;
        this.#open.delete(oldest);
        handle.close();
      }
    }
    this.#open.set(key, file);
    return file;
  }

  /** Close whatever is open of a path: it is about to be renamed, replaced or removed. */
  close(path: string): void {
    for (const access of ["read", "write"]) {
      const key = `${access} ${path}`;
      this.#open.get(key)?.close();
      this.#open.delete(key);
    }
  }

  closeAll(): void {
    for (const file of this.#open.values()) file.close();
    this.#open.clear();
  }
}

function openToRead(path: string): Deno.FsFile | undefined {
  let file: Deno.FsFile;
  try {
    // Looked at before it is opened: opening a FIFO would wait for its writer.
    if (!Deno.statSync(path).isFile) return undefined;
    file = Deno.openSync(path, { read: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return undefined;
    }
    throw storageError(`Cannot open "${path}"`, error);
  }
  return file;
}

function openToWrite(path: string): Deno.FsFile {
  try {
    return openOrMake(path);
  } catch (error) {
    throw storageError(`Cannot open "${path}" for writing`, error);
  }
}

/** A StorageError whose hint fits what the system said. */
export function storageError(message: string, cause: unknown): StorageError {
  const text = cause instanceof Error ? cause.message : String(cause);
  if (/os error 28\b|os error 122\b|No space left|quota|File too large|os error 27\b/i.test(text)) {
    return new StorageError(`${message}: the disk is full`, {
      cause,
      hint: "make room and run the same command again; nothing that was stored is lost",
    });
  }
  if (cause instanceof Deno.errors.PermissionDenied || cause instanceof Deno.errors.NotCapable) {
    return new StorageError(`${message}: permission denied`, { cause });
  }
  return new StorageError(`${message}: ${text}`, { cause });
}
