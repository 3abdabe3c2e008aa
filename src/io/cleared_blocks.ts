/**
 * Blocks that a feed gave up, until their bytes may go: not before the bits on disk speak of them no
 * more, or a program that is killed in between would leave bits without bytes.
 */
import type { BlockRange, BlockSpan, BlockStore } from "../core/feed/block_store.ts";
import type { BlockPlaces } from "./block_places.ts";

interface Cleared extends BlockRange {
  readonly byteOffset: number;
  readonly byteEnd: number;
}

export class ClearedBlocks {
  readonly #places: BlockPlaces;
  readonly #spanOf: (block: number) => BlockSpan;
  #cleared: Cleared[] = [];

  constructor(places: BlockPlaces, spanOf: (block: number) => BlockSpan) {
    this.#places = places;
    this.#spanOf = spanOf;
  }

  /** Give up the blocks of a range. Answers from the first to the last that was held, if any was. */
  drop({ start, end }: BlockRange): BlockRange | undefined {
    const first = this.#places.nextHeld(start, end);
    if (first === -1) return undefined;
    let last = first;
    for (let from = first; from !== -1;) {
      const missing = this.#places.nextMissing(from, end);
      const stop = missing === -1 ? end : missing;
      last = stop - 1;
      from = this.#places.nextHeld(stop, end);
    }
    const { byteOffset } = this.#spanOf(first);
    const { byteOffset: lastOffset, size } = this.#spanOf(last);
    for (let block = first; block !== -1; block = this.#places.nextHeld(block, end)) {
      this.#places.drop(block);
    }
    const range = { start: first, end: last + 1 };
    this.#cleared.push({ ...range, byteOffset, byteEnd: lastOffset + size });
    return range;
  }

  /** The bits are on disk: free the bytes, unless the blocks came back. */
  free(blocks: BlockStore): void {
    const cleared = this.#cleared;
    this.#cleared = [];
    for (const range of cleared) {
      if (this.#places.nextHeld(range.start, range.end) !== -1) continue;
      blocks.clear(range, range.byteOffset, range.byteEnd);
    }
  }
}
