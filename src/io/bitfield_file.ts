/**
 * A `bitfield` file behind a bounded cache of pages.
 *
 * Pages are loaded as they are needed. Of all others a few bytes are kept (`PageSummary`), so that
 * searching and counting pass over full and empty pages without loading them. Changed pages stay in
 * memory until `flush`: a bit must never reach the disk before what it stands for.
 */
import { isZero } from "../base/bytes.ts";
import type { RandomAccess } from "../base/random_access.ts";
import {
  BLOCKS_PER_PAGE,
  clearBitsFrom,
  countBlockBits,
  dropUnproven,
  hasBlockBit,
  hasLeafBits,
  hasNodeBit,
  INDEX_OFFSET,
  nextBlockBit,
  NODES_PER_PAGE,
  PAGE_BYTES,
  setBlockBit,
  setNodeBit,
  writeIndex,
} from "../core/sleep/bitfield_page.ts";
import { encodeHeader } from "../core/sleep/header.ts";
import { entryCount, entryOffset, HEADER_BYTES } from "../core/sleep/layout.ts";
import { PageSummary } from "../core/sleep/page_summary.ts";
import { mendIndex } from "./bitfield_index.ts";

const MAX_PAGES = 64; // 224 KiB

export interface BitfieldFileOptions {
  /** Page size as the header says; a file without pages may be new. */
  readonly pageBytes: number;
  /**
   * Whether a block counts only if its leaf's tree bit is set in the same page. Not so in files that
   * say where bytes lie and leave the tree to another.
   */
  readonly ownTree: boolean;
  /** Most unchanged pages to keep in memory. */
  readonly maxPages?: number;
}

interface Page {
  readonly number: number;
  readonly bytes: Uint8Array;
  used: number;
}

export class BitfieldFile {
  readonly #file: RandomAccess;
  readonly #options: BitfieldFileOptions;
  readonly #summary: PageSummary;
  readonly #pages = new Map<number, Page>();
  readonly #dirty = new Set<Page>();
  #latest?: Page;
  #clock = 0;
  /** Pages in the file when it was opened. */
  readonly #oldPages: number;
  #pageCount: number;
  /** How many pages the joints in the summary are for; -1 until the old index was checked. */
  #joinedPages = -1;

  constructor(file: RandomAccess, options: BitfieldFileOptions) {
    this.#file = file;
    this.#options = options;
    // A fragment of a page at the end is an interrupted write.
    this.#oldPages = entryCount(file.size(), options.pageBytes);
    this.#pageCount = this.#oldPages;
    this.#summary = new PageSummary(this.#oldPages);
  }

  get pageCount(): number {
    return this.#pageCount;
  }

  /** Tree nodes that have a bit: those from here on are not held. */
  get nodeCount(): number {
    return this.#pageCount * NODES_PER_PAGE;
  }

  /** Whether something waits for `flush`. */
  get dirty(): boolean {
    return this.#dirty.size > 0;
  }

  hasBlock(block: number): boolean {
    const number = Math.floor(block / BLOCKS_PER_PAGE);
    const page = this.#find(number);
    return page !== undefined && hasBlockBit(page.bytes, block - number * BLOCKS_PER_PAGE);
  }

