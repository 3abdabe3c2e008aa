/**
 * Which file each content block belongs to. All files are rows; what changes later is kept beside
 * them and put among them when it has become much, so that a change costs what changed and not what
 * there is.
 */
import type { ContentFile, HeldBlocks } from "./content_files.ts";
import { ContentRows } from "./content_rows.ts";

/** So many changes, and this part of all files, have new rows made. */
const MOST_CHANGES = 4096;
const CHANGED_PART = 1 / 8;

/** A file, or several with the very same blocks. */
export interface Slot {
  readonly file: ContentFile;
  /** Other names for the very same blocks; they get a copy. */
  readonly copies: readonly ContentFile[];
  /** Whether its bytes lie under its own name, or in the staging folder. */
  readonly place: "final" | "staged";
}

export class ContentSlots {
  readonly #dir: string;
  #rows: ContentRows;
  /** How many rows are gone. */
  #gone = 0;
  /** Beside the rows, by first block. No row has the same blocks. */
  #fresh: Slot[] = [];

  /** @param dir The folder that the files are in. */
  constructor(dir: string) {
    this.#dir = dir;
    this.#rows = new ContentRows(dir);
  }

  /**
   * Forget all, and take these files, which have the places that `placeOf` says. If that fails,
   * nothing is forgotten.
   */
  set(files: Iterable<ContentFile>, placeOf: (file: ContentFile) => Slot["place"]): void {
    const rows = new ContentRows(this.#dir);
    for (const file of files) rows.push(file, placeOf(file) === "final");
    this.#take(rows);
  }

  #take(rows: ContentRows): void {
    rows.seal();
    this.#rows = rows;
    this.#fresh = [];
    this.#gone = 0;
  }

  /** The slot that a block belongs to. */
  find(block: number): Slot | undefined {
    const fresh = this.#fresh[this.#freshAfter(block) - 1];
    if (fresh !== undefined && covers(fresh, block)) return fresh;
    const row = this.#rows.after(block) - 1;
    if (row < 0 || this.#rows.isGone(row) || !this.#rows.covers(row, block)) return undefined;
    return this.#slotAt(this.#rows.firstOf(row));
  }

  /** The slot that begins at a block. */
  at(offset: number): Slot | undefined {
    const slot = this.find(offset);
    return slot?.file.offset === offset ? slot : undefined;
  }

  /** Another slot begins where this one does. */
  put(slot: Slot): void {
    const { offset } = slot.file;
    const at = this.#freshAfter(offset);
    if (this.#fresh[at - 1]?.file.offset === offset) {
      this.#fresh[at - 1] = slot;
      return;
    }
    this.#drop(offset);
    this.#fresh.splice(at, 0, slot);
    this.#tidy();
  }

  /** The bytes of what begins there lie under its name from now on. */
  settle(offset: number): void {
    const at = this.#freshAfter(offset) - 1;
    if (this.#fresh[at]?.file.offset === offset) {
      this.#fresh[at] = { ...this.#fresh[at], place: "final" };
      return;
    }
    for (const row of this.#rowsAt(offset)) this.#rows.setFinal(row);
  }

  /** Nothing begins there any more. */
  delete(offset: number): void {
    const at = this.#freshAfter(offset) - 1;
    if (this.#fresh[at]?.file.offset === offset) this.#fresh.splice(at, 1);
    else this.#drop(offset);
    this.#tidy();
  }

  /** Every slot, by first block. */
  *[Symbol.iterator](): Generator<Slot> {
    let next = 0;
    for (let row = 0; row < this.#rows.count;) {
      const offset = this.#rows.offsetOf(row);
      while (next < this.#fresh.length && this.#fresh[next].file.offset < offset) {
        yield this.#fresh[next++];
      }
      if (!this.#rows.isGone(row)) yield this.#slotAt(row);
      row = this.#rows.after(offset);
    }
    yield* this.#fresh.slice(next);
  }

  #slotAt(first: number): Slot {
    const [file, ...copies] = this.#rowsAt(this.#rows.offsetOf(first))
      .map((row) => this.#rows.file(row));
    return { file, copies, place: this.#rows.isFinal(first) ? "final" : "staged" };
  }

  /** The rows that begin at a block. */
  #rowsAt(offset: number): number[] {
    const rows: number[] = [];
    for (let row = this.#rows.after(offset) - 1; row >= 0; row--) {
      if (this.#rows.offsetOf(row) !== offset || this.#rows.isGone(row)) break;
      rows.push(row);
    }
    return rows.reverse();
  }

  #drop(offset: number): void {
    for (const row of this.#rowsAt(offset)) {
      this.#rows.setGone(row);
      this.#gone++;
    }
  }

  /** How many of the fresh ones begin at `block` or before it. */
  #freshAfter(block: number): number {
    let low = 0;
    let high = this.#fresh.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#fresh[middle].file.offset <= block) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #tidy(): void {
    const changes = this.#gone + this.#fresh.length;
    if (changes < MOST_CHANGES || changes < this.#rows.count * CHANGED_PART) return;
    const rows = new ContentRows(this.#dir);
    for (const { file, copies, place } of this) {
      for (const one of [file, ...copies]) rows.push(one, place === "final");
    }
    this.#take(rows);
  }
}

/** Whether a block is one of the slot's. */
export function covers({ file: { offset, blocks } }: Slot, block: number): boolean {
  return block >= offset && block < offset + blocks;
}

/** Where the bytes of a file are, and how many of its blocks are not. */
export function stateOf(
  file: ContentFile,
  held: HeldBlocks,
): { place: Slot["place"]; missing: number } {
  let final = 0;
  let staged = 0;
  const end = file.offset + file.blocks;
  // Only what is here is visited: how many blocks a file has is what a stranger says.
  for (let block = held.nextHeld(file.offset, end); block !== -1;) {
    if (held.hasFinal(block)) final++;
    else if (held.hasStaged(block)) staged++;
    block = held.nextHeld(block + 1, end);
  }
  // Another program keeps a half-fetched file under its own name: it is finished there.
  if (final > 0) return { place: "final", missing: file.blocks - final };
  return { place: "staged", missing: file.blocks - staged };
}

export const NOTHING_HELD: HeldBlocks = {
  hasFinal: () => false,
  hasStaged: () => false,
  nextHeld: () => -1,
};
