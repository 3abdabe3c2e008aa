/**
 * Mirroring for unattended jobs: clone or bring up to date, begin again while there is time, read
 * everything that is on disk and compare it with the signed tree, mend what is damaged, and report.
 * It ends well only if all of that did.
 */
import { equalBytes } from "../base/bytes.ts";
import {
  ForkError,
  IncompleteError,
  NoPeersError,
  NotFoundError,
  ObstacleError,
  ProofError,
  StorageError,
  TroveError,
  UsageError,
} from "../base/errors.ts";
import { count, formatBytes, formatSeconds } from "../base/format.ts";
import type { StopSignal } from "../base/world.ts";
import { formatLink, type Link } from "../crypto/link.ts";
import type { Receiver } from "../csp/channel.ts";
import { roomOn } from "../io/disk_room.ts";
import { delay } from "../io/pause.ts";
import { archiveIn, type ArchivePaths, readSmallFile } from "./archive_folder.ts";
import type { AuditProgress } from "./audit_archive.ts";
import { cloneArchive, type CloneOptions } from "./clone_archive.ts";
import type { Emit } from "./events.ts";
import { Retries } from "./mirror_retries.ts";
import { type MirrorReport, MirrorTally } from "./mirror_tally.ts";
import type { NameOptions } from "./names.ts";
import { randomOf } from "./peer_search.ts";
import type { PlanNeeds } from "./plan_needs.ts";
import { repairArchive } from "./repair_archive.ts";
import { resolveLinkOrName } from "./resolve_link.ts";
import { untilStopped } from "./stop_signals.ts";
import { type ArchiveAudit, isSound, type Problem, verifyInTurns } from "./verify_archive.ts";
import { readVersionNote } from "./version_notes.ts";

export type { MirrorChanges, MirrorReport } from "./mirror_tally.ts";

export interface MirrorOptions
  extends Omit<CloneOptions, "publicKey" | "live" | "admit" | "startedAt" | "exactVersion"> {
  /** A link, with or without a version, or a name. */
  readonly link: string;
  /** The version that the mirror has to end at, if the link does not say it. */
  readonly version?: number;
  readonly names?: NameOptions;
  /** Covers everything. */
  readonly timeoutMs: number;
  readonly signals: Receiver<StopSignal>;
  /** How far reading everything at the end has come. */
  readonly onProgress?: (progress: AuditProgress) => void;
}

/** How a run ended: well, or with a failure. */
export interface Mirrored {
  readonly report: MirrorReport;
  readonly failure?: unknown;
}

/** Room that has to stay beside what is fetched: for hashes and bits, and a little for others. */
const MARGIN_BYTES = 1024 * 1024;
const MARGIN_SHARE = 0.01;

/** Problems that are told one by one; how many there were is in the report. */
const MAX_TOLD = 20;

/** There is too little room, and so nothing was written. */
class NoRoomError extends StorageError {}

/** Mirror an archive. What goes wrong is in the result, so that there is a report in any case. */
export async function mirrorArchive(options: MirrorOptions): Promise<Mirrored> {
  return await new MirrorRun(options).run();
}

class MirrorRun {
  readonly #options: MirrorOptions;
  readonly #tally = new MirrorTally();
  readonly #retries: Retries;
  readonly #emit: Emit;
  /** What the last look at everything found wrong and could not mend. */
  #unmended: ProofError | undefined;

  constructor(options: MirrorOptions) {
    this.#options = options;
    const { world, timeoutMs } = options;
    const random = () => randomOf(world);
    this.#retries = new Retries({ clock: world.clock, timeoutMs, random });
    this.#emit = (event) => this.#tally.hear(event, options.emit);
  }

  async run(): Promise<Mirrored> {
    let failure: unknown;
    try {
      await this.#mirror();
    } catch (error) {
      failure = error;
    }
    const { dir, world, dryRun = false, emit } = this.#options;
    const seconds = Math.round(world.clock.monotonic() - this.#retries.startedAt) / 1000;
    const done = failure === undefined;
    const report = this.#tally.report({ dir, seconds, done, dryRun });
    if (!done) return { report, failure };
    if (!dryRun) emit({ event: "mirrored", ...report });
    return { report };
  }

  async #mirror(): Promise<void> {
    const { key, version } = await this.#resolve();
    const tally = this.#tally;
    tally.link = formatLink(key);
    tally.versionBefore = this.#versionHere(key);
    for (;;) {
      const bytes = tally.downloadedBytes;
      try {
        return await this.#attempt(key, version);
      } catch (error) {
        if (tally.downloadedBytes > bytes) this.#retries.progressed();
        await this.#pause(error);
      }
    }
  }

