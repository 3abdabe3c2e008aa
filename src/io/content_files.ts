/**
 * Content blocks kept as the working files themselves (dat's latest mode): no second copy of the
 * bytes. A downloaded file grows in a private place and gets its name when it is complete, so a
 * half-fetched one never stands where people look. Source: spec of the drive, section 10.
 */
import { join, sep } from "node:path";
import { EMPTY_BYTES } from "../base/bytes.ts";
import { ObstacleError, StorageError, TroveError } from "../base/errors.ts";
import type { BlockRange, BlockSpan, BlockStore } from "../core/feed/block_store.ts";
import { BufferPool } from "./buffer_pool.ts";
import { BLOCK_BYTES } from "./file_blocks.ts";
import { dress, ensurePrivateFolder, type FileMark, finishFile } from "./finish_file.ts";
import { ensureFolder, lookAt } from "./folder.ts";
import { HandleCache, storageError } from "./handle_cache.ts";
import { openOrMake } from "./no_follow.ts";

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

/** What became of the files that blocks belong to. */
export interface FileChanges {
  /** Places that have these blocks no more; others with the same blocks stay. */
  readonly gone: readonly Pick<ContentFile, "target" | "offset">[];
  readonly come: readonly ContentFile[];
}

/** Which blocks are here already. */
export interface HeldBlocks {
  hasFinal(block: number): boolean;
  hasStaged(block: number): boolean;
  /** The first block in [from, to) that is here at all, or -1. */
  nextHeld(from: number, to: number): number;
}

interface Slot {
  file: ContentFile;
  /** Other names for the very same blocks; they get a copy. */
  copies: ContentFile[];
  /** Blocks that are not here yet. */
  missing: number;
  /** Whether its bytes lie under its own name, or in the staging folder. */
  place: "final" | "staged";
}

/** Blocks that were read and sent; as many as one peer's outbox holds. */
const FREE_BUFFERS = 16;

/** Bytes copied at once. */
const COPY_BYTES = 1024 * 1024;

export class ContentFiles implements BlockStore {
  readonly #dir: string;
  readonly #staging: string;
  readonly #handles = new HandleCache();
  readonly #buffers = new BufferPool(BLOCK_BYTES, FREE_BUFFERS);
  /** The file that was used last, and where its cursor is. */
  #last: Deno.FsFile | undefined;
  #position = 0;
  /** By first block. */
  #slots: Slot[] = [];
  #recent: Slot | undefined;
  #writes: { slot: Slot; offset: number; bytes: Uint8Array }[] = [];
  #finished: Slot[] = [];
  #mapped = false;
  /**
   * Told of a complete file that cannot have its name because something else has it; without this,
   * `settle` throws. Its blocks stay in the staging folder.
   */
  onObstacle: ((file: ContentFile, error: ObstacleError) => void) | undefined;

  /**
   * @param options.dir The archive's folder.
   * @param options.staging A private folder on the same file system; made when it is needed.
   */
  constructor(options: { dir: string; staging: string }) {
    this.#dir = options.dir;
    this.#staging = options.staging;
  }

  /** Whether it was said which files the blocks belong to: without that none can be read. */
  get mapped(): boolean {
    return this.#mapped;
  }

  /**
   * Say which files the blocks belong to from now on. Files must not overlap, except that several
   * may have exactly the same blocks.
   */
  setFiles(files: readonly ContentFile[], held: HeldBlocks): void {
    this.flush();
    this.#handles.closeAll();
    this.#mapped = true;
    const sorted = [...files].sort((a, b) => a.offset - b.offset);
    this.#slots = [];
    this.#recent = undefined;
    for (const file of sorted) {
      const last = this.#slots.at(-1);
      if (last?.file.offset === file.offset) last.copies.push(file);
      else this.#slots.push(slotOf(file, held));
    }
    this.#finished = this.#slots.filter(isUnnamed);
  }

