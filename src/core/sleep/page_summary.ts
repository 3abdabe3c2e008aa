/**
 * What is remembered of every page of a bitfield, loaded or not: how many blocks are held in each
 * of its halves, and its last index byte. Six bytes per 8192 blocks, and nothing for the holes of a
 * sparse feed.
 */
import { depth, parent } from "../feed/flat_tree.ts";
import { halvesOf, halvesOfPage, joinIndex } from "./bitfield_page.ts";

const SEGMENT_PAGES = 1024;
const UNKNOWN = 0xffff;

export class PageSummary {
  /** Pages that were there at the start, and so unknown until counted. All others begin empty. */
  readonly #oldPages: number;
  /** By page / 1024: for each page the two counts and the joint. */
  readonly #segments = new Map<number, Uint16Array>();

  constructor(oldPages: number) {
    this.#oldPages = oldPages;
  }

  /** Blocks held in the page, or -1 if nobody counted yet. */
  held(page: number): number {
    const segment = this.#segments.get(Math.floor(page / SEGMENT_PAGES));
    if (segment === undefined) return page < this.#oldPages ? -1 : 0;
    const at = 3 * (page % SEGMENT_PAGES);
    return segment[at] === UNKNOWN ? -1 : segment[at] + segment[at + 1];
  }

  /** Note how many blocks are held in the page's first and second half. */
  setHeld(page: number, low: number, high: number): void {
    const segment = this.#segment(page);
    const at = 3 * (page % SEGMENT_PAGES);
    segment[at] = low;
    segment[at + 1] = high;
  }

  /** One block more (1) or less (-1) in a half of a counted page. */
  change(page: number, inHighHalf: boolean, by: 1 | -1): void {
    this.#segment(page)[3 * (page % SEGMENT_PAGES) + (inHighHalf ? 1 : 0)] += by;
  }

  /** The first page after `page` that may hold a block, or `end`. Skips holes in large steps. */
  nextOccupied(page: number, end: number): number {
    let next = page + 1;
    while (next < end && this.held(next) === 0) {
      const number = Math.floor(next / SEGMENT_PAGES);
      if (this.#segments.has(number)) {
        next++;
        continue;
      }
      let nearest = Infinity;
      for (const other of this.#segments.keys()) {
        if (other > number && other < nearest) nearest = other;
      }
      next = nearest * SEGMENT_PAGES;
    }
    return Math.min(next, end);
  }

  /** The byte that ends the page's index part: it joins this page or its ancestors to others. */
  joint(page: number): number {
    const segment = this.#segments.get(Math.floor(page / SEGMENT_PAGES));
    return segment === undefined ? 0 : segment[3 * (page % SEGMENT_PAGES) + 2];
  }

  /** Work out the joints of pages [0, pages), which must all be counted. */
  joinAll(pages: number): void {
    const end = 2 * pages;
    for (let step = 1; step < end; step = 2 * step + 1) {
      for (let node = step; node < end; node += 2 * (step + 1)) this.#join(node, end);
    }
  }

  /** After page `page` changed: renew the joints above it, and report those that are new. */
  joinAbove(page: number, pages: number, changed: (page: number) => void): void {
    this.#climb(2 * page, 2 * pages, true, changed);
  }

  /**
   * After the number of pages grew from `before` to `pages`: work out the joints that now exist
   * above the old pages. A joint's place is the page after its left half, so it can be missing
   * while there is something to join.
   */
  joinGrown(before: number, pages: number, changed: (page: number) => void): void {
    if (before > 0) this.#climb(2 * before - 1, 2 * pages, false, changed);
  }

  /**
   * Renew the ancestors of a node, up to the first that has no place. Those above that one see it
   * as an empty child, whatever is below it, and so stay as they are.
   */
  #climb(from: number, end: number, untilSame: boolean, changed: (page: number) => void): void {
    for (let node = parent(from); node < end; node = parent(node)) {
      if (this.#join(node, end)) changed((node - 1) / 2);
      else if (untilSame) return;
    }
  }

  /** Node 2p is page p, node 2p + 1 its joint. Answers whether the joint changed. */
  #join(node: number, end: number): boolean {
    const half = 2 ** (depth(node) - 1);
    const right = node + half < end ? this.#halves(node + half) : 0;
    const byte = joinIndex(this.#halves(node - half), right);
    const page = (node - 1) / 2;
    if (this.joint(page) === byte) return false;
    this.#segment(page)[3 * (page % SEGMENT_PAGES) + 2] = byte;
    return true;
  }

  #halves(node: number): number {
    if (node % 2 === 1) return halvesOf(this.joint((node - 1) / 2));
    const segment = this.#segments.get(Math.floor(node / 2 / SEGMENT_PAGES));
    if (segment === undefined) return 0;
    const at = 3 * ((node / 2) % SEGMENT_PAGES);
    return halvesOfPage(segment[at], segment[at + 1]);
  }

  #segment(page: number): Uint16Array {
    const number = Math.floor(page / SEGMENT_PAGES);
    let segment = this.#segments.get(number);
    if (segment === undefined) {
      segment = new Uint16Array(3 * SEGMENT_PAGES);
      const first = number * SEGMENT_PAGES;
      const unknown = Math.min(SEGMENT_PAGES, this.#oldPages - first);
      for (let i = 0; i < unknown; i++) segment[3 * i] = UNKNOWN;
      this.#segments.set(number, segment);
    }
    return segment;
  }
}