  /** The archive that is meant, and the version that it has to end at, if that was said. */
  async #resolve(): Promise<Link> {
    const { link, version } = this.#options;
    for (;;) {
      try {
        const found = await this.#untilStopped((signal) =>
          resolveLinkOrName(link, this.#options, signal)
        );
        const said = [version, found.version].filter((one) => one !== undefined);
        if (new Set(said).size <= 1) return { key: found.key, version: said[0] };
        throw new UsageError(
          `Cannot end at version ${said[0]}: the link asks for version ${said[1]}`,
          { hint: "say it once" },
        );
      } catch (error) {
        // Whoever could not be asked for a name may be there in a moment.
        await this.#pause(error, {
          passing: error instanceof TroveError && error.code === "failure",
        });
      }
    }
  }

  /** One attempt at all of it, from where the last one ended. */
  async #attempt(key: Uint8Array, exactVersion: number | undefined): Promise<void> {
    this.#tally.attempts++;
    const { timeoutMs, dryRun } = this.#options;
    const fetch = () =>
      cloneArchive({
        ...{ ...this.#options, emit: this.#emit, publicKey: key, exactVersion },
        ...{ timeoutMs, startedAt: this.#retries.startedAt },
        admit: (needs) => this.#admit(needs),
      });
    try {
      await fetch();
    } catch (error) {
      // It may be what lies here that is wrong.
      if (!mayBeDamage(error) || dryRun || !await this.#mendFirst(key)) throw error;
      await fetch();
    }
    if (!dryRun) await this.#verify(key);
  }

  /** Whether there was anything to mend. */
  async #mendFirst(key: Uint8Array): Promise<boolean> {
    const paths = this.#pathsOf(key);
    if (paths === undefined) return false;
    const audit = await this.#look(paths, key);
    if (isSound(audit)) return false;
    await this.#mend(audit, key);
    return true;
  }

  /** Read everything that is here, and mend it where need be. @throws {ProofError} If it cannot be. */
  async #verify(key: Uint8Array): Promise<void> {
    const paths = archiveIn(this.#options.dir)!;
    let audit = await this.#look(paths, key);
    if (!this.#isWhole(audit)) audit = await this.#mend(audit, key);
    this.#tally.verify(audit);
    this.#unmended = this.#isWhole(audit) ? undefined : unmendedError(audit);
    if (this.#unmended !== undefined) throw this.#unmended;
  }

  #look(paths: ArchivePaths, givenKey: Uint8Array): Promise<ArchiveAudit> {
    const { world } = this.#options;
    const onProgress = this.#onProgress;
    return this.#untilStopped((signal) =>
      verifyInTurns(paths, { world, givenKey, onProgress }, signal)
    );
  }

  /** Mend what can be mended from what is here and from peers. Gives what is found afterwards. */
  async #mend(audit: ArchiveAudit, givenKey: Uint8Array): Promise<ArchiveAudit> {
    const { world, peers, network, discovery, signals, keepLocal } = this.#options;
    const wrong = wrongOf(audit);
    for (const { message } of wrong.slice(0, MAX_TOLD)) {
      this.#emit({ event: "warning", code: "damaged", message });
    }
    const { after } = await repairArchive(audit.paths, {
      ...{ world, peers, network, discovery, signals, givenKey },
      timeoutMs: this.#retries.leftMs,
      // Bytes that no version has are of no use to anybody, unless somebody works here.
      discard: keepLocal !== true,
      keepLocal,
      dryRun: false,
      emit: this.#emit,
      onProgress: this.#onProgress,
    });
    const left = new Set(wrongOf(after).map(({ message }) => message));
    this.#tally.repair(wrong.filter(({ message }) => !left.has(message)));
    return after;
  }

  /** Whether everything that was asked for is here and right. */
  #isWhole(audit: ArchiveAudit): boolean {
    // What is not here and not damaged either is left so on purpose, or came to be so just now.
    return isSound(audit) && (this.#options.keepLocal || audit.fileFaults.length === 0);
  }

  readonly #onProgress = (progress: AuditProgress): void => {
    if (this.#retries.leftMs === 0) throw this.#retries.late("Cannot verify everything");
    this.#options.onProgress?.(progress);
  };

  /** @throws {NoRoomError} If what is to be fetched does not fit on the disk. */
  #admit(needs: PlanNeeds): void {
    this.#tally.plan(needs);
    const { dir, dryRun } = this.#options;
    if (dryRun || needs.bytes === 0) return;
    const room = roomOn(dir);
    if (room === undefined || needs.bytes * (1 + MARGIN_SHARE) + MARGIN_BYTES <= room) return;
    throw new NoRoomError(
      `Cannot fetch version ${needs.version} into "${dir}": the disk is too full, ` +
        `${formatBytes(needs.bytes)} and some more are needed and ${formatBytes(room)} are free`,
      { hint: "make room, or choose files with --select; nothing was fetched" },
    );
  }

  /** Wait before the next attempt. @throws The error, or what it comes to, if there is to be none. */
  async #pause(error: unknown, { passing }: { passing?: boolean } = {}): Promise<void> {
    const pauseMs = this.#options.stdio ? undefined : this.#retries.pauseAfter(error, passing);
    if (pauseMs === undefined) throw this.#lastOf(error);
    const { message } = error as TroveError;
    const again = `${message}. Beginning again in ${formatSeconds(pauseMs / 1000)}`;
    this.#emit({ event: "warning", code: "retry", message: again });
    await this.#untilStopped((signal) => delay(pauseMs, signal));
  }

  /** What a run ends with whose last attempt ended with that error. */
  #lastOf(error: unknown): unknown {
    // What is wrong here outweighs that nobody was there to mend it.
    const isPassing = error instanceof IncompleteError || error instanceof NoPeersError;
    if (isPassing && this.#unmended !== undefined) return this.#unmended;
    if (!(error instanceof NoPeersError) || !this.#tally.metAnyone) return error;
    return this.#retries.late("Cannot complete the archive", error);
  }

  /** @throws {InterruptedError} If a signal came meanwhile. */
  async #untilStopped<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    let result: T;
    await untilStopped(this.#options.signals, async (signal) => {
      result = await work(signal);
      signal.throwIfAborted(); // whoever wants to stop says so once
    });
    return result!;
  }

  /** Of the archive with that key, if it lies in the folder. */
  #pathsOf(key: Uint8Array): ArchivePaths | undefined {
    const paths = archiveIn(this.#options.dir);
    const stored = paths && readSmallFile(paths.feed("metadata", "key"));
    // A key that is cut off is damage; another one is another archive.
    const isOther = stored?.length === key.length && !equalBytes(stored, key);
    return isOther ? undefined : paths;
  }

  #versionHere(key: Uint8Array): number | undefined {
    const paths = this.#pathsOf(key);
    return paths && readVersionNote(paths, "synced");
  }
}

/** Whether an attempt may have failed because of what lies in the folder. */
function mayBeDamage(error: unknown): boolean {
  // What is damaged here may look like another history, or like nothing at all.
  if (error instanceof ProofError || error instanceof ForkError) return true;
  if (error instanceof NotFoundError) return true;
  if (error instanceof ObstacleError || error instanceof NoRoomError) return false;
  // What the system refused has its reason with it.
  return error instanceof StorageError && error.cause === undefined;
}

function wrongOf({ problems }: ArchiveAudit): Problem[] {
  return problems.filter(({ harmless }) => harmless !== true);
}

function unmendedError(audit: ArchiveAudit): ProofError {
  const wrong = wrongOf(audit);
  const { dir } = audit.paths;
  if (wrong.length === 0) {
    const missing = count(audit.fileFaults.length, "file");
    return new ProofError(`Cannot vouch for "${dir}": ${missing} of it changed meanwhile`);
  }
  const what = `${count(wrong.length, "problem")} left, the first: ${wrong[0].message}`;
  return new ProofError(`Cannot vouch for "${dir}": ${what}`, {
    hint: "trove verify lists them; run the same command again when a peer has what is missing",
  });
}
