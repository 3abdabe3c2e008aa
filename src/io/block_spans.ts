/** Where the blocks of a feed lie in its data, summed up from the sizes that its tree knows. */
import type { BlockSpan } from "../core/feed/block_store.ts";
import { fullRoots } from "../core/feed/flat_tree.ts";
import type { SleepFiles } from "./sleep_files.ts";

const NOWHERE: BlockSpan = { block: -1, byteOffset: 0, size: 0 };

export class BlockSpans {
  readonly #files: SleepFiles;
  /** The place asked for last: blocks are mostly read and written in order. */
  #last: BlockSpan = NOWHERE;

  constructor(files: SleepFiles) {
    this.#files = files;
  }

  /** A block's place, or undefined if the tree does not say. */
  of(block: number): BlockSpan | undefined {
    const last = this.#last;
    if (last.block === block) return last;
    const leaf = 2 * block;
    const size = this.#files.bitfield.hasNode(leaf) ? this.#files.storedSize(leaf) : undefined;
    if (size === undefined) return undefined;
    let byteOffset = 0;
    if (last.block === block - 1 && last !== NOWHERE) {
      byteOffset = last.byteOffset + last.size;
    } else {
      for (const index of fullRoots(block)) {
        const below = this.#files.storedSize(index);
        if (below === undefined) return undefined;
        byteOffset += below;
      }
    }
    return this.#last = { block, byteOffset, size };
  }

  /** Sizes were put right: what was summed up before does not hold any more. */
  forget(): void {
    this.#last = NOWHERE;
  }
}
