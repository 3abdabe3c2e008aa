/**
 * Following the changes of an archive's own folder while it is served: whenever something changed
 * there, and now and then without a sign of it, the folder is looked at and what is found goes into
 * the archive. One import that fails is told, and tried again later; it ends nothing.
 */
import { InterruptedError, LocalProtocolError, TroveError } from "../base/errors.ts";
import type { Range } from "../base/ranges.ts";
import type { World } from "../base/world.ts";
import { Channel, type Receiver } from "../csp/channel.ts";
import { select } from "../csp/select.ts";
import { type FolderChanges, FolderWatch, type FolderWatchOptions } from "../io/folder_watch.ts";
import { type Emit, PROGRESS_MS } from "./events.ts";
import { FolderIdentity } from "./folder_identity.ts";
import { type IgnoreRules, readIgnoreRules } from "./ignore_file.ts";
import { importFolder, ImportMemory, type ImportSummary } from "./import_folder.ts";
import type { Archive } from "./open_archive.ts";

/** The file whose rules say what takes part: where it changed, everything has to be looked at. */
const RULES = ".datignore";

export interface LiveImportOptions {
  readonly world: World;
  readonly emit: Emit;
  /** As an import has them. */
  readonly ignoreHidden?: boolean;
  readonly reuseContent?: boolean;
  /** Called when something is signed and on disk, as an import does: publish it. */
  readonly onCommit: (found?: readonly Range[]) => void;
  /** How the folder is watched, if not as usual. */
  readonly watching?: Pick<FolderWatchOptions, "timers" | "open">;
}

/** Watches from the moment that it is made, so that what changes during a first import is seen. */
export class LiveImport implements AsyncDisposable {
  readonly #archive: Archive;
  readonly #options: LiveImportOptions;
  readonly #watch: FolderWatch;
  readonly #memory = new ImportMemory();
  readonly #folder: FolderIdentity;
  #rules?: IgnoreRules;
  /** What is wrong, as it was told: once. */
  #trouble?: string;
  /** Whether something may be in memory that was not brought to disk. */
  #unfinished = false;
  /** The version that was told last. */
  #told: number;

