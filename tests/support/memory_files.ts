/**
 * A folder of files that are in memory only, for readers that are given millions of them: what the
 * product reads files with, the synchronous functions of the `Deno` namespace, is replaced until this
 * is disposed. Paths outside of the folder are left to the real ones. Nothing can be written.
 */
import { join } from "node:path";

/** The functions as they were. */
const REPLACED = ["openSync", "readFileSync", "readTextFileSync", "statSync", "lstatSync"] as const;

type Replaced = (typeof REPLACED)[number];

export class MemoryFiles implements Disposable {
  readonly path: string;
  readonly #files = new Map<string, Uint8Array>();
  readonly #real = Object.fromEntries(REPLACED.map((name) => [name, Deno[name]])) as {
    readonly [name in Replaced]: (...args: unknown[]) => unknown;
  };

  /** @param path Where no real folder is. */
  constructor(path: string) {
    this.path = path;
    const text = new TextDecoder();
    this.#replace("readFileSync", (bytes) => bytes.slice());
    this.#replace("readTextFileSync", (bytes) => text.decode(bytes));
    this.#replace("statSync", infoOf);
    this.#replace("lstatSync", infoOf);
    this.#replace("openSync", (bytes) => new MemoryHandle(bytes));
  }

  /** Let there be a file with these bytes, which must not change. Answers where it is. */
  put(name: string, bytes: Uint8Array): string {
    const path = join(this.path, name);
    this.#files.set(path, bytes);
    return path;
  }

  [Symbol.dispose](): void {
    Object.assign(Deno, this.#real);
  }

  #replace(name: Replaced, read: (bytes: Uint8Array) => unknown): void {
    const real = this.#real[name];
    const replaced = (path: string, ...rest: unknown[]) => {
      if (!path.startsWith(this.path)) return real(path, ...rest);
      const bytes = this.#files.get(path);
      if (bytes === undefined) throw new Deno.errors.NotFound(`No such file: ${path}`);
      return read(bytes);
    };
    Object.assign(Deno, { [name]: replaced });
  }
}

function infoOf({ length }: Uint8Array) {
  return { isFile: true, isDirectory: false, isSymlink: false, size: length };
}

/** What is used of a `Deno.FsFile`. */
class MemoryHandle {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  statSync() {
    return infoOf(this.#bytes);
  }

  seekSync(offset: number, from: Deno.SeekMode): number {
    if (from !== Deno.SeekMode.Start || !(offset >= 0)) throw new TypeError(`seek to ${offset}`);
    return this.#at = offset;
  }

  readSync(into: Uint8Array): number | null {
    const part = this.#bytes.subarray(this.#at, this.#at + into.length);
    if (part.length === 0) return into.length === 0 ? 0 : null;
    into.set(part);
    this.#at += part.length;
    return part.length;
  }

  close(): void {}

  [Symbol.dispose](): void {}
}
