/** What a mirror run counts, over all of its attempts, and what is reported of it in the end. */
import type { Emit, TroveEvent } from "./events.ts";
import type { PlannedChange, PlanNeeds } from "./plan_needs.ts";
import type { ArchiveAudit, Problem } from "./verify_archive.ts";

/** Paths that a report names at most; the counts are of all. */
export const MAX_NAMED = 1000;

/** Addresses of peers that are counted. */
const MAX_PEERS = 100_000;

/** Files that became others than before the run. */
export interface MirrorChanges {
  readonly added: number;
  readonly changed: number;
  readonly deleted: number;
  /** The first of them, in the order of their paths, up to `MAX_NAMED`. */
  readonly list: readonly PlannedChange[];
}

/** What became of a run. Times in seconds. */
export interface MirrorReport {
  /** `dat://` and 64 hex digits; absent if the name that was given could not be looked up. */
  readonly link?: string;
  readonly dir: string;
  /** The version whose files were all here before; absent if none was. */
  readonly versionBefore?: number;
  /** The version that is here now; absent if the run did not get so far. */
  readonly version?: number;
  /** Of that version: files, and their bytes. */
  readonly files?: number;
  readonly bytes?: number;
  /** Done; where the run failed, or only looked, this is absent and `planned` says what was to be. */
  readonly changed?: MirrorChanges;
  readonly planned?: MirrorChanges;
  /** Things that were damaged and are right again, and the first files among them. */
  readonly repaired: number;
  readonly repairedFiles: readonly string[];
  /** Files left as the user has them. */
  readonly kept?: number;
  /** Where every version is kept: content blocks of older ones that no peer has. */
  readonly missingBlocks?: number;
  /** Of verified blocks, what came over the network. */
  readonly downloadedBytes: number;
  readonly seconds: number;
  /** Addresses of peers that were met. */
  readonly peers: number;
  /** How often it was begun. */
  readonly attempts: number;
  /** Blocks on disk that were read at the end and compared with the signed tree. */
  readonly verifiedBlocks?: number;
  readonly dryRun?: true;
}

export class MirrorTally {
  attempts = 0;
  link: string | undefined;
  versionBefore: number | undefined;
  downloadedBytes = 0;
  readonly #peers = new Set<string>();
  readonly #changes = new Map<string, PlannedChange["type"]>();
  #repaired = 0;
  readonly #repairedFiles = new Set<string>();
  #planned = false;
  #synced: Extract<TroveEvent, { event: "synced" }> | undefined;
  #audit: ArchiveAudit | undefined;
  #announced = false;

  get metAnyone(): boolean {
    return this.#peers.size > 0;
  }

  /** Count what an event tells, and hand on what was not told by an attempt before. */
  hear(event: TroveEvent, emit: Emit): void {
    switch (event.event) {
      case "archive":
        if (this.#announced) return;
        this.#announced = true;
        break;
      case "block":
        this.downloadedBytes += event.bytes;
        break;
      case "peer":
        if (event.state === "connected" && this.#peers.size < MAX_PEERS) {
          this.#peers.add(event.address);
        }
        break;
      case "synced":
        this.#synced = event;
        break;
    }
    emit(event);
  }

  /** A version is about to be checked out. */
  plan({ changes }: PlanNeeds): void {
    this.#planned = true;
    for (const { type, path } of changes) {
      const before = this.#changes.get(path);
      if (before === undefined) this.#changes.set(path, type);
      else if (before === "added" && type === "deleted") this.#changes.delete(path);
      else if (before === "deleted" && type !== "deleted") this.#changes.set(path, "changed");
      else if (before === "changed" && type === "deleted") this.#changes.set(path, "deleted");
    }
  }

  /** What was damaged is right again. */
  repair(problems: readonly Problem[]): void {
    this.#repaired += problems.length;
    for (const { kind, path } of problems) {
      if (kind === "file" && path !== undefined) this.#repairedFiles.add(path);
    }
  }

  /** What was found when everything was read. */
  verify(audit: ArchiveAudit): void {
    this.#audit = audit;
  }

  /** @param options.done Whether everything ended well. */
  report(
    options: { dir: string; seconds: number; done: boolean; dryRun: boolean },
  ): MirrorReport {
    const { dir, seconds, done, dryRun } = options;
    const changes = this.#planned || done ? this.#changesOf() : undefined;
    const isDone = done && !dryRun;
    const repairedFiles = [...this.#repairedFiles].sort().slice(0, MAX_NAMED);
    const { kept, missingBlocks } = this.#synced ?? {};
    const { metadata, content } = this.#audit ?? {};
    return {
      link: this.link,
      dir,
      versionBefore: this.versionBefore,
      version: this.#audit?.version ?? this.#synced?.version,
      files: this.#synced?.files,
      bytes: this.#synced?.bytes,
      changed: isDone ? changes : undefined,
      planned: isDone ? undefined : changes,
      repaired: this.#repaired,
      repairedFiles,
      kept,
      missingBlocks,
      downloadedBytes: this.downloadedBytes,
      seconds,
      peers: this.#peers.size,
      attempts: this.attempts,
      verifiedBlocks: metadata && metadata.counts.blocks + (content?.counts.blocks ?? 0),
      dryRun: dryRun || undefined,
    };
  }

  #changesOf(): MirrorChanges {
    const count = { added: 0, changed: 0, deleted: 0 };
    for (const type of this.#changes.values()) count[type]++;
    const list = [...this.#changes].map(([path, type]) => ({ type, path }))
      .sort((a, b) => a.path < b.path ? -1 : 1).slice(0, MAX_NAMED);
    return { ...count, list };
  }
}
