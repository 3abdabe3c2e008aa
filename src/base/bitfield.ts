/**
 * A sparse set of block numbers: runs of whole pages are kept as ranges, only pages that are partly
 * filled take memory. A claim of 2^53 blocks costs one range.
 */
import { type Range, RangeSet } from "./ranges.ts";

const PAGE_BITS = 8192;
const PAGE_BYTES = PAGE_BITS / 8;

/** How many bits of a byte are set, by its value. */
const BIT_COUNT = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0;
  for (let rest = byte; rest !== 0; rest &= rest - 1) count++;
  return count;
});

/** A partly filled page. */
interface Page {
  readonly bits: Uint8Array;
  /** How many are set: to see that a page became uniform without a look at all of it. */
  count: number;
}

export class Bitfield {
  readonly #full = new RangeSet();
  readonly #mixed = new Map<number, Page>();
  /** The keys of `#mixed`, in order. */
  readonly #mixedPages = new RangeSet();
  readonly #maxMixed: number;

  /**
   * @param maxMixedPages How many partly filled pages (1 KiB each) may be kept. Bits that would
   *   need one more are dropped: `add` then answers false.
   */
  constructor(maxMixedPages = Infinity) {
    this.#maxMixed = maxMixedPages;
  }

  has(bit: number): boolean {
    const page = Math.floor(bit / PAGE_BITS);
    const mixed = this.#mixed.get(page);
    if (mixed === undefined) return this.#full.has(page);
    const at = bit - page * PAGE_BITS;
    return (mixed.bits[at >> 3] & (0x80 >> (at & 7))) !== 0;
  }

  /** Add [start, end). Answers false if some of it had to be dropped. */
  add(start: number, end: number): boolean {
    return this.#change(start, end, true);
  }

  /** Remove [start, end). */
  remove(start: number, end: number): void {
    this.#change(start, end, false);
  }

  /** The first set bit in [from, to), or -1. */
  nextSet(from: number, to: number): number {
    return this.#next(from, to, true);
  }

  /** The first clear bit in [from, to), or -1. */
  nextClear(from: number, to: number): number {
    return this.#next(from, to, false);
  }

  /** The runs of set bits within [from, to), in order. */
  *runs(from: number, to: number): IterableIterator<Range> {
    let start = this.nextSet(from, to);
    while (start !== -1) {
      const stop = this.nextClear(start, to);
      const end = stop === -1 ? to : stop;
      yield { start, end };
      start = this.nextSet(end, to);
    }
  }

  /** One past the largest set bit, or 0. */
  get end(): number {
    const full = this.#full.end;
    if (full >= this.#mixedPages.end) return full * PAGE_BITS;
    // A mixed page has a set bit, so nothing before the last one matters.
    const page = this.#mixedPages.end - 1;
    const { bits } = this.#mixed.get(page)!;
    let byte = PAGE_BYTES - 1;
    while (bits[byte] === 0) byte--;
    const lowest = 31 - Math.clz32(bits[byte] & -bits[byte]);
    return page * PAGE_BITS + byte * 8 + 8 - lowest;
  }

  /** How many partly filled pages (1 KiB each) are kept. */
  get mixedPages(): number {
    return this.#mixed.size;
  }

  #change(start: number, end: number, value: boolean): boolean {
    if (start >= end) return true;
    const firstWhole = Math.ceil(start / PAGE_BITS);
    const lastWhole = Math.floor(end / PAGE_BITS);
    if (
      firstWhole >= lastWhole && Math.floor(start / PAGE_BITS) === Math.floor((end - 1) / PAGE_BITS)
    ) {
      return this.#changeWithin(start, end, value);
    }
    let complete = true;
    if (start < firstWhole * PAGE_BITS) {
      complete = this.#changeWithin(start, firstWhole * PAGE_BITS, value) && complete;
    }
    if (end > lastWhole * PAGE_BITS) {
      complete = this.#changeWithin(lastWhole * PAGE_BITS, end, value) && complete;
    }
    if (firstWhole < lastWhole) {
      this.#forget(firstWhole, lastWhole);
      if (value) this.#full.add(firstWhole, lastWhole);
      else this.#full.remove(firstWhole, lastWhole);
    }
    return complete;
  }