  /** Answers whether that changed it. */
  setBlock(block: number, value: boolean): boolean {
    const number = Math.floor(block / BLOCKS_PER_PAGE);
    if (!value && number >= this.#pageCount) return false;
    const at = block - number * BLOCKS_PER_PAGE;
    const page = this.#findOrAdd(number);
    if (!setBlockBit(page.bytes, at, value)) return false;
    this.#summary.change(number, at >= BLOCKS_PER_PAGE / 2, value ? 1 : -1);
    this.#dirty.add(page);
    return true;
  }

  hasNode(treeIndex: number): boolean {
    const number = Math.floor(treeIndex / NODES_PER_PAGE);
    const page = this.#find(number);
    return page !== undefined && hasNodeBit(page.bytes, treeIndex - number * NODES_PER_PAGE);
  }

  /** Answers whether that changed it. */
  setNode(treeIndex: number, value: boolean): boolean {
    const number = Math.floor(treeIndex / NODES_PER_PAGE);
    if (!value && number >= this.#pageCount) return false;
    const page = this.#findOrAdd(number);
    if (!setNodeBit(page.bytes, treeIndex - number * NODES_PER_PAGE, value)) return false;
    this.#dirty.add(page);
    return true;
  }

  /** Whether the leaves of all blocks in [from, to), which lie in one page, are held. */
  hasLeaves(from: number, to: number): boolean {
    const number = Math.floor(from / BLOCKS_PER_PAGE);
    const page = this.#find(number);
    const base = number * BLOCKS_PER_PAGE;
    return page !== undefined && hasLeafBits(page.bytes, from - base, to - base);
  }

  /** Whether nothing is marked in a page, neither blocks nor nodes. */
  isPageEmpty(number: number): boolean {
    const page = this.#find(number);
    return page === undefined || isZero(page.bytes.subarray(0, INDEX_OFFSET));
  }

  /** The first block in [from, to) whose bit is `value`, or -1. */
  nextBlock(from: number, to: number, value: boolean): number {
    let at = from;
    while (at < to) {
      const number = Math.floor(at / BLOCKS_PER_PAGE);
      if (number >= this.#pageCount) return value ? -1 : at;
      const base = number * BLOCKS_PER_PAGE;
      const held = this.#summary.held(number);
      if (held === (value ? BLOCKS_PER_PAGE : 0)) return at;
      if (held === 0) {
        at = this.#summary.nextOccupied(number, this.#pageCount) * BLOCKS_PER_PAGE;
        continue;
      }
      if (held !== BLOCKS_PER_PAGE) {
        const end = Math.min(to - base, BLOCKS_PER_PAGE);
        const found = nextBlockBit(this.#load(number).bytes, at - base, end, value);
        if (found !== -1) return base + found;
      }
      at = base + BLOCKS_PER_PAGE;
    }
    return -1;
  }

  /** How many bits of blocks in [from, to) are set. */
  countBlocks(from: number, to: number): number {
    let count = 0;
    let at = from;
    const end = Math.min(to, this.#pageCount * BLOCKS_PER_PAGE);
    while (at < end) {
      const number = Math.floor(at / BLOCKS_PER_PAGE);
      const base = number * BLOCKS_PER_PAGE;
      const stop = Math.min(end, base + BLOCKS_PER_PAGE);
      const held = this.#summary.held(number);
      if (held === 0) {
        at = this.#summary.nextOccupied(number, this.#pageCount) * BLOCKS_PER_PAGE;
        continue;
      }
      if (held === BLOCKS_PER_PAGE) count += stop - at;
      else if (held > 0 && stop - at === BLOCKS_PER_PAGE) count += held;
      else count += countBlockBits(this.#load(number).bytes, at - base, stop - base);
      at = stop;
    }
    return count;
  }

  /** Clear the bits of every block from `block` on, and of every tree node from twice that on. */
  clearFrom(block: number): void {
    const first = Math.floor(block / BLOCKS_PER_PAGE);
    for (let number = first; number < this.#pageCount; number++) {
      const page = this.#load(number);
      clearBitsFrom(page.bytes, number === first ? block - first * BLOCKS_PER_PAGE : 0);
      this.#count(page);
      this.#dirty.add(page);
    }
  }

  /** Drop the blocks whose leaf is not held in `proven`, and those held there themselves. */
  keepOnlyWaiting(proven: BitfieldFile): void {
    const end = this.#pageCount * BLOCKS_PER_PAGE;
    let block = this.nextBlock(0, end, true);
    while (block !== -1) {
      const number = Math.floor(block / BLOCKS_PER_PAGE);
      const page = this.#load(number);
      const other = proven.#find(number)?.bytes ?? new Uint8Array(PAGE_BYTES);
      if (dropUnproven(page.bytes, other, other)) {
        this.#count(page);
        this.#dirty.add(page);
      }
      block = this.nextBlock((number + 1) * BLOCKS_PER_PAGE, end, true);
    }
  }

  /**
   * Write the changed pages in order. So in a feed without holes, the bit of the last leaf is the
   * last to reach the disk: if it is there, so is every other.
   *
   * @throws {StorageError} What could not be written is kept for next time.
   */
  flush(): void {
    if (this.#dirty.size === 0) return;
    const { pageBytes } = this.#options;
    if (this.#oldPages === 0 && this.#file.size() < HEADER_BYTES) {
      this.#file.write(encodeHeader("bitfield"), 0);
    }
    this.#renewJoints();
    for (const page of [...this.#dirty].sort((a, b) => a.number - b.number)) {
      writeIndex(page.bytes, this.#summary.joint(page.number));
      this.#file.write(page.bytes, entryOffset(page.number, pageBytes));
      this.#dirty.delete(page);
    }
    this.#trim();
  }

  /** Find the joints that differ now, and take their pages along. */
  #renewJoints(): void {
    if (this.#joinedPages === -1) {
      mendIndex(this.#file, this.#options, this.#oldPages, this.#summary);
      this.#joinedPages = this.#oldPages;
    }
    if (this.#options.pageBytes !== PAGE_BYTES) return;
    const changed = [...this.#dirty];
    const touch = (number: number) => {
      this.#dirty.add(this.#load(number));
    };
    this.#summary.joinGrown(this.#joinedPages, this.#pageCount, touch);
    this.#joinedPages = this.#pageCount;
    for (const page of changed) this.#summary.joinAbove(page.number, this.#pageCount, touch);
  }

  #find(number: number): Page | undefined {
    if (this.#latest?.number === number) return this.#latest;
    return number < this.#pageCount ? this.#load(number) : undefined;
  }

  #findOrAdd(number: number): Page {
    if (this.#latest?.number === number) return this.#latest;
    if (number >= this.#pageCount) this.#pageCount = number + 1;
    return this.#load(number);
  }

  /** A page below `#pageCount`, out of the cache or the file. */
  #load(number: number): Page {
    let page = this.#pages.get(number);
    if (page === undefined) {
      page = this.#read(number);
      this.#clock++;
      this.#trim();
      this.#pages.set(number, page);
    }
    page.used = this.#clock;
    this.#latest = page;
    return page;
  }

  #read(number: number): Page {
    const bytes = new Uint8Array(this.#options.pageBytes);
    const count = this.#file.readInto(bytes, entryOffset(number, bytes.length));
    if (count < bytes.length) bytes.fill(0); // not written so far, or only a fragment
    const page = { number, bytes, used: 0 };
    if (this.#options.ownTree && dropUnproven(bytes, bytes)) this.#dirty.add(page);
    if (this.#summary.held(number) === -1) this.#count(page);
    return page;
  }

  #count({ number, bytes }: Page): void {
    const half = BLOCKS_PER_PAGE / 2;
    const low = countBlockBits(bytes, 0, half);
    this.#summary.setHeld(number, low, countBlockBits(bytes, half, BLOCKS_PER_PAGE));
  }

  /** Give up clean pages until there is room, those not used for longest first. */
  #trim(): void {
    const { maxPages = MAX_PAGES } = this.#options;
    while (this.#pages.size - this.#dirty.size >= maxPages) {
      let oldest: Page | undefined;
      for (const page of this.#pages.values()) {
        if (!this.#dirty.has(page) && (oldest === undefined || page.used < oldest.used)) {
          oldest = page;
        }
      }
      if (oldest === undefined) return;
      this.#pages.delete(oldest.number);
      if (this.#latest === oldest) this.#latest = undefined;
    }
  }
}
