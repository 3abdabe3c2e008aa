/**
 * Bringing the index part of an old `bitfield` file in order, once, before the first page is
 * written. The index tells other programs where blocks are missing, so a byte that wrongly says
 * "all there" would hide a missing block from them for ever. We never search by it ourselves.
 */
import type { RandomAccess } from "../base/random_access.ts";
import { equalBytes } from "../base/bytes.ts";
import {
  BLOCKS_PER_PAGE,
  countBlockBits,
  dropUnproven,
  INDEX_OFFSET,
  PAGE_BYTES,
  writeIndex,
} from "../core/sleep/bitfield_page.ts";
import { entryOffset } from "../core/sleep/layout.ts";
import type { PageSummary } from "../core/sleep/page_summary.ts";

const BATCH_PAGES = 32;

/** Bytes of a file that should be others. */
export interface Correction {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * Count the pages nobody counted yet, work out their joints, and correct what differs in the file.
 * Reads every page once and keeps none.
 *
 * @param pages How many whole pages the file has.
 */
export function mendIndex(
  file: RandomAccess,
  options: { readonly pageBytes: number; readonly ownTree: boolean },
  pages: number,
  summary: PageSummary,
): void {
  for (const { offset, bytes } of indexCorrections(file, options, pages, summary)) {
    file.write(bytes, offset);
  }
}

/** What `mendIndex` would write. */
export function* indexCorrections(
  file: RandomAccess,
  options: { readonly pageBytes: number; readonly ownTree: boolean },
  pages: number,
  summary: PageSummary,
): Generator<Correction> {
  const { pageBytes, ownTree } = options;
  const batch = new Uint8Array(Math.min(pages, BATCH_PAGES) * pageBytes);
  const joints = new Uint8Array(pages);
  for (let first = 0; first < pages; first += BATCH_PAGES) {
    file.readInto(batch, entryOffset(first, pageBytes));
    const end = Math.min(pages, first + BATCH_PAGES);
    for (let number = first; number < end; number++) {
      const at = (number - first) * pageBytes;
      const page = batch.subarray(at, at + pageBytes);
      joints[number] = page[pageBytes - 1];
      const written = page.slice(INDEX_OFFSET);
      if (ownTree) dropUnproven(page, page);
      if (summary.held(number) === -1) {
        const low = countBlockBits(page, 0, BLOCKS_PER_PAGE / 2);
        const high = countBlockBits(page, BLOCKS_PER_PAGE / 2, BLOCKS_PER_PAGE);
        summary.setHeld(number, low, high);
      }
      writeIndex(page, joints[number]);
      const index = page.subarray(INDEX_OFFSET);
      if (!equalBytes(index, written)) {
        yield { offset: entryOffset(number, pageBytes) + INDEX_OFFSET, bytes: index };
      }
    }
  }
  if (pageBytes !== PAGE_BYTES) return;
  summary.joinAll(pages);
  for (let number = 0; number < pages; number++) {
    const joint = summary.joint(number);
    if (joint === joints[number]) continue;
    yield { offset: entryOffset(number + 1, pageBytes) - 1, bytes: Uint8Array.of(joint) };
  }
}