  /** Drop the mixed pages in [first, last), by whichever way is shorter. */
  #forget(first: number, last: number): void {
    this.#mixedPages.remove(first, last);
    if (last - first < this.#mixed.size) {
      for (let page = first; page < last; page++) this.#mixed.delete(page);
    } else {
      for (const page of this.#mixed.keys()) {
        if (page >= first && page < last) this.#mixed.delete(page);
      }
    }
  }

  /** `start` and `end - 1` lie in the same page. */
  #changeWithin(start: number, end: number, value: boolean): boolean {
    const page = Math.floor(start / PAGE_BITS);
    let mixed = this.#mixed.get(page);
    if (mixed === undefined) {
      const wasFull = this.#full.has(page);
      if (wasFull === value) return true;
      if (this.#mixed.size >= this.#maxMixed) {
        if (wasFull) this.#full.remove(page, page + 1);
        return false;
      }
      mixed = { bits: new Uint8Array(PAGE_BYTES), count: 0 };
      if (wasFull) {
        mixed.bits.fill(0xff);
        mixed.count = PAGE_BITS;
        this.#full.remove(page, page + 1);
      }
      this.#mixed.set(page, mixed);
      this.#mixedPages.add(page, page + 1);
    }
    const base = page * PAGE_BITS;
    fillBits(mixed, start - base, end - base, value);
    if (mixed.count === PAGE_BITS) {
      this.#forget(page, page + 1);
      this.#full.add(page, page + 1);
    } else if (mixed.count === 0) {
      this.#forget(page, page + 1);
    }
    return true;
  }

  #next(from: number, to: number, value: boolean): number {
    let at = from;
    while (at < to) {
      const page = Math.floor(at / PAGE_BITS);
      const base = page * PAGE_BITS;
      const mixed = this.#mixed.get(page);
      if (mixed !== undefined) {
        const found = nextBit(mixed.bits, at - base, value);
        if (found !== -1) return base + found < to ? base + found : -1;
        at = base + PAGE_BITS;
      } else if (this.#full.has(page) === value) {
        return at;
      } else {
        at = this.#nextPage(page, value) * PAGE_BITS;
      }
    }
    return -1;
  }

  /** The next page after a uniform one that may hold a bit of the other kind. */
  #nextPage(page: number, value: boolean): number {
    if (!value) return this.#full.nextAbsent(page);
    const full = this.#full.next(page);
    const mixed = this.#mixedPages.next(page + 1);
    if (full === -1 && mixed === -1) return Number.MAX_SAFE_INTEGER;
    if (full === -1) return mixed;
    return mixed === -1 ? full : Math.min(full, mixed);
  }
}

function fillBits(page: Page, start: number, end: number, value: boolean): void {
  const { bits } = page;
  for (let at = start; at < end;) {
    const first = at >> 3;
    if ((at & 7) === 0 && end - at >= 8) {
      const last = end >> 3;
      for (let byte = first; byte < last; byte++) page.count -= BIT_COUNT[bits[byte]];
      if (value) page.count += (last - first) * 8;
      bits.fill(value ? 0xff : 0, first, last);
      at = last * 8;
    } else {
      const mask = 0x80 >> (at & 7);
      if (((bits[first] & mask) !== 0) !== value) {
        bits[first] ^= mask;
        page.count += value ? 1 : -1;
      }
      at++;
    }
  }
}

function nextBit(bits: Uint8Array, from: number, value: boolean): number {
  const skip = value ? 0 : 0xff;
  for (let at = from; at < PAGE_BITS;) {
    const byte = bits[at >> 3];
    if (byte === skip) {
      at = (at | 7) + 1;
    } else if (((byte & (0x80 >> (at & 7))) !== 0) === value) {
      return at;
    } else {
      at++;
    }
  }
  return -1;
}
