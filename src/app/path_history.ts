/** Whose a file on disk is: the archive's, as any of its versions had it, or the user's. */
import { readUint64BE } from "../base/bytes.ts";
import type { Stat } from "../core/archive/entry.ts";
import { readHistory } from "../core/archive/lookup.ts";
import { runItems } from "../core/archive/steps.ts";
import { fileMatches } from "../io/file_blocks.ts";
import { lookAt } from "../io/folder.ts";
import { nextTurn } from "../io/pause.ts";
import { readSmallFile } from "./archive_folder.ts";
import type { Archive } from "./open_archive.ts";

/** Other work gets its turn after so many bytes were hashed. */
const TURN_BYTES = 4 * 1024 * 1024;

/** What the archive put at a path at any time up to the version. */
export class PathHistory {
  readonly #archive: Archive;
  readonly #version: number;
  readonly #signal: AbortSignal | undefined;
  #puts: Map<string, Stat[]> | undefined;
  #hashedBytes = 0;

  constructor(archive: Archive, options: { version: number; signal?: AbortSignal }) {
    this.#archive = archive;
    this.#version = options.version;
    this.#signal = options.signal;
  }

  /** The version whose removals have been applied. */
  get applied(): number {
    const bytes = readSmallFile(this.#archive.paths.latest);
    const applied = bytes?.length === 8 ? readUint64BE(bytes, 0) : 0;
    return Math.min(applied, this.#version);
  }

  /** Whether the file on disk is one that the archive put there, unchanged since. */
  async isOurs(path: string, target: string): Promise<boolean> {
    const info = lookAt(target);
    if (info === undefined || !info.isFile) return false;
    const stats = this.#statsOf(path);
    const fitting = stats.filter((stat) => stat.size === info.size);
    if (fitting.some((stat) => stat.mtime === info.mtime?.getTime())) return true;
    // Other programs leave the time of writing, so the bytes decide.
    const { content } = this.#archive;
    for (const { size, blocks, offset } of fitting) {
      const leaf = (n: number) => content?.node(2 * (offset + n));
      const onBytes = (bytes: number) => this.#takeTurn(bytes);
      if (await fileMatches(target, { size, blocks, leaf }, onBytes)) return true;
    }
    return false;
  }

  #statsOf(path: string): readonly Stat[] {
    if (this.#puts === undefined) {
      this.#puts = new Map();
      // From the beginning: a run that was killed may have put files of any version in between.
      for (const item of runItems(readHistory(1, this.#version), this.#archive.entry)) {
        if (item.stat === undefined) continue;
        const stats = this.#puts.get(item.path);
        if (stats === undefined) this.#puts.set(item.path, [item.stat]);
        else stats.push(item.stat);
      }
    }
    return this.#puts.get(path) ?? [];
  }

  async #takeTurn(bytes: number): Promise<void> {
    const turns = Math.floor(this.#hashedBytes / TURN_BYTES);
    this.#hashedBytes += bytes;
    if (Math.floor(this.#hashedBytes / TURN_BYTES) > turns) await nextTurn();
    this.#signal?.throwIfAborted();
  }
}
