/**
 * What the metadata says, read without trusting more than each block's own hash: so a single bad
 * entry does not hide all others.
 */
import { join } from "node:path";
import { TroveError } from "../base/errors.ts";
import type { RandomAccess } from "../base/random_access.ts";
import { readVarint } from "../base/varint.ts";
import { decodeChildren } from "../core/archive/children.ts";
import { decodeEntry, decodeIndex, type Entry, kindOfMode } from "../core/archive/entry.ts";
import { safePath } from "../core/archive/safe_path.ts";
import { runItems } from "../core/archive/steps.ts";
import { type WalkedFile, walkFiles } from "../core/archive/walk.ts";
import type { BlockSpan } from "../core/feed/block_store.ts";
import { BLOCK_BYTES } from "../io/file_blocks.ts";
import type { DataFile } from "../io/data_file.ts";
import type { Problem } from "./damage.ts";
import type { PlannedFile } from "./checkout_plan.ts";

/** Five numbers an entry: number, first block, blocks, first byte, bytes. */
const PLACE_NUMBERS = 5;

/** Tag and length of a field, as long as they can be. */
const MAX_FIELD_HEAD_BYTES = 11;
const WIRE_DELIMITED = 2;
/** Name, stat and child lists; the Index has two fields. */
const LAST_FIELD = 3;

export class AuditedEntries {
  readonly problems: Problem[] = [];
  /** From metadata block 0. */
  contentKey: Uint8Array | undefined;
  readonly #data: DataFile;
  /** By block: where it begins and how long it is; NaN where it is not here. */
  readonly #places: number[] = [];
  /** Blocks that are wrong on disk. */
  readonly #mended = new Map<number, Uint8Array>();
  /** What entries say of the content, by first block. */
  readonly #claims: number[] = [];
  /** The newest readable entry of each path, should the newest version not be readable. */
  readonly #newest = new Map<string, number>();

  constructor(data: DataFile) {
    this.#data = data;
  }

  /** Take a metadata block whose bytes are right; `turned`: unlike on disk. */
  take(
    block: number,
    bytes: Uint8Array,
    { byteOffset, turned }: { readonly byteOffset: number; readonly turned: boolean },
  ): void {
    if (turned) this.#mended.set(block, bytes.slice());
    while (this.#places.length < 2 * block) this.#places.push(NaN);
    this.#places.push(byteOffset, bytes.length);
    try {
      if (block === 0) {
        this.contentKey = decodeIndex(bytes).contentKey.slice();
        return;
      }
      const { path, stat, paths } = decodeEntry(bytes, block);
      decodeChildren(paths, block);
      this.#newest.set(path, block);
      if (stat !== undefined && stat.blocks > 0 && kindOfMode(stat.mode) === "file") {
        this.#claims.push(block, stat.offset, stat.blocks, stat.byteOffset, stat.size);
      }
    } catch (error) {
      if (!(error instanceof TroveError)) throw error;
      this.problems.push({
        kind: "entry",
        feed: "metadata",
        index: block,
        message: `metadata: ${error.message}`,
        repair: "none",
      });
    }
  }

  /** An entry whose bytes are good, or undefined. */
  readonly entry = (seq: number): Entry | undefined => {
    const mended = this.#mended.get(seq);
    if (mended !== undefined) return decodeEntry(mended, seq);
    const byteOffset = this.#places[2 * seq];
    if (byteOffset === undefined || Number.isNaN(byteOffset)) return undefined;
    const bytes = this.#data.read({ block: seq, byteOffset, size: this.#places[2 * seq + 1] });
    return bytes && decodeEntry(bytes, seq);
  };

  /** The live files of a version, as far as they can be known. `all`: nothing is in the dark. */
  files(version: number): { readonly files: WalkedFile[]; readonly all: boolean } {
    try {
      return { files: [...runItems(walkFiles(version), this.entry)], all: true };
    } catch (error) {
      if (!(error instanceof TroveError)) throw error;
      return { files: this.#scan(version), all: false };
    }
  }

  /** From the list of changes alone. */
  #scan(version: number): WalkedFile[] {
    const folders = new Set<string>();
    const files: WalkedFile[] = [];
    // The newest first: what lies below a path now and was put later makes it a folder.
    for (const [path, seq] of [...this.#newest].sort((a, b) => b[1] - a[1])) {
      const stat = seq > version ? undefined : this.entry(seq)?.stat;
      if (stat === undefined || folders.has(path)) continue;
      files.push({ path, stat, seq });
      for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
        folders.add(path.slice(0, at));
      }
    }
    return files;
  }

  /** Where a content block lies by what any entry says: files are cut into blocks of 64 KiB. */
  contentHints(): (block: number) => BlockSpan | undefined {
    const claims = this.#claims;
    const order = sortedBy(claims, (at) => claims[at + 1]);
    return (block) => {
      let low = 0;
      let high = order.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (claims[order[middle] + 1] <= block) low = middle + 1;
        else high = middle;
      }
      const at = order[low - 1];
      if (at === undefined) return undefined;
      const [, offset, blocks, byteOffset, size] = claims.slice(at, at + PLACE_NUMBERS);
      const inside = (block - offset) * BLOCK_BYTES;
      if (block >= offset + blocks || Math.ceil(size / BLOCK_BYTES) !== blocks) return undefined;
      return { block, byteOffset: byteOffset + inside, size: Math.min(BLOCK_BYTES, size - inside) };
    };
  }

