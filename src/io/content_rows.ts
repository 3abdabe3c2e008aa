/**
 * Very many files in little memory: a row of numbers for each, and the bytes of its name. An object
 * is made of a row when somebody asks for it.
 */
import type { ContentFile } from "./content_files.ts";

/** Room for so many rows at first, and how much more there is when it is used up. */
const FIRST_ROWS = 64;
const GROWTH = 1.5;
/** Bytes of names that there is room for at first. */
const FIRST_NAME_BYTES = 2048;
/** UTF-8 takes at most so many bytes for a UTF-16 code unit. */
const BYTES_PER_UNIT = 3;

const FINAL = 1;
const GONE = 2;
/** What the file may replace: nothing, or what was marked. */
const BEFORE_NOTHING = 4;
const BEFORE_MARK = 8;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

type Column = Float64Array | Uint32Array | Uint8Array;

/** Rows in ascending order of `offset`, once they are sorted. */
export class ContentRows {
  readonly #dir: string;
  #count = 0;
  #offset = new Float64Array(FIRST_ROWS);
  #blocks = new Float64Array(FIRST_ROWS);
  #byteOffset = new Float64Array(FIRST_ROWS);
  #size = new Float64Array(FIRST_ROWS);
  #mtime = new Float64Array(FIRST_ROWS);
  #mode = new Uint32Array(FIRST_ROWS);
  /** Where the name begins among all names, and how long it is. */
  #name = new Float64Array(FIRST_ROWS);
  #nameBytes = new Uint32Array(FIRST_ROWS);
  #flags = new Uint8Array(FIRST_ROWS);
  #names = new Uint8Array(FIRST_NAME_BYTES);
  #namesEnd = 0;
  /** What a file may replace, by its place: few files have that. */
  readonly #marks = new Map<string, NonNullable<ContentFile["before"]>>();
  #isSorted = true;

  /** @param dir The folder that the files are in. */
  constructor(dir: string) {
    this.#dir = dir;
  }

  get count(): number {
    return this.#count;
  }

  push(file: ContentFile, isFinal: boolean): void {
    const row = this.#count;
    if (row === this.#offset.length) this.#resize(Math.ceil(row * GROWTH));
    const { target, offset, blocks, byteOffset, size, mode, mtime, before } = file;
    if (row > 0 && offset < this.#offset[row - 1]) this.#isSorted = false;
    this.#offset[row] = offset;
    this.#blocks[row] = blocks;
    this.#byteOffset[row] = byteOffset;
    this.#size[row] = size;
    this.#mtime[row] = mtime;
    this.#mode[row] = mode;
    this.#name[row] = this.#namesEnd;
    this.#nameBytes[row] = this.#pushName(target.slice(this.#dir.length));
    this.#flags[row] = (isFinal ? FINAL : 0) |
      (before === null ? BEFORE_NOTHING : before === undefined ? 0 : BEFORE_MARK);
    if (before) this.#marks.set(target, before);
    this.#count++;
  }

  #pushName(name: string): number {
    const needed = this.#namesEnd + name.length * BYTES_PER_UNIT;
    if (needed > this.#names.length) {
      this.#names = resized(this.#names, Math.ceil(Math.max(needed, this.#names.length * GROWTH)));
    }
    const { written } = encoder.encodeInto(name, this.#names.subarray(this.#namesEnd));
    this.#namesEnd += written;
    return written;
  }

  /** Bring all in order, of equal offsets the first first, and let go of room that is not used. */
  seal(): void {
    this.#resize(this.#count);
    this.#names = resized(this.#names, this.#namesEnd);
    if (this.#isSorted) return;
    const offset = this.#offset;
    const order = Uint32Array.from({ length: this.#count }, (_, row) => row)
      .sort((a, b) => offset[a] - offset[b] || a - b);
    this.#mapColumns((column) => {
      const sorted = new (column.constructor as { new (length: number): typeof column })(
        column.length,
      );
      for (let row = 0; row < order.length; row++) sorted[row] = column[order[row]];
      return sorted;
    });
    this.#isSorted = true;
  }

  #resize(rows: number): void {
    this.#mapColumns((column) => resized(column, rows));
  }

  #mapColumns(change: <C extends Column>(column: C) => C): void {
    this.#offset = change(this.#offset);
    this.#blocks = change(this.#blocks);
    this.#byteOffset = change(this.#byteOffset);
    this.#size = change(this.#size);
    this.#mtime = change(this.#mtime);
    this.#mode = change(this.#mode);
    this.#name = change(this.#name);
    this.#nameBytes = change(this.#nameBytes);
    this.#flags = change(this.#flags);
  }

  /** How many rows begin at `block` or before it. */
  after(block: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#offset[middle] <= block) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The first of the rows that have the same blocks as this one. */
  firstOf(row: number): number {
    let first = row;
    while (first > 0 && this.#offset[first - 1] === this.#offset[row]) first--;
    return first;
  }

  covers(row: number, block: number): boolean {
    return block >= this.#offset[row] && block < this.#offset[row] + this.#blocks[row];
  }

  offsetOf(row: number): number {
    return this.#offset[row];
  }

  isGone(row: number): boolean {
    return (this.#flags[row] & GONE) !== 0;
  }

  setGone(row: number): void {
    this.#flags[row] |= GONE;
    this.#marks.delete(this.#targetOf(row));
  }

  isFinal(row: number): boolean {
    return (this.#flags[row] & FINAL) !== 0;
  }

  setFinal(row: number): void {
    this.#flags[row] |= FINAL;
  }

  file(row: number): ContentFile {
    const target = this.#targetOf(row);
    const flags = this.#flags[row];
    const file = {
      target,
      offset: this.#offset[row],
      blocks: this.#blocks[row],
      byteOffset: this.#byteOffset[row],
      size: this.#size[row],
      mode: this.#mode[row],
      mtime: this.#mtime[row],
    };
    if (flags & BEFORE_NOTHING) return { ...file, before: null };
    return flags & BEFORE_MARK ? { ...file, before: this.#marks.get(target) } : file;
  }

  #targetOf(row: number): string {
    const start = this.#name[row];
    return this.#dir + decoder.decode(this.#names.subarray(start, start + this.#nameBytes[row]));
  }
}

function resized<C extends Column>(column: C, length: number): C {
  if (length <= column.length) return column.slice(0, length) as C;
  const larger = new (column.constructor as { new (length: number): C })(length);
  larger.set(column);
  return larger;
}
