/**
 * Watching a folder: news that there is something to look at, once a burst of changes has settled.
 * Watchers lose events and some file systems give none, so the news also come now and then without
 * a change; whoever looks then looks at everything.
 */
import { resolve, sep } from "node:path";
import { Channel, type Receiver } from "../csp/channel.ts";
import { realPath } from "./folder.ts";

/** What every number here is good for. Times in milliseconds. */
export const WATCH_LIMITS = {
  /** A burst is over when so long nothing came: programs write a file in several steps. */
  quietMs: 200,
  /** ... or so long after its first change: some folders never rest. */
  longestMs: 2000,
  /** More changed names than that are not kept: a look at the whole folder costs no more then. */
  names: 1000,
  /** What a watcher lost is found after so long. */
  rescanMs: 60_000,
  /** Where there is no watcher, or something is wrong, looking again is all there is. */
  unwatchedMs: 5000,
  /** Large folders are looked at less often: the pause is so many times what the look took. */
  pauseFactor: 20,
} as const;

/** What to look at. */
export interface FolderChanges {
  /** Everything: it is not known what changed. */
  readonly all: boolean;
  /** Names that changed, relative to the folder, with "/" between components. */
  readonly paths: ReadonlySet<string>;
}

/** Time, so that tests can let it pass. */
export interface Timers {
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** Call `wake` in so many milliseconds. Gives the way to take that back. */
  after(ms: number, wake: () => void): () => void;
}

/** The part of `Deno.FsWatcher` that is used. */
export interface Watcher extends AsyncIterable<Pick<Deno.FsEvent, "kind" | "paths" | "flag">> {
  close(): void;
}

export interface FolderWatchOptions {
  /** Whether changes of this path, relative to the folder, are nobody's business. */
  readonly ignores?: (relative: string) => boolean;
  /** The folder cannot be watched, for this reason: only looking again finds changes. */
  readonly onFailure?: (reason: unknown) => void;
  readonly timers?: Timers;
  readonly open?: (dir: string) => Watcher;
}

const REAL_TIMERS: Timers = {
  now: () => performance.now(),
  after(ms, wake) {
    const timer = setTimeout(wake, ms);
    return () => clearTimeout(timer);
  },
};

/** What the archive itself writes is no change of the folder. */
const OWN = ".dat";

export class FolderWatch implements AsyncDisposable {
  readonly #dir: string;
  /** The folder as events may name it. */
  readonly #prefixes: readonly string[];
  readonly #options: FolderWatchOptions;
  readonly #timers: Timers;
  /** Capacity 1: what is to be looked at waits in `#paths`, this only says that there is something. */
  readonly #news = new Channel<"look">(1);
  #all = false;
  #paths = new Set<string>();
  /** When the burst began that has not settled. */
  #burstAt?: number;
  #stopSettling = () => {};
  #stopWaiting = () => {};
  #watcher?: Watcher;
  /** Every watcher's task. */
  readonly #tasks = new Set<Promise<void>>();
  #closed = false;

  constructor(dir: string, options: FolderWatchOptions = {}) {
    this.#dir = resolve(dir);
    this.#prefixes = [...new Set([this.#dir, realPath(this.#dir) ?? this.#dir])];
    this.#options = options;
    this.#timers = options.timers ?? REAL_TIMERS;
    this.reopen();
    this.looked(0);
  }

  /** News that it is time to `take` what is to be looked at. */
  get news(): Receiver<"look"> {
    return this.#news;
  }

  /** Whether changes are heard of as they happen. */
  get watching(): boolean {
    return this.#watcher !== undefined;
  }

  /** What is to be looked at; it is not told again. */
  take(): FolderChanges {
    const changes = { all: this.#all, paths: this.#paths };
    this.#all = false;
    this.#paths = new Set();
    return changes;
  }

  /** Everything was looked at, which took so many milliseconds: do that again after a while. */
  looked(tookMs: number): void {
    const { rescanMs, unwatchedMs } = WATCH_LIMITS;
    this.#lookAfter(this.watching ? rescanMs : unwatchedMs, tookMs);
  }

  /** Looking failed after so many milliseconds: try everything again before long. */
  failed(tookMs: number): void {
    this.#lookAfter(WATCH_LIMITS.unwatchedMs, tookMs);
  }

  /** There is reason to look at everything. */
  suspect(): void {
    this.#all = true;
    this.#settle();
  }

  /** Watch anew: the folder was away, and whatever watched it may have noticed. */
  reopen(): void {
    this.#closeWatcher();
    try {
      const { open = openWatcher } = this.#options;
      this.#watcher = open(this.#dir);
    } catch (error) {
      this.#options.onFailure?.(error);
      return;
    }
    const task = this.#read(this.#watcher).finally(() => this.#tasks.delete(task));
    this.#tasks.add(task);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#stopSettling();
    this.#stopWaiting();
    this.#closeWatcher();
    this.#news.close();
    await Promise.all(this.#tasks);
  }

  async #read(watcher: Watcher): Promise<void> {
    try {
      for await (const event of watcher) this.#take(event);
    } catch (error) {
      if (this.#watcher !== watcher) return;
      this.#closeWatcher();
      this.#options.onFailure?.(error);
      // Sooner than a watched folder is looked at, and for what was lost with the watcher.
      this.looked(0);
    }
  }

  #take({ kind, paths, flag }: Pick<Deno.FsEvent, "kind" | "paths" | "flag">): void {
    let counts = false;
    if (flag === "rescan") this.#all = counts = true;
    for (const path of paths) {
      const relative = this.#relative(path);
      if (relative === undefined || relative === "") {
        this.#all = counts = true;
      } else if (relative === OWN) {
        // What happens in it does not matter, but its end does.
        if (kind === "remove" || kind === "rename") this.#all = counts = true;
      } else if (!relative.startsWith(`${OWN}/`) && !this.#options.ignores?.(relative)) {
        counts = true;
        if (this.#paths.size < WATCH_LIMITS.names) this.#paths.add(relative);
        else this.#all ||= !this.#paths.has(relative);
      }
    }
    if (counts) this.#settle();
  }

  /** A path as events have it, relative to the folder; undefined if it does not lie in it. */
  #relative(path: string): string | undefined {
    for (const prefix of this.#prefixes) {
      if (path === prefix) return "";
      const below = prefix.endsWith(sep) ? prefix : prefix + sep;
      if (path.startsWith(below)) return path.slice(below.length).replaceAll(sep, "/");
    }
    return undefined;
  }

  /** Something changed: tell of it when the burst is over. */
  #settle(): void {
    if (this.#closed) return;
    const now = this.#timers.now();
    this.#burstAt ??= now;
    const { quietMs, longestMs } = WATCH_LIMITS;
    const wait = Math.max(0, Math.min(quietMs, this.#burstAt + longestMs - now));
    this.#stopSettling();
    this.#stopSettling = this.#timers.after(wait, () => {
      this.#burstAt = undefined;
      this.#news.trySend("look");
    });
  }

  #lookAfter(ms: number, tookMs: number): void {
    this.#stopWaiting();
    if (this.#closed) return;
    const wait = Math.max(ms, tookMs * WATCH_LIMITS.pauseFactor);
    this.#stopWaiting = this.#timers.after(wait, () => {
      this.#all = true;
      this.#news.trySend("look");
    });
  }

  #closeWatcher(): void {
    const watcher = this.#watcher;
    this.#watcher = undefined;
    watcher?.close();
  }
}

function openWatcher(dir: string): Watcher {
  return Deno.watchFs(dir, { recursive: true });
}
