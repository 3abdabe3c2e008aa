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
import { ContentSlots, covers, NOTHING_HELD, type Slot, stateOf } from "./content_slots.ts";
import { BLOCK_BYTES } from "./file_blocks.ts";
import {
  dress,
  ensurePrivateFolder,
  type FileMark,
  FileNamer,
  permissionBits,
  stamp,
} from "./finish_file.ts";
import { ensureFolder, lookAt } from "./folder.ts";
import { HandleCache, storageError } from "./handle_cache.ts";
import { copyFile } from "./no_follow.ts";

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

/** A file that blocks come for. */
interface Active {
  slot: Slot;
  /** Blocks that are not here yet. */
  missing: number;
}

/** Bytes for a place in a file. */
interface Write {
  readonly active: Active;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Blocks that were read and sent; as many as one peer's outbox holds. */
const FREE_BUFFERS = 16;

/** Permission of the owner to read and to write. */
const OWNERS = 0o600;

export class ContentFiles implements BlockStore {
  readonly #dir: string;
  readonly #staging: string;
  readonly #handles = new HandleCache();
  readonly #buffers = new BufferPool(BLOCK_BYTES, FREE_BUFFERS);
  /** Where the cursors of open files are, if not at the beginning. */
  readonly #cursors = new WeakMap<Deno.FsFile, number>();
  readonly #slots: ContentSlots;
  #recent: Slot | undefined;
  /** Which blocks are here, by the one who said last which files they belong to. */
  #held: HeldBlocks = NOTHING_HELD;
  /** By first block; those that are not complete, or whose last block just came. */
  readonly #active = new Map<number, Active>();
  #writes: Write[] = [];
  #finished: Active[] = [];
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
    this.#slots = new ContentSlots(options.dir);
  }

  /** Whether it was said which files the blocks belong to: without that none can be read. */
  get mapped(): boolean {
    return this.#mapped;
  }

