/** What an import tells while it runs and counts for the end, and its pauses for other work. */
import { nextTurn } from "../io/pause.ts";
import type { World } from "../base/world.ts";
import { type Emit, PROGRESS_MS } from "./events.ts";

/** What an import did. */
export interface ImportSummary {
  readonly put: number;
  readonly deleted: number;
  readonly same: number;
  readonly skipped: number;
  /** Bytes of the files that were put. */
  readonly bytes: number;
  readonly seconds: number;
}

/** Other work gets its turn after so long. */
const TURN_MS = 50;

export class ImportReport {
  readonly counts = { put: 0, deleted: 0, same: 0, skipped: 0, bytes: 0 };
  readonly #world: World;
  readonly #emit: Emit;
  readonly #signal: AbortSignal;
  readonly #told: Set<string>;
  readonly #startedAt: number;
  #turnAt: number;
  #toldAt = 0;

  /** @param options.told What earlier imports warned of: it is not told again. */
  constructor(options: { world: World; emit: Emit; signal: AbortSignal; told?: Set<string> }) {
    this.#world = options.world;
    this.#emit = options.emit;
    this.#signal = options.signal;
    this.#told = options.told ?? new Set();
    this.#startedAt = this.#turnAt = this.now();
  }

  /** Milliseconds of a clock that never goes back. */
  now(): number {
    return this.#world.clock.monotonic();
  }

  /** Milliseconds since 1970. */
  wall(): number {
    return this.#world.clock.wall();
  }

  get stopped(): boolean {
    return this.#signal.aborted;
  }

  summary(): ImportSummary {
    return { ...this.counts, seconds: (this.now() - this.#startedAt) / 1000 };
  }

  /** An entry was appended for a path, which begins with a slash. */
  appended(type: "put" | "del", path: string, size = 0): void {
    this.counts[type === "put" ? "put" : "deleted"]++;
    this.counts.bytes += size;
    this.#emit({ event: "entry", type, path, size });
  }

  /** A name was left out, for this reason. Read as: the name ... */
  skip(relative: string, reason: string): void {
    this.counts.skipped++;
    const message = `Skipped "${relative}": ${reason}`;
    this.warn("skipped", message, message);
  }

  /** @param subject What it is about, if that is to be told only once. */
  warn(code: string, message: string, subject?: string): void {
    if (subject !== undefined) {
      const key = `${code} ${subject}`;
      if (this.#told.has(key)) return;
      this.#told.add(key);
    }
    this.#emit({ event: "warning", code, message });
  }

  /** `bytes` of the file that is being read now come on top of what is counted. */
  tell(path: string, bytes: number): void {
    if (this.now() - this.#toldAt < PROGRESS_MS) return;
    this.#toldAt = this.now();
    const files = this.counts.put;
    this.#emit({ event: "importing", files, bytes: this.counts.bytes + bytes, path });
  }

  /** Let other work in now and then. @throws The reason to stop, once there is one. */
  async takeTurn(): Promise<void> {
    if (this.now() - this.#turnAt >= TURN_MS) {
      await nextTurn();
      this.#turnAt = this.now();
    }
    this.checkStopped();
  }

  /** @throws The reason to stop, once there is one. */
  checkStopped(): void {
    this.#signal.throwIfAborted();
  }
}