  /**
   * Say what a few changes did to the files of `setFiles`: some are gone or were replaced, others
   * came. What was open of them is closed, for another file may have the name.
   *
   * Files must not overlap then as above. One that comes to the blocks of a file that is complete
   * under its name is taken to be there already, and of several with the same blocks one goes only
   * when all of them are.
   */
  changeFiles(changes: FileChanges, held: HeldBlocks): void {
    this.flush();
    this.#recent = undefined;
    this.#last = undefined;
    const gone = new Map<number, Set<string>>();
    for (const { target, offset } of changes.gone) {
      this.#handles.close(target);
      const targets = gone.get(offset);
      if (targets === undefined) gone.set(offset, new Set([target]));
      else targets.add(target);
    }
    if (gone.size > 0) {
      this.#slots = this.#slots.filter((slot) => this.#keeps(slot, gone.get(slot.file.offset)));
      this.#finished = this.#finished.filter((slot) => this.#find(slot.file.offset) === slot);
    }
    const fresh = new Map<number, Slot>();
    for (const file of changes.come) {
      this.#handles.close(file.target);
      const before = this.#slots[this.#after(file.offset) - 1];
      const same = before?.file.offset === file.offset ? before : fresh.get(file.offset);
      if (same !== undefined) same.copies.push(file);
      else fresh.set(file.offset, slotOf(file, held));
    }
    if (fresh.size === 0) return;
    this.#slots = [...this.#slots, ...fresh.values()].sort((a, b) => a.file.offset - b.file.offset);
    for (const slot of fresh.values()) if (isUnnamed(slot)) this.#finished.push(slot);
  }

