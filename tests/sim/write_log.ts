/**
 * A log of everything that changed some folders, and the states that a power cut may leave of it.
 *
 * What is assumed of the file system is what journalling ones do (ext4, XFS, Btrfs, APFS, NTFS):
 * names, folders, sizes that were cut and permissions reach the disk in the order in which they were
 * changed, up to some point; bytes of a file reach it in any order, in part or not at all, until the
 * file is synced; and a sync brings along all changes of names before it.
 */
import { dirname, join } from "node:path";
import type { CaseRandom } from "./mutate.ts";
import { type DiskCall, DiskHooks, makes } from "../support/disk_hooks.ts";

/** A file, whatever its name is. */
type Node = number;

type Change =
  | { readonly kind: "create"; readonly node: Node; readonly path: string }
  | { readonly kind: "write"; readonly node: Node; readonly offset: number; bytes: Uint8Array }
  | { readonly kind: "truncate"; readonly node: Node; readonly size: number }
  | { readonly kind: "dress"; readonly node: Node; readonly look: Look }
  | { readonly kind: "sync"; readonly node: Node }
  | { readonly kind: "rename" | "link"; readonly path: string; readonly to: string }
  | { readonly kind: "remove" | "mkdir"; readonly path: string };

/** Permission bits and time of a file. */
interface Look {
  readonly mode: number;
  readonly mtime: Date;
}

interface Stored {
  bytes: Uint8Array;
  look?: Look;
}

/** What is kept of what was not synced. */
export type Loss =
  /** Everything: the process was killed and the system was not. */
  | "nothing"
  /** Nothing. */
  | "everything"
  /** Any of it, whole or torn. */
  | "some";

/** How often a write that was not synced is there, there in part, or not there, in tenths. */
const KEPT = 5;
const TORN = 2;
const SECTOR_BYTES = 512;

/** Names, and the files that have them. */
class Names {
  readonly files: Map<string, Node>;
  readonly folders: Set<string>;

  constructor(files: Iterable<[string, Node]> = [], folders: Iterable<string> = []) {
    this.files = new Map(files);
    this.folders = new Set(folders);
  }

  apply(change: Change): void {
    switch (change.kind) {
      case "create":
        this.files.set(change.path, change.node);
        break;
      case "link":
        this.files.set(change.to, this.files.get(change.path)!);
        break;
      case "rename":
        for (const [path, node] of [...this.files]) {
          if (!isBelow(path, change.path)) continue;
          this.files.delete(path);
          this.files.set(change.to + path.slice(change.path.length), node);
        }
        for (const path of [...this.folders]) {
          if (!isBelow(path, change.path)) continue;
          this.folders.delete(path);
          this.folders.add(change.to + path.slice(change.path.length));
        }
        break;
      case "remove":
        for (const path of [...this.files.keys()]) {
          if (isBelow(path, change.path)) this.files.delete(path);
        }
        for (const path of [...this.folders]) {
          if (isBelow(path, change.path)) this.folders.delete(path);
        }
        break;
      case "mkdir":
        this.folders.add(change.path);
        break;
      default: // of a file, not of its name
    }
  }
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

/** Records while it is not disposed. */
export class WriteLog implements Disposable {
  readonly #roots: readonly string[];
  readonly #hooks: DiskHooks;
  readonly #changes: Change[] = [];
  readonly #start = new Names();
  readonly #stored: Stored[] = [];
  readonly #names: Names;
  readonly #open = new WeakMap<Deno.FsFile, Node>();

  /** @param roots The folders; what is in them now is the state before the first change. */
  constructor(roots: readonly string[]) {
    this.#roots = roots;
    for (const root of roots) this.#look(root);
    this.#names = new Names(this.#start.files, this.#start.folders);
    this.#hooks = new DiskHooks(roots, { after: (call, file) => this.#record(call, file) });
  }

  [Symbol.dispose](): void {
    this.#hooks[Symbol.dispose]();
  }

  /** Changes so far, syncs included. */
  get length(): number {
    return this.#changes.length;
  }

  #look(folder: string): void {
    this.#start.folders.add(folder);
    for (const { name, isDirectory, isFile } of Deno.readDirSync(folder)) {
      const path = join(folder, name);
      if (isDirectory) this.#look(path);
      if (!isFile) continue;
      this.#start.files.set(path, this.#stored.length);
      this.#stored.push({ bytes: Deno.readFileSync(path), look: lookOf(path) });
    }
  }

