/** Files that content blocks belong to, packed. A file is made of its row when somebody asks. */
import { PackedRows } from "../base/packed_rows.ts";
import type { ContentFile } from "./content_files.ts";

const NUMBERS = ["offset", "blocks", "byteOffset", "size", "mode", "mtime", "flags"] as const;

/** The bytes lie under the file's own name. */
const FINAL = 1;
/** There is no such file any more. */
const GONE = 2;
/** What the file may replace: nothing, or what was marked. */
const BEFORE_NOTHING = 4;
const BEFORE_MARK = 8;

/** Rows in ascending order of `offset`, once they are sealed; of equal ones the first first. */
export class ContentRows {
  readonly #dir: string;
  readonly #rows = new PackedRows(NUMBERS);
  /** What a file may replace, by its place: few files have that. */
  readonly #marks = new Map<string, NonNullable<ContentFile["before"]>>();

  /** @param dir The folder that the files are in. */
  constructor(dir: string) {
    this.#dir = dir;
  }

  get count(): number {
    return this.#rows.count;
  }

  push(file: ContentFile, isFinal: boolean): void {
    const { target, before, offset, blocks, byteOffset, size, mode, mtime } = file;
    let flags = isFinal ? FINAL : 0;
    if (before === null) flags |= BEFORE_NOTHING;
    else if (before !== undefined) {
      flags |= BEFORE_MARK;
      this.#marks.set(target, before);
    }
    const numbers = { offset, blocks, byteOffset, size, mode, mtime, flags };
    this.#rows.push(numbers, target.slice(this.#dir.length));
  }

  /** There is nothing to be pushed any more. */
  seal(): void {
    this.#rows.seal();
    this.#rows.sortBy("offset");
  }

  /** How many rows begin at `block` or before it. */
  after(block: number): number {
    return this.#rows.upTo("offset", block);
  }

  /** The first of the rows that have the same blocks as this one. */
  firstOf(row: number): number {
    const offset = this.offsetOf(row);
    let first = row;
    while (first > 0 && this.offsetOf(first - 1) === offset) first--;
    return first;
  }

  covers(row: number, block: number): boolean {
    const offset = this.offsetOf(row);
    return block >= offset && block < offset + this.#rows.get(row, "blocks");
  }

  offsetOf(row: number): number {
    return this.#rows.get(row, "offset");
  }

  isGone(row: number): boolean {
    return this.#has(row, GONE);
  }

  setGone(row: number): void {
    this.#set(row, GONE);
    this.#marks.delete(this.#targetOf(row));
  }

  isFinal(row: number): boolean {
    return this.#has(row, FINAL);
  }

  setFinal(row: number): void {
    this.#set(row, FINAL);
  }

  file(row: number): ContentFile {
    const rows = this.#rows;
    const target = this.#targetOf(row);
    const file = {
      target,
      offset: rows.get(row, "offset"),
      blocks: rows.get(row, "blocks"),
      byteOffset: rows.get(row, "byteOffset"),
      size: rows.get(row, "size"),
      mode: rows.get(row, "mode"),
      mtime: rows.get(row, "mtime"),
    };
    if (this.#has(row, BEFORE_NOTHING)) return { ...file, before: null };
    return this.#has(row, BEFORE_MARK) ? { ...file, before: this.#marks.get(target) } : file;
  }

  #has(row: number, flag: number): boolean {
    return (this.#rows.get(row, "flags") & flag) !== 0;
  }

  #set(row: number, flag: number): void {
    this.#rows.set(row, "flags", this.#rows.get(row, "flags") | flag);
  }

  #targetOf(row: number): string {
    return this.#dir + this.#rows.text(row);
  }
}