  /** Take places from a slot. Answers false if none is left. */
  #keeps(slot: Slot, gone: ReadonlySet<string> | undefined): boolean {
    if (gone === undefined) return true;
    const [file, ...copies] = [slot.file, ...slot.copies].filter(({ target }) => !gone.has(target));
    if (file === undefined) {
      this.#handles.close(this.stagingPath(slot.file.offset));
      return false;
    }
    slot.file = file;
    slot.copies = copies;
    return true;
  }

  /** Where the blocks of a file that is not complete grow. */
  stagingPath(offset: number): string {
    return `${this.#staging}${sep}${offset}`;
  }

  read(span: BlockSpan): Uint8Array | undefined {
    const slot = this.#find(span.block);
    if (slot === undefined) return undefined;
    const offset = span.byteOffset - slot.file.byteOffset;
    if (offset < 0 || offset + span.size > slot.file.size) return undefined;
    if (this.#writes.length > 0) this.flush();
    if (span.size === 0) return EMPTY_BYTES;
    if (slot.place === "staged" && !lookAt(this.#staging)?.isDirectory) return undefined;
    const bytes = this.#buffers.take(span.size);
    const path = this.#pathOf(slot);
    const file = this.#handles.open(path, slot.place === "final" ? "read" : "write");
    if (file === undefined) return undefined;
    try {
      this.#seek(file, offset);
      let filled = 0;
      while (filled < bytes.length) {
        const count = file.readSync(bytes.subarray(filled));
        if (count === null || count === 0) return undefined;
        filled += count;
        this.#position += count;
      }
    } catch (error) {
      throw new StorageError(`Cannot read "${path}" at byte ${offset}`, { cause: error });
    }
    return bytes;
  }

  recycle(bytes: Uint8Array): void {
    this.#buffers.give(bytes);
  }

  write(span: BlockSpan, bytes: Uint8Array): "final" | "staged" {
    const slot = this.#find(span.block);
    const offset = slot === undefined ? -1 : span.byteOffset - slot.file.byteOffset;
    if (slot === undefined || offset < 0 || offset + span.size > slot.file.size) {
      throw new TroveError(
        `Cannot place content block ${span.block}: the archive's entries and its content disagree`,
        { hint: "the archive itself is damaged; tell its owner" },
      );
    }
    this.#writes.push({ slot, offset, bytes });
    slot.missing--;
    if (slot.missing === 0) this.#finished.push(slot);
    return slot.place;
  }

  flush(): void {
    const writes = this.#writes;
    // What is open already is written where it was opened, whatever became of the folder.
    const isShut = (slot: Slot) => !this.#handles.has(this.#pathOf(slot), "write");
    if (writes.some(({ slot }) => slot.place === "staged" && isShut(slot))) {
      ensurePrivateFolder(this.#staging);
    }
    let done = 0;
    try {
      for (; done < writes.length; done++) this.#writeOne(writes[done]);
    } finally {
      // What could not be written is tried again by the next commit, before any bit speaks of it.
      this.#writes = writes.slice(done);
    }
  }

  #writeOne({ slot, offset, bytes }: { slot: Slot; offset: number; bytes: Uint8Array }): void {
    const path = this.#pathOf(slot);
    try {
      const file = this.#openToWrite(slot);
      this.#seek(file, offset);
      for (let rest = bytes; rest.length > 0;) {
        const count = file.writeSync(rest);
        rest = rest.subarray(count);
        this.#position += count;
      }
    } catch (error) {
      if (error instanceof TroveError) throw error;
      throw storageError(`Cannot write "${path}" at byte ${offset}`, error);
    }
  }

  settle(): readonly BlockRange[] {
    const finished = this.#finished;
    this.#finished = [];
    const settled: BlockRange[] = [];
    for (const slot of finished) {
      try {
        this.#settleOne(slot, settled);
      } catch (error) {
        if (this.onObstacle === undefined || !(error instanceof ObstacleError)) throw error;
        this.onObstacle(slot.file, error);
      }
    }
    return settled;
  }

  #settleOne(slot: Slot, settled: BlockRange[]): void {
    const { file } = slot;
    for (const copy of slot.copies) this.#copy(slot, copy);
    if (slot.place === "staged") {
      this.#handles.close(this.stagingPath(file.offset));
      nameFile(this.#dir, this.stagingPath(file.offset), file);
      slot.place = "final";
      settled.push({ start: file.offset, end: file.offset + file.blocks });
    } else {
      this.#handles.close(file.target);
      dress(file.target, file);
    }
  }

  /** Working files belong to the user: giving up blocks removes nothing. */
  clear(): void {}

  sync(): void {
    for (const { slot } of this.#writes) {
      try {
        this.#openToWrite(slot).syncDataSync();
      } catch (error) {
        throw storageError(`Cannot write "${this.#pathOf(slot)}"`, error);
      }
    }
  }

  close(): void {
    this.#handles.closeAll();
  }

  /** Most blocks lie behind the one before: no seek then. */
  #seek(file: Deno.FsFile, offset: number): void {
    if (file === this.#last && offset === this.#position) return;
    this.#last = undefined; // should the seek fail
    file.seekSync(offset, Deno.SeekMode.Start);
    this.#last = file;
    this.#position = offset;
  }

  #copy(slot: Slot, copy: ContentFile): void {
    // The file itself may have got its name just before an earlier process ended.
    const staged = this.#pathOf(slot);
    const from = lookAt(staged) === undefined ? slot.file.target : staged;
    const to = join(this.#staging, `${slot.file.offset}.copy`);
    ensurePrivateFolder(this.#staging);
    try {
      copyFile(from, to);
    } catch (error) {
      throw storageError(`Cannot copy "${from}"`, error);
    }
    nameFile(this.#dir, to, copy);
  }

  #pathOf(slot: Slot): string {
    return slot.place === "final" ? slot.file.target : this.stagingPath(slot.file.offset);
  }

  #openToWrite(slot: Slot): Deno.FsFile {
    if (slot.place === "final") {
      ensureFolder(this.#dir, slot.file.target);
      return this.#handles.open(slot.file.target, "write")!;
    }
    return this.#handles.open(this.#pathOf(slot), "write")!;
  }

  #find(block: number): Slot | undefined {
    const recent = this.#recent;
    if (recent !== undefined && covers(recent, block)) return recent;
    const slot = this.#slots[this.#after(block) - 1];
    if (slot === undefined || !covers(slot, block)) return undefined;
    return this.#recent = slot;
  }

  /** How many slots begin at `block` or before it. */
  #after(block: number): number {
    for (let low = 0, high = this.#slots.length;;) {
      if (low === high) return low;
      const middle = (low + high) >>> 1;
      if (this.#slots[middle].file.offset <= block) low = middle + 1;
      else high = middle;
    }
  }
}

function covers({ file }: Slot, block: number): boolean {
  return block >= file.offset && block < file.offset + file.blocks;
}

/** Complete in the staging folder: a process ended before the file got its name. */
function isUnnamed({ missing, place }: Slot): boolean {
  return missing === 0 && place === "staged";
}

function slotOf(file: ContentFile, held: HeldBlocks): Slot {
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

/** Dress a complete file and move it to its name. */
function nameFile(dir: string, from: string, file: ContentFile): void {
  // The process may have ended just after this was done, and before that was noted.
  if (lookAt(from) === undefined && lookAt(file.target)?.size === file.size) return;
  finishFile(dir, from, file);
}

/** A copy at a private place, made anew: what lies there from before is not written through. */
function copyFile(from: string, to: string): void {
  try {
    Deno.removeSync(to);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  using source = Deno.openSync(from, { read: true });
  using copy = openOrMake(to);
  const piece = new Uint8Array(COPY_BYTES);
  for (let read = source.readSync(piece); read !== null; read = source.readSync(piece)) {
    for (let at = 0; at < read;) at += copy.writeSync(piece.subarray(at, read));
  }
}
