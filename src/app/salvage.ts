/**
 * Getting blocks out of files on disk instead of from peers: what still matches of a file that was
 * changed, or moved, is checked against the signed tree and stored as if a peer had sent it.
 */
import { equalBytes } from "../base/bytes.ts";
import { StorageError } from "../base/errors.ts";
import type { BlockSpan } from "../core/feed/block_store.ts";
import { leafHash } from "../crypto/hash.ts";
import type { ContentFile } from "../io/content_files.ts";
import type { FeedStore } from "../io/feed_store.ts";
import { lookAt } from "../io/folder.ts";
import { storageError } from "../io/handle_cache.ts";

/** Bytes that wait in memory before they are written. */
const COMMIT_BYTES = 8 * 1024 * 1024;

/** Told of the bytes that were hashed; lets other work in, and throws when it is time to stop. */
export interface Turns {
  takeTurn(bytes: number): Promise<void>;
}

/** Whether the blocks of a file that lie under its name are unchanged, as far as they are here. */
export async function hasHeldBlocks(
  content: FeedStore,
  file: ContentFile,
  turns: Turns,
): Promise<boolean> {
  using source = openSource(file.target);
  if (source === undefined) return false;
  const end = file.offset + file.blocks;
  for (let at = content.nextHeld(file.offset, end); at !== -1; at = content.nextHeld(at + 1, end)) {
    if (!content.hasFinal(at)) continue;
    const span = content.spanOf(at);
    await turns.takeTurn(span.size);
    const from = { path: file.target, source };
    if (readMatching(content, from, file, span) === undefined) return false;
  }
  return true;
}

/**
 * Store those blocks of a file that are missing and that one of `paths` still has in their place.
 * The working files have to know already where they belong.
 */
export async function salvage(
  content: FeedStore,
  file: ContentFile,
  paths: readonly string[],
  turns: Turns,
): Promise<void> {
  let waiting = 0;
  const end = file.offset + file.blocks;
  for (const path of paths) {
    using source = openSource(path);
    if (source === undefined) continue;
    let at = content.nextMissing(file.offset, end);
    for (; at !== -1; at = content.nextMissing(at + 1, end)) {
      // How many blocks a file has is what a stranger says; how long the feed is, is signed.
      if (at >= content.length) break;
      const span = spanOf(content, at);
      if (span === undefined) continue;
      const value = readMatching(content, { path, source }, file, span);
      await turns.takeTurn(span.size);
      if (value === undefined) continue;
      content.put({ block: at, value, nodes: [] });
      waiting += value.length;
      if (waiting < COMMIT_BYTES) continue;
      content.commit();
      waiting = 0;
    }
  }
  content.commit();
}

/** Where a block lies, if its hash and that are known. */
function spanOf(content: FeedStore, block: number): BlockSpan | undefined {
  if (!content.hasNode(2 * block)) return undefined;
  try {
    return content.spanOf(block);
  } catch (error) {
    if (error instanceof StorageError) return undefined;
    throw error;
  }
}

function openSource(path: string): Deno.FsFile | undefined {
  // Looked at before it is opened: opening a FIFO would wait for its writer.
  if (!lookAt(path)?.isFile) return undefined;
  try {
    return Deno.openSync(path, { read: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw storageError(`Cannot open "${path}"`, error);
  }
}

/** The bytes of a block as they lie in a file, if they match its hash. */
function readMatching(
  content: FeedStore,
  { path, source }: { readonly path: string; readonly source: Deno.FsFile },
  file: ContentFile,
  { block, byteOffset, size }: BlockSpan,
): Uint8Array | undefined {
  const from = byteOffset - file.byteOffset;
  try {
    if (from < 0 || from + size > source.statSync().size) return undefined;
    const bytes = new Uint8Array(size);
    source.seekSync(from, Deno.SeekMode.Start);
    for (let filled = 0; filled < size;) {
      const count = source.readSync(bytes.subarray(filled));
      if (count === null || count === 0) return undefined;
      filled += count;
    }
    const leaf = content.node(2 * block);
    return leaf !== undefined && equalBytes(leafHash(bytes), leaf.hash) ? bytes : undefined;
  } catch (error) {
    throw storageError(`Cannot read "${path}" at byte ${from}`, error);
  }
}
