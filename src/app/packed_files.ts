/**
 * The planned files of a whole version, packed: there may be a million of them, and they are held
 * until all are here.
 */
import { sep } from "node:path";
import { PackedRows } from "../base/packed_rows.ts";
import type { WalkedFile } from "../core/archive/walk.ts";
import type { FileMark } from "../io/finish_file.ts";
import type { PlannedFile } from "./checkout_plan.ts";

const NUMBERS = ["seq", "offset", "blocks", "byteOffset", "size", "mode", "mtime"] as const;

export class PackedFiles {
  readonly dir: string;
  readonly rows = new PackedRows(NUMBERS);

  /** @param dir The folder that the files go into. */
  constructor(dir: string) {
    this.dir = dir;
  }

  /** Take in a file whose path is safe. */
  add({ path, seq, stat }: WalkedFile): PlannedFile {
    const { offset, blocks, byteOffset, size, mode, mtime } = stat;
    const numbers = { seq, offset, blocks, byteOffset, size, mode, mtime };
    return new PackedFile(this, this.rows.push(numbers, path));
  }

  /** All are in: let go of room that is not used. */
  seal(): void {
    this.rows.seal();
  }
}

/** A file out of its row. All but `before` is looked up, so it cannot be copied with `...`. */
export class PackedFile implements PlannedFile {
  readonly #files: PackedFiles;
  readonly #row: number;
  readonly before?: FileMark | null;

  constructor(files: PackedFiles, row: number, before?: FileMark | null) {
    this.#files = files;
    this.#row = row;
    if (before !== undefined) this.before = before;
  }

  /** The same file, which may replace nothing (null) or this. */
  replacing(before: FileMark | null): PackedFile {
    return new PackedFile(this.#files, this.#row, before);
  }

  get path(): string {
    return this.#files.rows.text(this.#row);
  }

  get target(): string {
    const { path } = this;
    return this.#files.dir + (sep === "/" ? path : path.replaceAll("/", sep));
  }

  get seq(): number {
    return this.#files.rows.get(this.#row, "seq");
  }

  get offset(): number {
    return this.#files.rows.get(this.#row, "offset");
  }

  get blocks(): number {
    return this.#files.rows.get(this.#row, "blocks");
  }

  get byteOffset(): number {
    return this.#files.rows.get(this.#row, "byteOffset");
  }

  get size(): number {
    return this.#files.rows.get(this.#row, "size");
  }

  get mode(): number {
    return this.#files.rows.get(this.#row, "mode");
  }

  get mtime(): number {
    return this.#files.rows.get(this.#row, "mtime");
  }
}

/** A planned file that may replace nothing (null) or this. */
export function replacing(file: PlannedFile, before: FileMark | null): PlannedFile {
  return file instanceof PackedFile ? file.replacing(before) : { ...file, before };
}
