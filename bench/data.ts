/** The folders that are measured: the same bytes on every machine. */
import { join } from "node:path";
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