  #add(change: Change): void {
    this.#changes.push(change);
    this.#names.apply(change);
  }

  #record(call: DiskCall, file: Deno.FsFile | undefined): void {
    switch (call.kind) {
      case "open":
        return this.#opened(call.path, call.options, file!);
      case "write":
        return this.#add({
          kind: "write",
          node: this.#open.get(call.file)!,
          offset: call.offset,
          bytes: call.bytes.slice(),
        });
      case "truncate":
        return this.#add({ kind: "truncate", node: this.#open.get(call.file)!, size: call.size });
      case "sync":
        return this.#add({ kind: "sync", node: this.#open.get(call.file)! });
      case "rename":
      case "link":
        this.#add({ kind: call.kind, path: call.path, to: call.to });
        return this.#dress(call.to);
      case "remove":
        return this.#add({ kind: "remove", path: call.path });
      case "mkdir":
        return this.#makeFolder(call.path);
      case "chmod":
        return this.#dress(call.path);
      default: // changes nothing
    }
  }

  #opened(path: string, options: Deno.OpenOptions, file: Deno.FsFile): void {
    let node = this.#names.files.get(path);
    if (node === undefined) {
      if (!makes(options)) return;
      node = this.#stored.length;
      this.#stored.push({ bytes: new Uint8Array(0) });
      this.#add({ kind: "create", node, path });
    } else if (options.truncate) this.#add({ kind: "truncate", node, size: 0 });
    this.#open.set(file, node);
  }

  #makeFolder(path: string): void {
    if (this.#names.folders.has(path)) return;
    const above = dirname(path);
    if (this.#roots.some((root) => isBelow(above, root))) this.#makeFolder(above);
    this.#add({ kind: "mkdir", path });
  }

  /** Mode and time of a file may have been set by now. */
  #dress(path: string): void {
    const node = this.#names.files.get(path);
    if (node !== undefined) this.#add({ kind: "dress", node, look: lookOf(path) });
  }

  /** Put a state on disk that a power cut after the first `length` changes may leave. */
  replay(length: number, loss: Loss, random: CaseRandom): void {
    const done = this.#changes.slice(0, length);
    const synced = new Map<Node, number>();
    let lastSync = 0;
    for (const [at, change] of done.entries()) {
      if (change.kind !== "sync") continue;
      synced.set(change.node, at);
      lastSync = at;
    }
    // Up to here the changes of names have reached the disk.
    const named = loss === "nothing"
      ? length
      : loss === "everything"
      ? lastSync
      : lastSync + random.below(length - lastSync + 1);
    const names = new Names(this.#start.files, this.#start.folders);
    const files = this.#stored.map(({ bytes, look }): Stored => ({ bytes, look }));
    for (const [at, change] of done.entries()) {
      const isSure = loss === "nothing" || "node" in change && at < (synced.get(change.node) ?? -1);
      if (change.kind === "write") applyWrite(files[change.node], change, isSure, loss, random);
      else if (at >= named && !isSure) continue;
      else if (change.kind === "truncate") {
        files[change.node].bytes = files[change.node].bytes.slice(0, change.size);
      } else if (change.kind === "dress") files[change.node].look = change.look;
      else names.apply(change);
    }
    this.#putOnDisk(names, files);
  }

  #putOnDisk(names: Names, files: readonly Stored[]): void {
    for (const root of this.#roots) {
      for (const { name } of [...Deno.readDirSync(root)]) {
        Deno.removeSync(join(root, name), { recursive: true });
      }
    }
    for (const folder of [...names.folders].sort()) Deno.mkdirSync(folder, { recursive: true });
    const written = new Map<Node, string>();
    for (const [path, node] of names.files) {
      const before = written.get(node);
      if (before !== undefined) {
        Deno.linkSync(before, path);
        continue;
      }
      written.set(node, path);
      const { bytes, look } = files[node];
      Deno.writeFileSync(path, bytes);
      if (look === undefined) continue;
      Deno.chmodSync(path, look.mode);
      Deno.utimeSync(path, look.mtime, look.mtime);
    }
  }
}

function lookOf(path: string): Look {
  const { mode, mtime } = Deno.lstatSync(path);
  return { mode: mode! & 0o777, mtime: mtime! };
}

function applyWrite(
  file: Stored,
  { offset, bytes }: { offset: number; bytes: Uint8Array },
  isSure: boolean,
  loss: Loss,
  random: CaseRandom,
): void {
  let kept = bytes.length;
  let size = Math.max(file.bytes.length, offset + bytes.length);
  if (!isSure) {
    const roll = loss === "everything" ? 9 : random.below(10);
    if (roll >= KEPT + TORN) kept = 0;
    else if (roll >= KEPT) {
      kept = Math.min(bytes.length, SECTOR_BYTES * random.below(1 + bytes.length / SECTOR_BYTES));
    }
    // Some systems have the size before the bytes: zeros are read there.
    const isSized = loss === "some" && random.below(2) === 0;
    if (!isSized) size = Math.max(file.bytes.length, kept === 0 ? 0 : offset + kept);
  }
  const grown = new Uint8Array(size);
  grown.set(file.bytes.subarray(0, size));
  if (kept > 0) grown.set(bytes.subarray(0, kept), offset);
  file.bytes = grown;
}
