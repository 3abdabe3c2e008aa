/**
 * A part of a file's bytes, block by block, each verified and each fetched when its turn comes. What is
 * held in memory is one block, whatever the size of the file.
 */
import { ProofError } from "../base/errors.ts";
import { byteOffsetOf } from "../core/feed/byte_offsets.ts";
import type { Stat } from "../core/archive/entry.ts";
import type { BlockOrder } from "./archive_source.ts";
import type { ArchiveView, ViewedFile } from "./archive_view.ts";

/** Blocks that are asked for at once, the one that is wanted first included: about 1 MiB. */
const AHEAD = 16;

/** Bytes of a block as dat and trove cut them, which is only a guess of where a byte lies. */
const USUAL_BLOCK_BYTES = 65_536;

/** From `start` on, up to but without `end`, in bytes of the file. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * @throws {ProofError} If the bytes here do not match the signed tree, or are not those of the entry.
 * @throws {TroveError} If a block is not to be had.
 */
export async function* fileBytes(
  view: ArchiveView,
  file: ViewedFile,
  order: BlockOrder,
  range: ByteRange = { start: 0, end: file.stat.size },
): AsyncGenerator<Uint8Array, void, void> {
  if (range.end <= range.start) return;
  const { stat } = file;
  const last = stat.offset + stat.blocks;
  const wrong = () => new ProofError(`Cannot read "${file.path.slice(1)}": its blocks are others`);
  let { block, at } = await seek(view, stat, order, range.start) ?? { block: last, at: 0 };
  for (; block < last && at < range.end; block++) {
    // Nobody wants what comes after the range; of smaller blocks fewer are asked for at once.
    const ahead = Math.min(AHEAD, Math.ceil((range.end - at) / USUAL_BLOCK_BYTES));
    await order.need({ start: block, end: Math.min(last, block + ahead) });
    const bytes = view.readBlock(file, block);
    const from = Math.max(0, range.start - at);
    const to = Math.min(bytes.length, range.end - at);
    at += bytes.length;
    if (block === last - 1 && at !== stat.size) throw wrong();
    if (to > from) yield from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to);
  }
  if (at < range.end) throw wrong();
}

/** The block that holds a byte of the file, and where in the file that block begins. */
async function seek(
  { archive }: ArchiveView,
  { offset, blocks, size }: Stat,
  order: BlockOrder,
  byte: number,
): Promise<{ block: number; at: number } | undefined> {
  if (byte === 0) return { block: offset, at: 0 };
  // Whoever has a block has the sizes of all that come before it.
  const beginOf = async (block: number): Promise<number> => {
    const known = byteOffsetOf(archive.content!, block);
    if (known !== undefined) return known;
    await order.need({ start: block, end: block + 1 });
    return byteOffsetOf(archive.content!, block)!;
  };
  const begin = await beginOf(offset);
  let low = 0;
  let high = blocks; // the block is in [low, high)
  let guess = Math.ceil(size / USUAL_BLOCK_BYTES) === blocks
    ? Math.floor(byte / USUAL_BLOCK_BYTES)
    : Math.floor(byte / size * blocks);
  while (low < high) {
    const block = offset + Math.min(high - 1, Math.max(low, guess));
    const at = await beginOf(block) - begin;
    if (at > byte) {
      high = block - offset;
    } else {
      if (archive.content!.node(2 * block) === undefined) {
        await order.need({ start: block, end: block + 1 });
      }
      const node = archive.content!.node(2 * block)!;
      if (byte < at + node.size) return { block, at };
      low = block - offset + 1;
    }
    guess = Math.floor((low + high) / 2);
  }
  return undefined;
}
