/** Whose a file on disk is: the archive's, as any of its versions had it, or the user's. */
import { kindOfMode, type Stat } from "../core/archive/entry.ts";
import { findFile, readHistory } from "../core/archive/lookup.ts";
import type { Selection } from "../core/archive/selection.ts";
import { runItems, runLookup } from "../core/archive/steps.ts";
import { fileMatches } from "../io/file_blocks.ts";
import { lookAt } from "../io/folder.ts";
import { nextTurn } from "../io/pause.ts";
import type { PlannedFile } from "./checkout_plan.ts";
import { firstFinal } from "./obstacles.ts";
import type { Archive } from "./open_archive.ts";
import { readVersionNote } from "./version_notes.ts";

/** Other work gets its turn after so many bytes were hashed. */
const TURN_BYTES = 4 * 1024 * 1024;

/** What was put at a path by one entry. */
interface Put {
  readonly seq: number;
  readonly stat: Stat;
}

/** Tells what the archive put at a path last. */
type Placed = (path: string) => Pick<Stat, "size" | "mtime"> | undefined;

/** What the archive put at a path at any time up to the version. */
export class PathHistory {
  /** The version whose removals have been applied. */
  readonly applied: number;
  /** The version whose files were all here once; 0 if none was. */
  readonly synced: number;
  /**
   * In an owner's folder, the version that its files are of while a newer one is checked out:
   * whatever no later entry touches is the owner's business.
   */
  readonly base: number | undefined;
  readonly #archive: Archive;
  readonly #selection: Selection;
  readonly #version: number;
  readonly #signal: AbortSignal | undefined;
  readonly #placed: Placed | undefined;
  #puts: Map<string, Put[]> | undefined;
  #hashedBytes = 0;

  /**
   * @param options.selection What was selected of `synced`.
   * @param options.placed Tells what the archive put at a path last, where the caller has followed
   *   every version: nothing of the past need be read for a file that is just that.
   */
  constructor(
    archive: Archive,
    options: {
      version: number;
      selection: Selection;
      signal?: AbortSignal;
      placed?: Placed;
    },
  ) {
    this.#archive = archive;
    this.#selection = options.selection;
    this.#version = options.version;
    this.#signal = options.signal;
    this.#placed = options.placed;
    const note = (name: "latest" | "synced" | "pulling") =>
      Math.min(readVersionNote(archive.paths, name) ?? 0, options.version);
    this.base = archive.writable ? note("pulling") : undefined;
    this.applied = Math.max(note("latest"), this.base ?? 0);
    this.synced = this.base ?? note("synced");
  }

  /** Whether the blocks of an entry, where held, lie under the entry's own name. */
  isNamedAt(seq: number): boolean {
    // Before its version was applied, its blocks can only be held for another path that has them.
    return this.applied === 0 || seq <= this.applied;
  }

  /** Whether a file of this very entry was put here, with its mode and time. */
  wasApplied({ seq, path }: PlannedFile): boolean {
    return seq <= this.synced && this.#selection.selects(path);
  }

  /** Whether the archive put a file at this path of this folder before, or the owner had it there. */
  wasPut(planned: PlannedFile): boolean {
    const { path, seq } = planned;
    if (this.wasApplied(planned)) return true;
    if (this.#isHeld(planned) && this.isNamedAt(seq)) return true;
    if (this.#placed !== undefined) return this.#placed(path) !== undefined;
    if (this.synced > 0 && this.#hadFile(path)) return true;
    // The blocks of older entries are given up when a newer version is applied.
    if (this.applied >= this.#version || !this.#holdsContent()) return false;
    return this.#putsOf(path).some((put) => this.isNamedAt(put.seq) && this.#isHeld(put.stat));
  }

  /** Whether the file on disk is one that the archive put there, unchanged since. */
  async isOurs(path: string, target: string): Promise<boolean> {
    const info = lookAt(target);
    if (info === undefined || !info.isFile) return false;
    const isLike = ({ size, mtime }: Pick<Stat, "size" | "mtime">) =>
      size === info.size && mtime === info.mtime?.getTime();
    const last = this.#placed?.(path);
    if (last !== undefined && isLike(last)) return true;
    const fitting = this.#putsOf(path).filter(({ stat }) => stat.size === info.size);
    if (fitting.some(({ stat }) => isLike(stat))) return true;
    // Other programs leave the time of writing, so the bytes decide.
    for (const { stat } of fitting) if (await this.matches(target, stat)) return true;
    return false;
  }

  /** Whether a file on disk has the bytes of an entry, as far as their hashes are known here. */
  matches(
    target: string,
    { size, blocks, offset }: Pick<Stat, "size" | "blocks" | "offset">,
  ): Promise<boolean> {
    const { content } = this.#archive;
    const leaf = (n: number) => content?.node(2 * (offset + n));
    return fileMatches(target, { size, blocks, leaf }, (bytes) => this.takeTurn(bytes));
  }

  /** Let other work in now and then, after so many bytes more were hashed. */
  async takeTurn(bytes: number): Promise<void> {
    const turns = Math.floor(this.#hashedBytes / TURN_BYTES);
    this.#hashedBytes += bytes;
    if (Math.floor(this.#hashedBytes / TURN_BYTES) > turns) await nextTurn();
    this.#signal?.throwIfAborted();
  }

  /** Where every version is kept, blocks that are held say nothing about files. */
  #isHeld(stat: { offset: number; blocks: number }): boolean {
    const { content, contentFiles } = this.#archive;
    return contentFiles !== undefined && content !== undefined && firstFinal(content, stat) !== -1;
  }

  #holdsContent(): boolean {
    const { content, contentFiles } = this.#archive;
    return contentFiles !== undefined && content !== undefined &&
      content.nextHeld(0, content.length) !== -1;
  }

  /** Whether the version that was all here had a file at the path. */
  #hadFile(path: string): boolean {
    if (!this.#selection.selects(path)) return false;
    const stat = runLookup(findFile(this.synced, path), this.#archive.entry)?.stat;
    return stat !== undefined && kindOfMode(stat.mode) === "file" &&
      (stat.blocks > 0 || stat.size === 0);
  }

  #putsOf(path: string): readonly Put[] {
    if (this.#puts === undefined) {
      this.#puts = new Map();
      // From the beginning: a run that was killed may have put files of any version in between.
      for (
        const { path, seq, stat } of runItems(readHistory(1, this.#version), this.#archive.entry)
      ) {
        if (stat === undefined) continue;
        const puts = this.#puts.get(path);
        if (puts === undefined) this.#puts.set(path, [{ seq, stat }]);
        else puts.push({ seq, stat });
      }
    }
    return this.#puts.get(path) ?? [];
  }
}
