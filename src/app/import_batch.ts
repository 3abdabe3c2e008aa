/**
 * What an import appends, batch by batch: hashes (and where the archive keeps them, bytes) of files,
 * and the entries of those that are complete. A batch may end in the middle of a file; its entry
 * comes with a later one.
 *
 * Blocks that were signed and that no entry names are orphans: an import was killed between content
 * and metadata, or in the middle of a file. They lie at the feed's end and are taken up again, in
 * order, by the files whose hashes they are. Source: spec of storage, sections 11 and 13; of the
 * drive, sections 7 and 10.
 */
import { equalBytes } from "../base/bytes.ts";
import { type Range, RangeSet } from "../base/ranges.ts";
import { kindOfMode } from "../core/archive/entry.ts";
import type { Hashed } from "../crypto/hash.ts";
import type { FeedStore } from "../io/feed_store.ts";
import { isLeaf } from "../io/file_blocks.ts";
import type { Archive } from "./open_archive.ts";

/** A place in the content feed, in blocks and in bytes. */
export interface ContentPlace {
  readonly block: number;
  readonly byte: number;
}

/** Where a file's content lies. */
export interface PlacedContent {
  readonly offset: number;
  readonly byteOffset: number;
  readonly blocks: number;
  readonly size: number;
}

export class ImportBatch {
  readonly #archive: Archive;
  readonly #content: FeedStore;
  /**
   * Where the next block goes. Below the feed's length there are orphans from here on, and nothing
   * waits to be appended; from there up to here are the leaves that wait.
   */
  #next: ContentPlace;
  /** Where the file began that is not complete. */
  #start?: ContentPlace;
  #leaves: Hashed[] = [];
  /** The bytes of the leaves; empty where the working files are the content. */
  #blocks: Uint8Array[] = [];
  #blockBytes = 0;
  #entries: Uint8Array[] = [];
  #entryBytes = 0;
  /** Blocks whose bytes are not in the folder any more. */
  readonly #dropped = new RangeSet();
  /** Blocks appended before whose bytes were found again. */
  readonly #found = new RangeSet();
  /** Blocks that an entry of this import took over from another one. */
  readonly #reused = new RangeSet();

  constructor(archive: Archive) {
    this.#archive = archive;
    this.#content = archive.openContent();
    this.#next = firstOrphan(archive, this.#content);
  }

  /** Where the next file begins. */
  get next(): ContentPlace {
    return this.#next;
  }

