/**
 * The times that files had when they were imported. The time in an entry is that of the import, so
 * from the entry alone a file counts as changed if its own time is later: one whose time lies in the
 * future would be imported again each time, and one that was replaced by another of the same size
 * and an older time, as `mv` and `cp -p` do it, would never be. So a private list (`trove.times`)
 * keeps the file's own time for each entry, and any other time means that the file has to be looked
 * into. Where the list says nothing, as after another program's import, the common rule is all there
 * is.
 *
 * The list is 8 bytes for each entry, at the place of its number: a big-endian double, the time in
 * milliseconds since 1970 plus one, or zero.
 */
import { join } from "node:path";
import { EntryFile } from "../io/entry_file.ts";
import { openFile } from "../io/random_access.ts";
import type { RandomAccess } from "../base/random_access.ts";
import type { ArchivePaths } from "./archive_folder.ts";

export class FileTimes implements Disposable {
  readonly #file: RandomAccess;
  /** 16 KiB chunks, a megabyte at most. */
  readonly #entries: EntryFile;

  constructor(paths: ArchivePaths, options: { access: "read" | "write" } = { access: "write" }) {
    this.#file = openFile(join(paths.dat, "trove.times"), options);
    this.#entries = new EntryFile(this.#file, {
      entryBytes: 8,
      entriesPerChunk: 2048,
      maxChunks: 64,
    });
  }

  /** When the file of an entry was changed last, in milliseconds since 1970, if that is known. */
  get(seq: number): number | undefined {
    const { buffer, byteOffset } = this.#entries.view(seq);
    const time = new DataView(buffer, byteOffset).getFloat64(0);
    return time === 0 || Number.isNaN(time) ? undefined : time - 1;
  }

  /** Note it; on disk with the next `flush`. */
  set(seq: number, mtime: number): void {
    if (this.get(seq) === mtime) return;
    const { buffer, byteOffset } = this.#entries.edit(seq);
    new DataView(buffer, byteOffset).setFloat64(0, mtime + 1);
  }

  /** Put on disk what was noted. What a crash loses costs a look into those files. */
  flush(): void {
    this.#entries.flush();
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}
