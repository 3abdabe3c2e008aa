/**
 * Blocks in groups of four: a group grows in a private file and is copied to the final one when it
 * is complete, as the files of a downloaded archive are.
 */
import type { BlockRange, BlockSpan, BlockStore } from "../../src/core/feed/block_store.ts";
import { DataFile } from "../../src/io/data_file.ts";
import type { FeedStore } from "../../src/io/feed_store.ts";
import type { MemoryDisk } from "./memory_access.ts";

export const GROUP_BLOCKS = 4;

export class StagingBlocks implements BlockStore {
  readonly #final: DataFile;
  readonly #private: DataFile;
  /** To be set once the feed is open: it knows what lies where. */
  feed?: FeedStore;

  constructor(disk: MemoryDisk) {
    this.#final = new DataFile(disk.open("data"));
    this.#private = new DataFile(disk.open("private"));
  }

  read(span: BlockSpan): Uint8Array | undefined {
    const staged = this.feed === undefined || this.feed.hasStaged(span.block);
    return (staged ? this.#private : this.#final).read(span);
  }

  write(span: BlockSpan, bytes: Uint8Array): "staged" {
    this.#private.write(span, bytes);
    return "staged";
  }

  flush(): void {
    this.#private.flush();
  }

  settle(): readonly BlockRange[] {
    const { feed } = this;
    const settled: BlockRange[] = [];
    if (feed === undefined) return settled;
    for (let start = 0; start < feed.length; start += GROUP_BLOCKS) {
      const end = Math.min(start + GROUP_BLOCKS, feed.length);
      const blocks = Array.from({ length: end - start }, (_, at) => start + at);
      if (!blocks.every((block) => feed.hasStaged(block))) continue;
      for (const block of blocks) {
        const span = feed.spanOf(block);
        this.#final.write(span, this.#private.read(span)!);
      }
      this.#final.flush();
      settled.push({ start, end });
    }
    return settled;
  }

  clear(): void {}

  sync(): void {
    this.#private.sync();
    this.#final.sync();
  }

  close(): void {}
}
