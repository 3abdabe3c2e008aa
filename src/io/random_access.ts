/** A file as a `RandomAccess`. */
import { LocalProtocolError } from "../base/errors.ts";
import type { RandomAccess } from "../base/random_access.ts";
import { storageError } from "./handle_cache.ts";

/**
 * A file at `path`, opened when it is first needed. With access `read` nothing is ever created or
 * changed; with `write` the first write creates the file (its folder must be there). A missing file
 * reads as an empty one.
 */
export function openFile(path: string, options: { access: "read" | "write" }): RandomAccess {
  return new DiskFile(path, options.access);
}

/** Bytes; most files end before. */
const FAR_OUT = 2 ** 40;

class DiskFile implements RandomAccess {
  readonly name: string;
  readonly #access: "read" | "write";
  #file?: Deno.FsFile;
  /** Where the file's cursor is, or -1 after a failure. Saves most of the seeks. */
  #position = 0;
  /** Size in bytes, once somebody asked who has the file for writing. */
  #size?: number;
  #closed = false;

  constructor(path: string, access: "read" | "write") {
    this.name = path;
    this.#access = access;
  }

  size(): number {
    if (this.#size !== undefined) return this.#size;
    try {
      const size = this.#existing()?.statSync().size ?? 0;
      // Whoever may write has the file for itself; a reader looks again each time.
      if (this.#access === "write") this.#size = size;
      return size;
    } catch (cause) {
      throw this.#failure("measure", undefined, cause);
    }
  }

  readInto(into: Uint8Array, offset: number): number {
    let done = 0;
    try {
      const file = this.#existing();
      if (file === undefined) return 0;
      // Some systems refuse to look so far out, where a damaged tree may send us.
      if (offset >= FAR_OUT && offset >= this.size()) return 0;
      this.#seek(file, offset);
      while (done < into.length) {
        const count = file.readSync(done === 0 ? into : into.subarray(done));
        if (count === null) break;
        done += count;
        this.#position += count;
      }
    } catch (cause) {
      throw this.#failure("read", offset + done, cause);
    }
    return done;
  }

  write(bytes: Uint8Array, offset: number): void {
    let done = 0;
    try {
      const file = this.#writable();
      this.#seek(file, offset);
      while (done < bytes.length) {
        const count = file.writeSync(done === 0 ? bytes : bytes.subarray(done));
        done += count;
        this.#position += count;
        if (this.#size !== undefined) this.#size = Math.max(this.#size, this.#position);
      }
    } catch (cause) {
      throw this.#failure("write", offset + done, cause);
    }
  }

  truncate(size: number): void {
    try {
      this.#writable().truncateSync(size);
      this.#size = undefined;
    } catch (cause) {
      throw this.#failure("truncate", size, cause);
    }
  }

  sync(): void {
    try {
      this.#file?.syncDataSync();
    } catch (cause) {
      throw this.#failure("sync", undefined, cause);
    }
  }

  close(): void {
    this.#closed = true;
    this.#file?.close();
    this.#file = undefined;
  }

  #seek(file: Deno.FsFile, offset: number): void {
    if (this.#position === offset) return;
    this.#position = -1;
    file.seekSync(offset, Deno.SeekMode.Start);
    this.#position = offset;
  }

  /** The open file, or undefined if there is none so far. */
  #existing(): Deno.FsFile | undefined {
    if (this.#file !== undefined) return this.#file;
    this.#checkOpen();
    try {
      this.#file = Deno.openSync(this.name, { read: true, write: this.#access === "write" });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    return this.#file;
  }

  #writable(): Deno.FsFile {
    if (this.#access === "read") {
      throw new LocalProtocolError(`Cannot change "${this.name}": it was opened for reading`);
    }
    if (this.#file !== undefined) return this.#file;
    this.#checkOpen();
    this.#file = Deno.openSync(this.name, { read: true, write: true, create: true });
    return this.#file;
  }

  #checkOpen(): void {
    if (this.#closed) throw new LocalProtocolError(`Cannot use "${this.name}": it was closed`);
  }

  #failure(action: string, offset: number | undefined, cause: unknown): Error {
    if (cause instanceof LocalProtocolError) return cause;
    this.#position = -1;
    const at = offset === undefined ? "" : ` at byte ${offset}`;
    return storageError(`Cannot ${action} "${this.name}"${at}`, cause);
  }
}