  /** What waits to be appended: blocks of content, and bytes that are in memory for it. */
  get waiting(): { readonly blocks: number; readonly bytes: number } {
    return { blocks: this.#leaves.length, bytes: this.#blockBytes + this.#entryBytes };
  }

  /** The number of the next entry. */
  get nextEntry(): number {
    return this.#archive.metadata.length + this.#entries.length;
  }

  /** Orphans from the next block on. */
  get orphans(): number {
    return Math.max(0, this.#content.length - this.#next.block);
  }

  /**
   * Begin a file whose first blocks are known to be these many orphans.
   *
   * @returns False if they are not all here; nothing was begun then.
   */
  beginFile(known = 0): boolean {
    const { block } = this.#next;
    const end = block + known;
    if (known > 0) {
      const keepsBytes = this.#archive.contentFiles === undefined;
      if (end > this.#content.length) return false;
      if (keepsBytes && this.#content.nextMissing(block, end) !== -1) return false;
    }
    this.#start = this.#next;
    if (known > 0) this.#next = { block: end, byte: endOf(this.#content, end - 1) };
    return true;
  }

  /**
   * The file's next block. Its bytes are copied where they are needed.
   *
   * @returns False if an orphan is at its place that is another block; `abandonFile` then.
   */
  addBlock(leaf: Hashed, bytes: Uint8Array): boolean {
    const { block, byte } = this.#next;
    const keepsBytes = this.#archive.contentFiles === undefined;
    if (block < this.#content.length) {
      if (!isLeaf(leaf, this.#content.node(2 * block))) return false;
      if (keepsBytes && !holdsBytes(this.#content, block, bytes)) return false;
    } else {
      this.#leaves.push(leaf);
      if (keepsBytes) {
        this.#blocks.push(bytes.slice());
        this.#blockBytes += bytes.length;
      }
    }
    this.#next = { block: block + 1, byte: byte + leaf.size };
    return true;
  }

  /** The file is complete, and was the same from its first byte to its last. */
  endFile(): PlacedContent {
    const { block, byte } = this.#start!;
    this.#start = undefined;
    const end = this.#next.block;
    this.#found.add(block, Math.min(end, this.#content.length));
    return {
      offset: block,
      byteOffset: byte,
      blocks: end - block,
      size: this.#next.byte - byte,
    };
  }

  /** Go back to where the file began; of its blocks those that were committed are orphans. */
  abandonFile(): void {
    if (this.#start === undefined) return;
    this.#next = this.#start;
    this.#start = undefined;
    const kept = Math.max(0, this.#next.block - this.#content.length);
    this.#leaves.length = kept;
    for (const { length } of this.#blocks.slice(kept)) this.#blockBytes -= length;
    this.#blocks.length = Math.min(this.#blocks.length, kept);
  }

  /** No file has these blocks: what follows is appended after them. */
  giveUpOrphans(): void {
    if (this.orphans === 0) return;
    this.#dropped.add(this.#next.block, this.#content.length);
    this.#next = { block: this.#content.length, byte: this.#content.byteLength };
  }

  /** The batch gets an entry, after the content it is about. */
  addEntry(entry: Uint8Array): void {
    this.#entries.push(entry);
    this.#entryBytes += entry.length;
  }

  /** An entry names blocks again that an older one named. */
  reuse({ offset, blocks }: PlacedContent): void {
    this.#reused.add(offset, offset + blocks);
    this.#dropped.remove(offset, offset + blocks);
    this.#found.add(offset, offset + blocks);
  }

  /** The bytes of a live file are what they should be: its blocks are here. */
  found({ offset, blocks }: { offset: number; blocks: number }): void {
    if (this.#content.nextMissing(offset, offset + blocks) !== -1) {
      this.#found.add(offset, offset + blocks);
    }
  }

  /** The bytes of a replaced or deleted file are not in the folder any more. */
  forget({ offset, blocks }: { offset: number; blocks: number }): void {
    // An empty file has no blocks. Where the archive keeps the bytes, old versions stay readable.
    if (blocks === 0 || this.#archive.contentFiles === undefined) return;
    if (!this.#reused.has(offset)) this.#dropped.add(offset, offset + blocks);
  }

  /**
   * Sign what waits and bring it to disk, content before the metadata that points at it.
   *
   * @returns The blocks from before whose bytes were found; undefined if there was nothing to do.
   */
  commit(): readonly Range[] | undefined {
    const content = this.#content;
    const { metadata, contentFiles } = this.#archive;
    const first = content.length;
    if (this.#entries.length === 0 && this.#leaves.length === 0 && this.#found.isEmpty) {
      return undefined;
    }
    if (this.#leaves.length > 0) {
      if (contentFiles === undefined) content.append(this.#blocks, this.#leaves);
      else content.appendLeaves(this.#leaves);
    }
    for (const range of this.#dropped) content.clear(range);
    if (contentFiles !== undefined && this.#start !== undefined) {
      // A bit says that the bytes lie in the file that an entry names. There is no entry so far.
      const from = Math.max(first, this.#start.block);
      content.clear({ start: from, end: content.length });
    }
    for (const { start, end } of this.#found) {
      for (let block = start; block < end; block++) {
        if (!content.hasBlock(block)) content.markHeld(block);
      }
    }
    content.commit({ durable: true });
    this.#leaves = [];
    this.#blocks = [];
    this.#blockBytes = 0;
    this.#dropped.clear();
    const found = [...this.#found];
    this.#found.clear();
    if (this.#entries.length === 0) return found;
    metadata.append(this.#entries);
    metadata.commit({ durable: true });
    this.#entries = [];
    this.#entryBytes = 0;
    return found;
  }

  /** The file that is not complete: where it began, and how many of its blocks are committed. */
  get unfinished(): { readonly place: ContentPlace; readonly blocks: number } | undefined {
    const place = this.#start;
    if (place === undefined) return undefined;
    const blocks = Math.min(this.#next.block, this.#content.length) - place.block;
    return blocks > 0 ? { place, blocks } : undefined;
  }
}

/** Whether the archive itself has these bytes as the block: they may be damaged on disk. */
export function holdsBytes(content: FeedStore, block: number, bytes: Uint8Array): boolean {
  const held = content.readBlock(block);
  return held !== undefined && equalBytes(held, bytes);
}

/** Where a block ends, in bytes of the feed. */
function endOf(content: FeedStore, block: number): number {
  const { byteOffset, size } = content.spanOf(block);
  return byteOffset + size;
}

/**
 * Where the content ends that any entry ever named: the newest entries tell, as content is only
 * appended; where they name less than there is, older ones are asked, for an entry may name blocks
 * of one before it.
 */
function firstOrphan({ version, entry }: Archive, content: FeedStore): ContentPlace {
  const end = { block: content.length, byte: content.byteLength };
  let named = 0;
  for (let seq = version; seq > 0 && named < end.block; seq--) {
    const found = entry(seq);
    if (found === undefined) return end; // nobody can tell
    const { stat } = found;
    if (stat !== undefined && kindOfMode(stat.mode) === "file") {
      named = Math.max(named, stat.offset + stat.blocks);
    }
  }
  if (named >= end.block) return end;
  return { block: named, byte: named === 0 ? 0 : content.spanOf(named).byteOffset };
}