  /**
   * Say which files the blocks belong to from now on. Files must not overlap, except that several
   * may have exactly the same blocks.
   *
   * @param files Gone through once, and none of them is kept.
   */
  setFiles(files: Iterable<ContentFile>, held: HeldBlocks): void {
    this.flush();
    const unnamed = new Set<number>();
    this.#slots.set(files, (file) => {
      const { place, missing } = stateOf(file, held);
      if (place === "staged" && missing === 0) unnamed.add(file.offset);
      return place;
    });
    this.#handles.closeAll();
    this.#mapped = true;
    this.#held = held;
    this.#recent = undefined;
    this.#active.clear();
    this.#finished = [];
    for (const offset of unnamed) this.#finish(this.#slots.at(offset)!);
  }

  /** Complete in the staging folder: a process ended before the file got its name. */
  #finish(slot: Slot): void {
    const active = { slot, missing: 0 };
    this.#active.set(slot.file.offset, active);
    this.#finished.push(active);
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
    this.#held = held;
    this.#recent = undefined;
    for (const { target, offset } of changes.gone) {
      this.#handles.close(target);
      const slot = this.#slots.at(offset);
      if (slot === undefined) continue;
      const [file, ...copies] = [slot.file, ...slot.copies].filter((one) => one.target !== target);
      if (file === undefined) this.#remove(offset);
      else if (copies.length < slot.copies.length) this.#replace({ ...slot, file, copies });
    }
    this.#finished = this.#finished.filter((one) => this.#active.get(one.slot.file.offset) === one);
    for (const file of changes.come) {
      this.#handles.close(file.target);
      const same = this.#slots.at(file.offset);
      if (same !== undefined) {
        this.#replace({ ...same, copies: [...same.copies, file] });
        continue;
      }
      const { place, missing } = stateOf(file, held);
      const slot = { file, copies: [], place };
      this.#slots.put(slot);
      if (place === "staged" && missing === 0) this.#finish(slot);
    }
  }

  #remove(offset: number): void {
    this.#handles.close(this.stagingPath(offset));
    this.#slots.delete(offset);
    this.#active.delete(offset);
  }

  #replace(slot: Slot): void {
    this.#slots.put(slot);
    const active = this.#active.get(slot.file.offset);
    if (active !== undefined) active.slot = slot;
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
        const count = file.readSync(filled === 0 ? bytes : bytes.subarray(filled));
        if (count === null || count === 0) return undefined;
        filled += count;
        this.#cursors.set(file, offset + filled);
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
    const active = this.#active.getOrInsertComputed(slot.file.offset, () => ({
      slot,
      missing: stateOf(slot.file, this.#held).missing,
    }));
    this.#writes.push({ active, offset, bytes });
    active.missing--;
    if (active.missing === 0) this.#finished.push(active);
    return slot.place;
  }

  flush(): void {
    const writes = this.#writes;
    // What is open already is written where it was opened, whatever became of the folder.
    const isShut = (slot: Slot) => !this.#handles.has(this.#pathOf(slot), "write");
    if (writes.some(({ active: { slot } }) => slot.place === "staged" && isShut(slot))) {
      ensurePrivateFolder(this.#staging);
    }
    let done = 0;
    try {
      for (; done < writes.length; done++) {
        this.#writeOne(writes[done], writes[done + 1]?.active !== writes[done].active);
      }
    } finally {
      // What could not be written is tried again by the next commit, before any bit speaks of it.
      this.#writes = writes.slice(done);
    }
  }

  /** @param isLast Whether nothing more of the same file comes right after it. */
  #writeOne({ active, offset, bytes }: Write, isLast: boolean): void {
    const { slot } = active;
    const path = this.#pathOf(slot);
    try {
      const file = this.#openToWrite(slot);
      this.#seek(file, offset);
      let at = offset;
      for (let rest = bytes; rest.length > 0;) {
        const count = file.writeSync(rest);
        rest = rest.subarray(count);
        at += count;
        this.#cursors.set(file, at);
      }
      if (isLast && isUnnamed(active)) stamp(file, slot.file);
    } catch (error) {
      if (error instanceof TroveError) throw error;
      throw storageError(`Cannot write "${path}" at byte ${offset}`, error);
    }
  }

  settle(): readonly BlockRange[] {
    const finished = this.#finished;
    this.#finished = [];
    const settled: BlockRange[] = [];
    const namer = new FileNamer(this.#dir);
    for (const { slot } of finished) {
      try {
        this.#settleOne(slot, settled, namer);
      } catch (error) {
        if (this.onObstacle === undefined || !(error instanceof ObstacleError)) throw error;
        this.onObstacle(slot.file, error);
      }
    }
    namer.end();
    return settled;
  }

  #settleOne(slot: Slot, settled: BlockRange[], namer: FileNamer): void {
    const { file } = slot;
    if (slot.copies.length > 0) namer.end();
    for (const copy of slot.copies) this.#copy(slot, copy);
    if (slot.place === "staged") {
      const path = this.stagingPath(file.offset);
      this.#handles.close(path);
      nameFile(namer, path, file);
      this.#slots.settle(file.offset);
      this.#recent = undefined;
      settled.push({ start: file.offset, end: file.offset + file.blocks });
    } else {
      this.#handles.close(file.target);
      dress(file.target, file);
    }
    this.#active.delete(file.offset);
  }

  /** Working files belong to the user: giving up blocks removes nothing. */
  clear(): void {}

  sync(): void {
    for (const { active: { slot } } of this.#writes) {
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

  /** Most blocks lie behind the one before, or at the beginning of a file: no seek then. */
  #seek(file: Deno.FsFile, offset: number): void {
    if ((this.#cursors.get(file) ?? 0) === offset) return;
    this.#cursors.set(file, -1); // should the seek fail
    file.seekSync(offset, Deno.SeekMode.Start);
    this.#cursors.set(file, offset);
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
    nameFile(new FileNamer(this.#dir), to, copy);
  }

  #pathOf(slot: Slot): string {
    return slot.place === "final" ? slot.file.target : this.stagingPath(slot.file.offset);
  }

  #openToWrite(slot: Slot): Deno.FsFile {
    if (slot.place === "final") {
      ensureFolder(this.#dir, slot.file.target);
      return this.#handles.open(slot.file.target, "write")!;
    }
    return this.#handles.open(this.#pathOf(slot), "write", firstMode(slot.file))!;
  }

  #find(block: number): Slot | undefined {
    const recent = this.#recent;
    if (recent !== undefined && covers(recent, block)) return recent;
    return this.#recent = this.#slots.find(block);
  }
}

/** Complete in the staging folder. */
function isUnnamed({ missing, slot }: Active): boolean {
  return missing === 0 && slot.place === "staged";
}

/**
 * Permission bits to make a file with, so that it need not be opened again for them; left to later
 * where they would close it to ourselves.
 */
function firstMode(file: ContentFile): number | undefined {
  const bits = permissionBits(file);
  return (bits & OWNERS) === OWNERS ? bits : undefined;
}

/** Dress a complete file and move it to its name. */
function nameFile(namer: FileNamer, from: string, file: ContentFile): void {
  const staged = namer.look(from);
  // The process may have ended just after this was done, and before that was noted.
  if (staged === undefined && lookAt(file.target)?.size === file.size) return;
  namer.finish(from, file, staged);
}
