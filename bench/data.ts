/** The folders that are measured: the same bytes on every machine. */
import { join } from "node:path";
import { Random } from "../tests/support/random.ts";
import { manyFiles, writeRandomFile, writeTree } from "../tests/support/trees.ts";

/** A folder to share: one large file, or many small ones. */
export interface Workload {
  readonly name: string;
  readonly files: number;
  readonly bytes: number;
  /** Make the files in an empty folder. */
  write(folder: string): void;
}

/** One file of `bytes` pseudo-random bytes. */
export function oneFile(name: string, bytes: number): Workload {
  return {
    name,
    files: 1,
    bytes,
    write: (folder) => writeRandomFile(join(folder, "large.bin"), bytes, name),
  };
}

/** `count` files of 1 to 16 KiB, a few folders down. */
export function smallFiles(count: number): Workload {
  const files = manyFiles(count, { seed: "bench", smallest: 1024, largest: 16 * 1024 });
  return {
    name: `${count} files of 1-16 KiB`,
    files: count,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    write: (folder) => writeTree(folder, files, "bench"),
  };
}

/** `count` files of 1 to 16 KiB, a hundred in a folder and at most ten folders in another. */
export function nestedFiles(count: number): Workload {
  const place = (n: number) => [n / 10_000, n / 1000 % 10, n / 100 % 10].map(Math.floor).join("/");
  return placedFiles(`${count} files, nested`, count, place);
}

/** `count` files of 1 to 16 KiB in one folder. */
export function flatFiles(count: number): Workload {
  return placedFiles(`${count} files in one folder`, count, () => "flat");
}

function placedFiles(name: string, count: number, place: (n: number) => string): Workload {
  const random = new Random(`sizes ${name}`);
  const files = Array.from({ length: count }, (_, n) => ({
    path: `${place(n)}/file-${String(n).padStart(6, "0")}`,
    size: 1024 + random.below(15 * 1024 + 1),
  }));
  return {
    name,
    files: count,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    write: (folder) => writeTree(folder, files, "scale"),
  };
}
