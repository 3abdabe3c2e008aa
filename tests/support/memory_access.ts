/**
 * A disk in memory that keeps a journal: every state it went through can be had again, as if the
 * program had been killed there, and it can be made to fail.
 */
import { StorageError } from "../../src/base/errors.ts";
import type { RandomAccess } from "../../src/base/random_access.ts";

/** Something that changed a file. */
type Change =
  | { readonly kind: "write"; readonly name: string; readonly offset: number; bytes: Uint8Array }
  | { readonly kind: "truncate"; readonly name: string; readonly size: number };

/** Names and contents of files. */
export type DiskState = ReadonlyMap<string, Uint8Array>;

export class MemoryDisk {
  readonly #start: DiskState;
  readonly #files = new Map<string, MemoryFile>();
  readonly #journal: Change[] = [];
  /** How many reads there were, over all files. */
  reads = 0;
  /** How often `sync` was called, by file. */
  readonly syncs = new Map<string, number>();
  #changesLeft = Infinity;
  #failsAtRead = -1;

  constructor(start: DiskState = new Map()) {
    this.#start = new Map([...start].map(([name, bytes]) => [name, bytes.slice()]));
    for (const [name, bytes] of this.#start) this.open(name).fill(bytes);
  }

  /** The file of that name; empty if it was not there. */
  open(name: string): MemoryFile {
    let file = this.#files.get(name);
    if (file === undefined) {
      file = new MemoryFile(name, this);
      this.#files.set(name, file);
    }
    return file;
  }

  /** Writes and truncations so far. */
  get changes(): number {
    return this.#journal.length;
  }

  /** After `changes` more of them, throw at every further one and drop it, until told otherwise. */
  failAfter(changes: number): void {
    this.#changesLeft = changes;
  }

  /** Throw at the read that so many others come before, and at none after it. */
  failAtRead(others: number): void {
    this.#failsAtRead = this.reads + others;
  }

  /** For the files: count a read, or throw. */
  countRead(name: string): void {
    if (this.reads++ === this.#failsAtRead) {
      throw new StorageError(`Cannot read "${name}": the disk was told to fail`);
    }
  }

  /** What is on the disk now. Files that are empty and were never written do not count. */
  state(): DiskState {
    return new Map(
      [...this.#files].filter(([, file]) => file.exists).map((
        [name, file],
      ) => [name, file.bytes()]),
    );
  }

  /**
   * What was on the disk after the first `changes` of them, and, if `torn` is given, that share
   * (0 to 1) of the bytes of the next.
   */
  stateAfter(changes: number, torn = 0): DiskState {
    const past = new MemoryDisk(this.#start);
    for (const change of this.#journal.slice(0, changes)) past.#apply(change);
    const next = this.#journal[changes];
    if (torn > 0 && next?.kind === "write") {
      const part = next.bytes.subarray(0, Math.floor(torn * next.bytes.length));
      past.#apply({ ...next, bytes: part });
    }
    return past.state();
  }

  /** For the files: note the change down, or throw. */
  record(change: Change): void {
    if (this.#changesLeft <= 0) {
      throw new StorageError(`Cannot ${change.kind} "${change.name}": the disk was told to fail`);
    }
    this.#changesLeft--;
    this.#journal.push(change);
  }

  #apply(change: Change): void {
    const file = this.open(change.name);
    if (change.kind === "write") file.write(change.bytes, change.offset);
    else file.truncate(change.size);
  }
}

class MemoryFile implements RandomAccess {
  readonly name: string;
  readonly #disk: MemoryDisk;
  #bytes = new Uint8Array(0);
  #size = 0;
  exists = false;

  constructor(name: string, disk: MemoryDisk) {
    this.name = name;
    this.#disk = disk;
  }

  size(): number {
    return this.#size;
  }

  readInto(into: Uint8Array, offset: number): number {
    this.#disk.countRead(this.name);
    const part = this.#bytes.subarray(Math.min(offset, this.#size), this.#size);
    const count = Math.min(part.length, into.length);
    into.set(part.subarray(0, count));
    return count;
  }

  write(bytes: Uint8Array, offset: number): void {
    this.#disk.record({ kind: "write", name: this.name, offset, bytes: bytes.slice() });
    this.exists = true;
    const end = offset + bytes.length;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(2 * end);
      larger.set(this.#bytes.subarray(0, this.#size));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, offset);
    this.#size = Math.max(this.#size, end);
  }

  truncate(size: number): void {
    this.#disk.record({ kind: "truncate", name: this.name, size });
    this.#bytes.fill(0, size);
    this.#size = Math.min(this.#size, size);
  }

  sync(): void {
    this.#disk.syncs.set(this.name, (this.#disk.syncs.get(this.name) ?? 0) + 1);
  }

  close(): void {}

  /** A copy of the contents. */
  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#size);
  }

  /** Set the contents without a trace in the journal. */
  fill(bytes: Uint8Array): void {
    this.exists = true;
    this.#bytes = bytes.slice();
    this.#size = bytes.length;
  }
}