  /** @param archive One of our own, open for writing, with working files. */
  constructor(archive: Archive, options: LiveImportOptions) {
    this.#archive = archive;
    this.#options = options;
    this.#folder = new FolderIdentity(archive.paths);
    this.#told = archive.version;
    this.#watch = new FolderWatch(archive.paths.dir, {
      ...options.watching,
      ignores: (relative) => this.#ignores(relative),
      onFailure: (reason) => this.#tellUnwatched(reason),
    });
  }

  /**
   * Import the whole folder, as one does before it is served.
   *
   * @throws {TroveError} Whatever goes wrong; the signal's reason if that is aborted.
   */
  async importAll(signal: AbortSignal): Promise<void> {
    this.#tellImported(await this.#import(undefined, signal));
  }

  /** There is reason to look at everything: what was read is not what the archive says. */
  suspect(): void {
    this.#watch.suspect();
  }

  /** Follow the folder until `signal` is aborted. What is done until then is kept. */
  async run(signal: AbortSignal): Promise<void> {
    // Capacity 1: it is never sent anything, and closed at the end.
    const stopped = new Channel<never>(1);
    const interrupted = new AbortController();
    const stop = () => {
      stopped.close();
      interrupted.abort(new InterruptedError("Stopped before the import was complete", "SIGTERM"));
    };
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop);
    const arms = { stopped: stopped as Receiver<never>, news: this.#watch.news };
    try {
      for (;;) {
        const { received } = await select(arms);
        if (received.done) return;
        await this.#look(interrupted.signal);
      }
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watch[Symbol.asyncDispose]();
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options.world;
    const changes = this.#watch.take();
    const startedAt = clock.monotonic();
    const took = () => clock.monotonic() - startedAt;
    try {
      if (!this.#isThere()) return this.#watch.failed(took());
      const only = this.#partOf(changes);
      this.#finishEarlier();
      const { version } = this.#archive;
      const summary = await this.#import(only, signal);
      this.#trouble = undefined;
      if (this.#archive.version > this.#told) {
        this.#tellImported(this.#withEarlier(summary, version));
      }
      if (only === undefined) this.#watch.looked(took());
    } catch (error) {
      // A mistake of ours must show; and what is no error of an import is one.
      if (!(error instanceof TroveError) || error instanceof LocalProtocolError) throw error;
      this.#unfinished = true;
      if (error instanceof InterruptedError) return;
      this.#tellTrouble(error.code, messageOf(error));
      this.#watch.failed(took());
    }
  }

  async #import(
    only: ReadonlySet<string> | undefined,
    signal: AbortSignal,
  ): Promise<ImportSummary> {
    const { world, ignoreHidden, reuseContent, onCommit } = this.#options;
    const emit = this.#patientEmit();
    this.#rules = readIgnoreRules(this.#archive.paths.dir, { ignoreHidden });
    return await importFolder(this.#archive, {
      ...{ world, emit, ignoreHidden, reuseContent, signal, only, onCommit },
      memory: this.#memory,
    });
  }

  /** Of a short import only the end is told, for there are many of them. */
  #patientEmit(): Emit {
    const { world: { clock }, emit } = this.#options;
    const startedAt = clock.monotonic();
    return (event) => {
      if (event.event !== "importing" || clock.monotonic() - startedAt >= PROGRESS_MS) emit(event);
    };
  }

  /** Names that are enough to look at; undefined if everything has to be. */
  #partOf({ all, paths }: FolderChanges): ReadonlySet<string> | undefined {
    // What one name shows may change by another one where there are links.
    return all || this.#memory.hasLinks || paths.has(RULES) ? undefined : paths;
  }

  /** Bring to disk what an import before this one could not, and tell of it. */
  #finishEarlier(): void {
    if (!this.#unfinished) return;
    const { content, metadata } = this.#archive;
    content!.commit({ durable: true });
    metadata.commit({ durable: true });
    this.#options.onCommit();
    this.#unfinished = false;
  }

  /** A summary with what imports did that failed before it, up to `version`. */
  #withEarlier(summary: ImportSummary, version: number): ImportSummary {
    let { put, deleted, bytes } = summary;
    for (let seq = this.#told + 1; seq <= version; seq++) {
      const stat = this.#archive.entry(seq)?.stat;
      if (stat === undefined) deleted++;
      else put++;
      bytes += stat?.size ?? 0;
    }
    return { ...summary, put, deleted, bytes };
  }

  #tellImported(summary: ImportSummary): void {
    this.#told = this.#archive.version;
    tellImported(this.#options.emit, summary, this.#archive);
  }

  /** Whether the folder is the one that was opened: of another, nothing must get into the archive. */
  #isThere(): boolean {
    const state = this.#folder.look();
    const { dir } = this.#archive.paths;
    if (state === "same") {
      if (this.#trouble?.startsWith("folder-") !== true) return true;
      this.#trouble = undefined;
      this.#watch.reopen();
      this.#warn("folder-back", `"${dir}" is back: its changes are followed again`);
      this.#watch.suspect();
      return false;
    }
    const what = state === "gone" ? "is gone" : "is another folder by now";
    this.#tellTrouble(
      `folder-${state}`,
      `"${dir}" ${what}, or its .dat is: changes are not followed until it is back`,
    );
    return false;
  }

  #ignores(relative: string): boolean {
    const rules = this.#rules;
    if (rules === undefined || relative === RULES) return false;
    const names = relative.split("/");
    for (let depth = 1; depth < names.length; depth++) {
      if (!rules.entersFolder(names.slice(0, depth).join("/"))) return true;
    }
    return rules.ignores(relative) && !rules.entersFolder(relative);
  }

  #tellUnwatched(reason: unknown): void {
    const { dir } = this.#archive.paths;
    this.#warn(
      "not-watched",
      `Cannot watch "${dir}" (${messageOf(reason)}): it is looked at every few seconds instead`,
    );
  }

  #tellTrouble(code: string, message: string): void {
    const trouble = `${code} ${message}`;
    if (this.#trouble === trouble) return;
    this.#trouble = trouble;
    this.#warn(code, message);
  }

  #warn(code: string, message: string): void {
    this.#options.emit({ event: "warning", code, message });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Say what an import did. */
export function tellImported(emit: Emit, summary: ImportSummary, { version }: Archive): void {
  const seconds = Math.round(summary.seconds * 1000) / 1000;
  emit({ event: "imported", ...summary, seconds, version });
}
