/** Open files by path, at most so many at once: an archive may have a million of them. */
import { StorageError } from "../base/errors.ts";
import { openOrMake } from "./no_follow.ts";

export type Access = "read" | "write";

/** Enough for the files that are in progress; far below what systems allow a process. */
const MAX_HANDLES = 64;

/** Of all caches together: many archives may be open in one process. */
const MAX_ALL_HANDLES = 256;

interface Handle {
  readonly file: Deno.FsFile;
  readonly key: string;
  readonly path: string;
  readonly access: Access;
  readonly cache: HandleCache;
}

/** What all caches have open, least recently used first. */
const everywhere = new Set<Handle>();

/** The last one of them: whoever reads or writes a large file asks for the same one all the time. */
let newest: Handle | undefined;

export class HandleCache {
  /** Least recently used first. */
  readonly #open = new Map<string, Handle>();

  /** How many files all caches together have open. */
  static get openHandles(): number {
    return everywhere.size;
  }

  /**
   * An open file. For writing it is created if it is missing; for reading, a missing file or one
   * that is no regular file gives undefined.
   *
   * @throws {StorageError}
   */
  open(path: string, access: Access): Deno.FsFile | undefined {
    if (this.#isNewest(path, access)) return newest!.file;
    const key = `${access} ${path}`;
    let handle = this.#open.get(key);
    if (handle === undefined) {
      const file = access === "read" ? openToRead(path) : openToWrite(path);
      if (file === undefined) return undefined;
      if (this.#open.size >= MAX_HANDLES) this.#close(this.#open.values().next().value!);
      if (everywhere.size >= MAX_ALL_HANDLES) {
        const idlest: Handle = everywhere.values().next().value!;
        idlest.cache.#close(idlest);
      }
      handle = { file, key, path, access, cache: this };
    } else {
      this.#open.delete(key);
      everywhere.delete(handle);
    }
    this.#open.set(key, handle);
    everywhere.add(handle);
    newest = handle;
    return handle.file;
  }

  /** Whether a file is open already. */
  has(path: string, access: Access): boolean {
    return this.#isNewest(path, access) || this.#open.has(`${access} ${path}`);
  }

  #isNewest(path: string, access: Access): boolean {
    return newest?.cache === this && newest.path === path && newest.access === access;
  }

  /** Close whatever is open of a path: it is about to be renamed, replaced or removed. */
  close(path: string): void {
    for (const access of ["read", "write"]) {
      const handle = this.#open.get(`${access} ${path}`);
      if (handle !== undefined) this.#close(handle);
    }
  }

  closeAll(): void {
    for (const handle of this.#open.values()) this.#close(handle);
  }

  #close(handle: Handle): void {
    this.#open.delete(handle.key);
    everywhere.delete(handle);
    if (newest === handle) newest = undefined;
    handle.file.close();
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
