/**
 * Which blocks a folder's bitfield files say are on disk, read without any of the project's own code.
 * Source: SLEEP, a 32-byte header with the page size at byte 5, then pages that begin with 1,024
 * bytes of block bits, the most significant bit first.
 */
import { join } from "node:path";

const HEADER_BYTES = 32;
const BLOCK_BYTES_PER_PAGE = 1024;

/** The private file, laid out the same, for content that is here and not yet in its final place. */
const STAGED = "trove.staged";

/** The blocks of the `metadata` or `content` feed of a folder; none if there is no such file. */
export function heldBlocks(folder: string, feed: "metadata" | "content"): Set<number> {
  const names = feed === "content" ? ["content.bitfield", STAGED] : ["metadata.bitfield"];
  return new Set(names.flatMap((name) => readBits(join(folder, ".dat", name))));
}

function readBits(path: string): number[] {
  const set: number[] = [];
  const file = readIfThere(path);
  if (file.length < HEADER_BYTES) return set;
  const pageBytes = file[5] * 256 + file[6];
  const pages = Math.floor((file.length - HEADER_BYTES) / pageBytes);
  for (let page = 0; page < pages; page++) {
    for (let at = 0; at < BLOCK_BYTES_PER_PAGE; at++) {
      const bits = file[HEADER_BYTES + page * pageBytes + at];
      for (let bit = 0; bit < 8; bit++) {
        if (bits & (0x80 >> bit)) set.push(8 * (page * BLOCK_BYTES_PER_PAGE + at) + bit);
      }
    }
  }
  return set;
}

function readIfThere(path: string): Uint8Array {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return new Uint8Array();
    throw error;
  }
}
