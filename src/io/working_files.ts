/**
 * Content blocks in the working files, for whoever only looks: nothing is made or changed, and what
 * the files hold is not trusted. `ContentFiles` is for downloads and for serving.
 */
import { join } from "node:path";
import { EMPTY_BYTES } from "../base/bytes.ts";
import { StorageError } from "../base/errors.ts";
import type { BlockSpan } from "../core/feed/block_store.ts";
import type { ContentFile } from "./content_files.ts";
import type { AuditedBlocks, BlockPlace } from "./feed_audit.ts";
import { BLOCK_BYTES } from "./file_blocks.ts";
import { HandleCache } from "./handle_cache.ts";

export class WorkingFiles<File extends ContentFile = ContentFile> implements AuditedBlocks {
  /** By first block; where several files have the same blocks, one of them. */
  readonly #files: readonly File[];
  readonly #staging: string;
  readonly #handles = new HandleCache();
  #recent: File | undefined;

  /** @param files Files whose blocks do not overlap. */
  constructor(files: readonly File[], staging: string) {
    this.#files = [...files].sort((a, b) => a.offset - b.offset);
    this.#staging = staging;
  }

  /** The file that a block belongs to. */
  fileOf(block: number): File | undefined {
    if (this.#recent !== undefined && covers(this.#recent, block)) return this.#recent;
    let low = 0;
    let high = this.#files.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#files[middle].offset <= block) low = middle + 1;
      else high = middle;
    }
    const file = this.#files[low - 1];
    if (file === undefined || !covers(file, block)) return undefined;
    return this.#recent = file;
  }

  mayHold(block: number): boolean {
    return this.fileOf(block) !== undefined;
  }

  /** Every program cuts files into blocks of 64 KiB, so a block's number tells where it lies. */
  hint(block: number): BlockSpan | undefined {
    const file = this.fileOf(block);
    if (file === undefined || Math.ceil(file.size / BLOCK_BYTES) !== file.blocks) return undefined;
    const at = (block - file.offset) * BLOCK_BYTES;
    return {
      block,
      byteOffset: file.byteOffset + at,
      size: Math.min(BLOCK_BYTES, file.size - at),
    };
  }

  read({ block, byteOffset, size }: BlockSpan, place: BlockPlace): Uint8Array | undefined {
    const file = this.fileOf(block);
    if (file === undefined) return undefined;
    const offset = byteOffset - file.byteOffset;
    if (offset < 0 || offset + size > file.size) return undefined;
    if (size === 0) return EMPTY_BYTES;
    const path = place === "final" ? file.target : join(this.#staging, String(file.offset));
    return readAt(this.#handles, path, { offset, size });
  }

  close(): void {
    this.#handles.closeAll();
  }
}

function covers({ offset, blocks }: ContentFile, block: number): boolean {
  return block >= offset && block < offset + blocks;
}

/** Bytes of a file, or undefined if it does not have them all. @throws {StorageError} */
function readAt(
  handles: HandleCache,
  path: string,
  { offset, size }: { offset: number; size: number },
): Uint8Array | undefined {
  const file = handles.open(path, "read");
  try {
    // Asked first, so that a size out of a damaged tree does not make us reserve memory for it.
    if (file === undefined || file.statSync().size < offset + size) return undefined;
    const bytes = new Uint8Array(size);
    file.seekSync(offset, Deno.SeekMode.Start);
    for (let filled = 0; filled < size;) {
      const count = file.readSync(bytes.subarray(filled));
      if (count === null || count === 0) return undefined;
      filled += count;
    }
    return bytes;
  } catch (error) {
    throw new StorageError(`Cannot read "${path}" at byte ${offset}`, { cause: error });
  }
}
