/** Which blocks are which file's: what `ContentFiles` keeps of each. */
import type { FileMark } from "./finish_file.ts";

/** A live file of the archive that has content. */
export interface ContentFile {
  /** Its place on disk, absolute and known to be inside the archive's folder. */
  readonly target: string;
  /** First content block, and how many there are (at least 1). */
  readonly offset: number;
  readonly blocks: number;
  /** First content byte, and how many there are. */
  readonly byteOffset: number;
  readonly size: number;
  /** Permission bits; 0 means the usual ones. */
  readonly mode: number;
  /** Milliseconds since 1970. */
  readonly mtime: number;
  /** What a complete file may replace: nothing (null) or this; if left out, whatever is there. */
  readonly before?: FileMark | null;
}

/** Which blocks are here already. */
export interface HeldBlocks {
  hasFinal(block: number): boolean;
  hasStaged(block: number): boolean;
  /** The first block in [from, to) that is here at all, or -1. */
  nextHeld(from: number, to: number): number;
}

/** A file that blocks are written to or read from, and how far it is. */
export interface Slot {
  file: ContentFile;
  /** Other names for the very same blocks; they get a copy. */
  copies: ContentFile[];
  /** Blocks that are not here yet. */
  missing: number;
  /** Whether its bytes lie under its own name, or in the staging folder. */
  place: "final" | "staged";
}

export function covers({ file }: Slot, block: number): boolean {
  return block >= file.offset && block < file.offset + file.blocks;
}

/** Complete in the staging folder: a process ended before the file got its name. */
export function isUnnamed({ missing, place }: Slot): boolean {
  return missing === 0 && place === "staged";
}

export function slotOf(file: ContentFile, held: HeldBlocks): Slot {
  let final = 0;
  let staged = 0;
  const end = file.offset + file.blocks;
  // Only what is here is visited: how many blocks a file has is what a stranger says.
  for (let block = held.nextHeld(file.offset, end); block !== -1;) {
    if (held.hasFinal(block)) final++;
    else if (held.hasStaged(block)) staged++;
    block = held.nextHeld(block + 1, end);
  }
  // Another program keeps a half-fetched file under its own name: it is finished there.
  const place = final > 0 ? "final" : "staged";
  return {
    file,
    copies: [],
    missing: file.blocks - final - (place === "final" ? 0 : staged),
    place,
  };
}
