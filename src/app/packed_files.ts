/**
 * The planned files of a whole version, packed: there may be a million of them, and they are held
 * until all are here.
 */
import { sep } from "node:path";
import { PackedRows } from "../base/packed_rows.ts";
import type { WalkedFile } from "../core/archive/walk.ts";
import type { FileMark } from "../io/finish_file.ts";
import type { PlannedFile } from "./checkout_plan.ts";

const PLACE = ["seq", "offset", "blocks", "byteOffset"] as const;
const NUMBERS = [...PLACE, "size", "mode", "mtime", "before"] as const;

/** In the column `before`: it was not said what the file may replace, or it was. */
const UNKNOWN = 0;
const KNOWN = 1;

export class PackedFiles {
  readonly dir: string;
  readonly rows = new PackedRows(NUMBERS);
  /** What files may replace, by row, where that is anything. */
  readonly marks = new Map<number, FileMark>();

  /** @param dir The folder that the files go into. */
  constructor(dir: string) {
    this.dir = dir;
  }

  /** Take in a file whose path is safe. */
  add({ path, seq, stat }: WalkedFile): PlannedFile {
    const { offset, blocks, byteOffset, size, mode, mtime } = stat;
    const numbers = { seq, offset, blocks, byteOffset, size, mode, mtime, before: UNKNOWN };
    return new PackedFile(this, this.rows.push(numbers, path));
  }

  /** All are in: let go of room that is not used. */
  seal(): void {
    this.rows.seal();
  }
}

/** A file out of its row. All of it is looked up, so it cannot be copied with `...`. */
export class PackedFile implements PlannedFile {
  readonly #files: PackedFiles;
  readonly #row: number;

  constructor(files: PackedFiles, row: number) {
    this.#files = files;
    this.#row = row;
  }

  /** Say that it may replace nothing (null) or this. */
  setBefore(before: FileMark | null): void {
    this.#files.rows.set(this.#row, "before", KNOWN);
    if (before === null) this.#files.marks.delete(this.#row);
    else this.#files.marks.set(this.#row, before);
  }

  get before(): FileMark | null | undefined {
    if (this.#files.rows.get(this.#row, "before") === UNKNOWN) return undefined;
    return this.#files.marks.get(this.#row) ?? null;
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

/** A planned file that may replace nothing (null) or this; the very same one if it is packed. */
export function replacing(file: PlannedFile, before: FileMark | null): PlannedFile {
  if (!(file instanceof PackedFile)) return { ...file, before };
  file.setBefore(before);
  return file;
}
