/** Archives made of a list of puts and deletes, and a plain model of what is in them. */
import * as fc from "fast-check";
import { decodeEntry, type Stat } from "../../../src/core/archive/entry.ts";
import { FolderTable } from "../../../src/core/archive/folder_table.ts";
import type { LoadEntry } from "../../../src/core/archive/steps.ts";

/** A put, or a delete that is left out where there is nothing to delete. */
export interface Operation {
  readonly op: "put" | "del";
  readonly path: string;
}

/** Few names and little depth, so that paths meet, and lie above and below each other. */
export function operations(maxLength = 30): fc.Arbitrary<Operation[]> {
  const names = fc.array(fc.constantFrom("a", "b", "é"), { minLength: 1, maxLength: 4 });
  const path = names.map((list) => "/" + list.join("/"));
  const op = fc.constantFrom("put" as const, "put" as const, "del" as const);
  return fc.array(fc.record({ op, path }), { maxLength });
}

/** A file that tells which entry put it. */
export function statOf(seq: number): Stat {
  return {
    mode: 0o100644,
    uid: 0,
    gid: 0,
    size: seq,
    blocks: 1,
    offset: seq,
    byteOffset: 65536 * seq,
    mtime: 1.7e12 + seq,
    ctime: 1.7e12 + seq,
  };
}

/** What is in an archive, kept the plain way. */
export class Model {
  /** The entry that put each live path. */
  readonly live = new Map<string, number>();
  /** The newest entry that passed through each path with something live at or below it. */
  readonly #newest = new Map<string, number>();

  clone(): Model {
    const copy = new Model();
    for (const [path, seq] of this.live) copy.live.set(path, seq);
    for (const [path, seq] of this.#newest) copy.#newest.set(path, seq);
    return copy;
  }

  put(path: string, seq: number): void {
    this.live.set(path, seq);
    for (const prefix of [...prefixesOf(path), path]) this.#newest.set(prefix, seq);
  }

  delete(path: string, seq: number): void {
    this.live.delete(path);
    for (const prefix of [...prefixesOf(path), path]) {
      if (this.live.has(prefix) || this.hasBelow(prefix)) this.#newest.set(prefix, seq);
      else this.#newest.delete(prefix);
    }
  }

  hasBelow(folder: string): boolean {
    const prefix = folder === "/" ? "/" : folder + "/";
    return [...this.live.keys()].some((path) => path.startsWith(prefix) && path !== folder);
  }

  /** Names in a folder, those touched last at the end. */
  children(folder: string): string[] {
    const prefix = folder === "/" ? "/" : folder + "/";
    const newest = [...this.#newest].filter(([path]) =>
      path.startsWith(prefix) && !path.slice(prefix.length).includes("/")
    );
    return newest.sort((a, b) => a[1] - b[1]).map(([path]) => path.slice(prefix.length));
  }

  /** Live files without those under whose path something was touched later; by path. */
  visible(): [string, number][] {
    const files = [...this.live].filter(([file, seq]) =>
      ![...this.#newest].some(([path, newest]) => path.startsWith(file + "/") && newest > seq)
    );
    return files.sort(([a], [b]) => compareWalked(a, b));
  }
}

export interface History {
  /** Block n of the metadata feed at place n; place 0 is empty. */
  readonly blocks: readonly Uint8Array[];
  /** What is in each version, from 0 on. */
  readonly versions: readonly Model[];
  readonly table: FolderTable;
  readonly load: LoadEntry;
}

/** Write the operations down, each as an entry. */
export function writeHistory(ops: readonly Operation[]): History {
  const table = new FolderTable();
  const blocks: Uint8Array[] = [new Uint8Array(0)];
  const versions = [new Model()];
  for (const { op, path } of ops) {
    const seq = blocks.length;
    const model = versions[seq - 1].clone();
    if (op === "del" && !model.live.has(path)) continue;
    if (op === "put") model.put(path, seq);
    else model.delete(path, seq);
    blocks.push(op === "put" ? table.put(path, statOf(seq), seq) : table.delete(path, seq));
    versions.push(model);
  }
  return { blocks, versions, table, load: (seq) => decodeEntry(blocks[seq], seq) };
}

/** Every path of the operations, what lies above it, and the root. */
export function pathsOf(ops: readonly Operation[]): string[] {
  return [...new Set(["/", ...ops.flatMap(({ path }) => [...prefixesOf(path), path])])];
}

/** Per folder by name, as a walk goes. */
export function compareWalked(a: string, b: string): number {
  const left = a.split("/");
  const right = b.split("/");
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    if (left[i] !== right[i]) return left[i] < right[i] ? -1 : 1;
  }
  return left.length - right.length;
}

function prefixesOf(path: string): string[] {
  const names = path.slice(1).split("/");
  return names.slice(1).map((_, i) => "/" + names.slice(0, i + 1).join("/"));
}