  /** Told where each content block begins; compares with what the entries say. */
  offsetChecker(): (block: number, byteOffset: number | undefined) => void {
    const claims = this.#claims;
    const starts = sortedBy(claims, (at) => claims[at + 1]);
    const ends = sortedBy(claims, (at) => claims[at + 1] + claims[at + 2]);
    let nextStart = 0;
    let nextEnd = 0;
    const wrong = (at: number, what: string) => {
      this.problems.push({
        kind: "entry",
        feed: "metadata",
        index: claims[at],
        message: `metadata: entry ${claims[at]} ${what}`,
        repair: "none",
      });
    };
    return (block, byteOffset) => {
      for (; nextStart < starts.length; nextStart++) {
        const at = starts[nextStart];
        if (claims[at + 1] > block) break;
        if (claims[at + 1] < block || byteOffset === undefined) continue;
        if (claims[at + 3] !== byteOffset) {
          wrong(
            at,
            `says byte ${claims[at + 3]} of the content, its blocks begin at ${byteOffset}`,
          );
        }
      }
      for (; nextEnd < ends.length; nextEnd++) {
        const at = ends[nextEnd];
        if (claims[at + 1] + claims[at + 2] > block) break;
        if (claims[at + 1] + claims[at + 2] < block || byteOffset === undefined) continue;
        const size = byteOffset - claims[at + 3];
        if (claims[at + 4] !== size) {
          wrong(at, `says ${claims[at + 4]} bytes, its blocks have ${size}`);
        }
      }
    };
  }
}

/**
 * Where the record ends that begins at a byte of `metadata.data`. Records have no length of their
 * own, but each begins with its first field, which no record has twice. So blocks are found again
 * when their sizes are lost with the tree; a guess, until a signature proves it.
 */
export function recordEnd(file: RandomAccess, start: number): number | undefined {
  const bytes = new Uint8Array(MAX_FIELD_HEAD_BYTES);
  let at = start;
  for (let last = 0;;) {
    const had = file.readInto(bytes, at);
    if (had === 0) return at > start ? at : undefined;
    const field = bytes[0] >>> 3;
    if ((bytes[0] & 7) !== WIRE_DELIMITED || field === 0 || field > LAST_FIELD) return undefined;
    if (field <= last) return at;
    if (at === start && field !== 1) return undefined;
    const cursor = { pos: 1 };
    const length = readVarint(bytes, cursor, had);
    if (length < 0) return undefined;
    at += cursor.pos + length;
    if (at > file.size()) return undefined;
    last = field;
  }
}

function sortedBy(claims: readonly number[], key: (at: number) => number): number[] {
  const order: number[] = [];
  for (let at = 0; at < claims.length; at += PLACE_NUMBERS) order.push(at);
  return order.sort((a, b) => key(a) - key(b));
}

/** The files among these with their places on disk; those without a safe one are left out. */
export function placeFiles(files: readonly WalkedFile[], dir: string): PlannedFile[] {
  const placed: PlannedFile[] = [];
  for (const { path, stat, seq } of files) {
    const safe = safePath(path, { windows: Deno.build.os === "windows" });
    if (safe.kind === "refused" || kindOfMode(stat.mode) !== "file") continue;
    if (stat.blocks === 0 && stat.size > 0) continue;
    placed.push({ path, seq, target: join(dir, ...safe.components), ...stat });
  }
  return placed;
}

/** Files whose blocks can be told apart: of those with the same ones, the first. */
export function distinctFiles(files: readonly PlannedFile[]): PlannedFile[] {
  const distinct: PlannedFile[] = [];
  for (const file of [...files].sort((a, b) => a.offset - b.offset)) {
    const last = distinct.at(-1);
    if (file.blocks === 0) continue;
    if (last === undefined || file.offset >= last.offset + last.blocks) distinct.push(file);
  }
  return distinct;
}
