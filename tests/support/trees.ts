/**
 * Folders of files for tests: made from a seed, digested, and compared so that a failure names the
 * files that differ.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { Random } from "./random.ts";

const BLOCK_BYTES = 64 * 1024;

/** One file to make: its path below the folder, its size in bytes, its mode. */
export interface FilePlan {
  readonly path: string;
  readonly size: number;
  readonly mode?: number;
}

/** What a file is, as far as two trees are compared. */
export interface FileDigest {
  readonly sha256: string;
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
}

/** Digests by path relative to the folder, with `/` between components, in order of path. */
export type TreeDigest = ReadonlyMap<string, FileDigest>;

/** Sizes around the block size, empty files, and names that are easy to get wrong. */
export const AWKWARD_FILES: readonly FilePlan[] = [
  { path: "empty", size: 0 },
  { path: "one-byte", size: 1 },
  { path: "just-below-a-block", size: BLOCK_BYTES - 1 },
  { path: "exactly-a-block", size: BLOCK_BYTES },
  { path: "just-above-a-block", size: BLOCK_BYTES + 1 },
  { path: "many-blocks.bin", size: 20 * BLOCK_BYTES + 12345 },
  { path: "folder with spaces/file with  two spaces.txt", size: 70 },
  { path: " leading and trailing ", size: 71 },
  { path: "caf\u00e9-composed.txt", size: 72 },
  { path: "cafe\u0301-decomposed.txt", size: 73 },
  { path: "\u65e5\u672c\u8a9e/\u30d5\u30a1\u30a4\u30eb.bin", size: 5000 },
  { path: "emoji \u{1F980}/\u{1F600}.txt", size: 74 },
  { path: "\u0645\u0644\u0641.txt", size: 75 },
  { path: "quotes'\"`.txt", size: 76 },
  { path: "percent%20encoded%2Fname", size: 77 },
  { path: "question?and#hash&amp=1.txt", size: 78 },
  { path: "new\nline.txt", size: 79 },
  { path: "-dash-first", size: 80 },
  { path: "__proto__/constructor", size: 81 },
  { path: "x".repeat(240), size: 82 },
  { path: `${Array.from({ length: 40 }, (_, depth) => `l${depth}`).join("/")}/bottom`, size: 83 },
  { path: "same/prefix", size: 84 },
  { path: "same-prefix", size: 85 },
  { path: "same/prefix2/a", size: 86 },
  { path: "same/prefix2/empty-too", size: 0 },
  { path: "program.sh", size: 87, mode: 0o755 },
  { path: "private.txt", size: 88, mode: 0o600 },
];

/** `count` files of `smallest` to `largest` bytes, most of them a few folders down. */
export function manyFiles(
  count: number,
  { seed, smallest = 0, largest }: { seed: string; smallest?: number; largest: number },
): FilePlan[] {
  const random = new Random(`names ${seed}`);
  return Array.from({ length: count }, (_, number) => {
    const folders = Array.from({ length: random.below(4) }, () => `folder-${random.below(8)}`);
    return {
      path: [...folders, `file-${String(number).padStart(5, "0")}`].join("/"),
      size: smallest + random.below(largest - smallest + 1),
    };
  });
}

/** Make the files, their bytes drawn from `seed` and their path. */
export function writeTree(folder: string, files: readonly FilePlan[], seed: string): void {
  const made = new Set<string>();
  for (const { path, size, mode } of files) {
    const target = join(folder, path);
    const parent = dirname(target);
    if (!made.has(parent)) {
      Deno.mkdirSync(parent, { recursive: true });
      made.add(parent);
    }
    writeRandomFile(target, size, `${seed} ${path}`);
    Deno.chmodSync(target, mode ?? 0o644);
  }
}

/** Write a file in pieces, so that its size costs no memory. */
export function writeRandomFile(path: string, size: number, seed: string): void {
  const random = new Random(seed);
  using file = Deno.openSync(path, { write: true, create: true, truncate: true });
  for (let left = size; left > 0;) {
    const piece = random.bytes(Math.min(left, 1 << 20));
    for (let at = 0; at < piece.length;) at += file.writeSync(piece.subarray(at));
    left -= piece.length;
  }
}

/** Digest every file below `folder` but the archive's own `.dat` at its top. */
export function digestTree(folder: string): TreeDigest {
  const found: [string, FileDigest][] = [];
  const walk = (below: string) => {
    for (const entry of Deno.readDirSync(join(folder, below))) {
      const path = below === "" ? entry.name : `${below}/${entry.name}`;
      if (path === ".dat") continue;
      if (entry.isDirectory) walk(path);
      else if (entry.isFile) found.push([path, digestFile(join(folder, path))]);
      else throw new Error(`Cannot digest "${path}": neither a file nor a folder`);
    }
  };
  walk("");
  return new Map(found.sort(([a], [b]) => a < b ? -1 : 1));
}

function digestFile(path: string): FileDigest {
  const hash = createHash("sha256");
  const piece = new Uint8Array(1 << 20);
  using file = Deno.openSync(path);
  const { size, mode } = file.statSync();
  for (let read = file.readSync(piece); read !== null; read = file.readSync(piece)) {
    hash.update(piece.subarray(0, read));
  }
  return { sha256: hash.digest("hex"), size, mode: (mode ?? 0) & 0o777 };
}

/** The tree as a real peer gets it: it never makes an empty file. */
export function withoutEmptyFiles(tree: TreeDigest): TreeDigest {
  return new Map([...tree].filter(([, file]) => file.size > 0));
}

/** The tree as a peer that knows no modes gets it. */
export function withoutModes(tree: TreeDigest): TreeDigest {
  return new Map([...tree].map(([path, file]) => [path, { ...file, mode: 0 }]));
}

/** One line for each path that is missing, unexpected or different; none for equal trees. */
export function differences(actual: TreeDigest, expected: TreeDigest): string[] {
  const lines: string[] = [];
  for (const [path, wanted] of expected) {
    const got = actual.get(path);
    if (got === undefined) lines.push(`missing: ${JSON.stringify(path)} (${wanted.size} bytes)`);
    else if (got.size !== wanted.size) {
      lines.push(`size: ${JSON.stringify(path)} has ${got.size} bytes, not ${wanted.size}`);
    } else if (got.sha256 !== wanted.sha256) {
      lines.push(`bytes: ${JSON.stringify(path)} (${got.size} bytes) differs`);
    } else if (got.mode !== wanted.mode) {
      lines.push(
        `mode: ${JSON.stringify(path)} is ${got.mode.toString(8)}, not ${wanted.mode.toString(8)}`,
      );
    }
  }
  for (const [path, got] of actual) {
    if (!expected.has(path)) {
      lines.push(`unexpected: ${JSON.stringify(path)} (${got.size} bytes)`);
    }
  }
  return lines;
}

/** Fail with the first differences, if there are any. */
export function assertSameTree(actual: TreeDigest, expected: TreeDigest): void {
  assert.notEqual(expected.size, 0, "an empty tree proves nothing");
  const lines = differences(actual, expected);
  const shown = lines.slice(0, 20);
  if (lines.length > shown.length) shown.push(`and ${lines.length - shown.length} more`);
  assert.equal(lines.length, 0, `the trees differ\n${shown.join("\n")}`);
}
