/**
 * Which blocks of a feed are here, and where: in their final place, told by the `bitfield` that all
 * Dat programs share, or staged in a private one, told by bits of our own. A block is in one of the
 * two at most; to most callers the difference does not matter.
 */
import { LocalProtocolError } from "../base/errors.ts";
import type { BlockRange } from "../core/feed/block_store.ts";
import type { BitfieldFile } from "./bitfield_file.ts";

export class BlockPlaces {
  readonly #final: BitfieldFile;
  readonly #staged?: BitfieldFile;

  constructor(final: BitfieldFile, staged?: BitfieldFile) {
    this.#final = final;
    this.#staged = staged;
  }

  has(block: number): boolean {
    return this.#final.hasBlock(block) || this.hasStaged(block);
  }

  hasFinal(block: number): boolean {
    return this.#final.hasBlock(block);
  }

  hasStaged(block: number): boolean {
    return this.#staged?.hasBlock(block) === true;
  }

  nextMissing(from: number, to: number): number {
    let at = this.#final.nextBlock(from, to, false);
    while (this.#staged !== undefined && at !== -1) {
      const free = this.#staged.nextBlock(at, to, false);
      if (free === at || free === -1) return free;
      at = this.#final.nextBlock(free, to, false);
    }
    return at;
  }

  nextHeld(from: number, to: number): number {
    const final = this.#final.nextBlock(from, to, true);
    if (this.#staged === undefined) return final;
    const staged = this.#staged.nextBlock(from, final === -1 ? to : final, true);
    return staged === -1 ? final : staged;
  }

  count(from: number, to: number): number {
    return this.#final.countBlocks(from, to) + (this.#staged?.countBlocks(from, to) ?? 0);
  }

  set(block: number, place: "final" | "staged"): void {
    if (place === "staged" && this.#staged === undefined) {
      throw new LocalProtocolError(`Cannot stage block ${block}: no file for staged bits`);
    }
    this.#final.setBlock(block, place === "final");
    this.#staged?.setBlock(block, place === "staged");
  }

  drop(block: number): void {
    this.#final.setBlock(block, false);
    this.#staged?.setBlock(block, false);
  }

  /**
   * The staged blocks of these ranges are final from now on. On disk a block may have both bits in
   * between, which does no harm; neither would lose it.
   */
  settle(ranges: readonly BlockRange[]): void {
    if (this.#staged === undefined) return;
    for (const { start, end } of ranges) {
      let block = this.#staged.nextBlock(start, end, true);
      while (block !== -1) {
        this.set(block, "final");
        block = this.#staged.nextBlock(block + 1, end, true);
      }
    }
  }

  /** After opening: forget staged bits that a crash left of final blocks, or ahead of the tree. */
  tidy(): void {
    this.#staged?.keepOnlyWaiting(this.#final);
  }
}
