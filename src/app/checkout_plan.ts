/**
 * What a version needs on disk: its live files and folders with their places, without those that
 * cannot be written. Source: spec of the drive, section 8.
 */
import { join, sep } from "node:path";
import { type Range, RangeSet } from "../base/ranges.ts";
import { findClashes } from "../core/archive/clashes.ts";
import { type FileKind, kindOfMode } from "../core/archive/entry.ts";
import { safePath } from "../core/archive/safe_path.ts";
import type { Selection, SelectionRules } from "../core/archive/selection.ts";
import { runItems } from "../core/archive/steps.ts";
import { type WalkedFile, walkFiles } from "../core/archive/walk.ts";
import type { ContentFile } from "../io/content_files.ts";
import { lookAt } from "../io/folder.ts";
import type { Emit } from "./events.ts";
import type { FollowedVersion } from "./followed_version.ts";
import type { Archive } from "./open_archive.ts";
import { PackedFiles } from "./packed_files.ts";
import type { PlanNeeds } from "./plan_needs.ts";

/**
 * Bytes of a path on disk that the system takes. Source: `PATH_MAX` of Linux and macOS, without the
 * zero at the end; Windows takes long ones through the prefix that Deno gives them.
 */
const MAX_TARGET_BYTES = { linux: 4095, darwin: 1023 }[Deno.build.os as string] ?? 32_000;

const utf8 = new TextEncoder();

function isTooLong(target: string): boolean {
  // A code unit takes one to three bytes: most paths need no encoding.
  if (target.length * 3 <= MAX_TARGET_BYTES) return false;
  return utf8.encode(target).length > MAX_TARGET_BYTES;
}

/** A live path of the version, with its place on disk. */
export interface PlannedFile extends ContentFile {
  /** As the archive has it. */
  readonly path: string;
  /** The entry that put it. */
  readonly seq: number;
}

/** What a version has, as far as it can be written. */
export interface VersionFiles {
  readonly version: number;
  /** Files that have content. */
  readonly files: readonly PlannedFile[];
  readonly emptyFiles: readonly PlannedFile[];
  /** Directories made on purpose. */
  readonly folders: readonly PlannedFile[];
  /** Entries that cannot be written, each of which was warned about. */
  readonly refused: number;
  /** Files with their places that are not selected: what is here of them stays as it is. */
  readonly unselected: readonly PlannedFile[];
}

/**
 * What it takes to bring a folder to a version. Files that are left to the user are not in it; where
 * a version is followed, nor are those that are in place.
 */
export interface CheckoutPlan extends VersionFiles {
  /** Those of `files` that are not complete under their names. */
  readonly toPlace: readonly PlannedFile[];
  /** Files that the user changed or deleted, and that are left so. */
  readonly kept: number;
  /** Content blocks of the version's files. */
  readonly ranges: readonly Range[];
  /** Content blocks of `toPlace`. */
  readonly wanted: readonly Range[];
  /** Files of the version that are not left to the user, and their bytes. */
  readonly total: number;
  readonly bytes: number;
  /** Whether the selection leaves anything out, or may do so in another version. */
  readonly partial: boolean;
  /** What the folder has with that plan, if it is followed. */
  readonly followed?: FollowedVersion;
}

/** How a download treats what the user did in the folder, and what the archive deleted. */
export interface DownloadChoices {
  /** Which files to have from now on; if left out, those that were selected before. */
  readonly selection?: SelectionRules;
  /** Replace files in the way that are not the archive's. */
  readonly overwrite?: boolean;
  /** Leave files that were changed or deleted here as they are. */
  readonly keepLocal?: boolean;
  /** Leave files on disk that the archive deleted. */
  readonly keepDeleted?: boolean;
  /** Refuse to delete more files than that. */
  readonly maxDelete?: number;
  /** Tell what would change, and change nothing. */
  readonly dryRun?: boolean;
  /**
   * Asked before anything is changed or fetched for a plan; throws to refuse it. What a live job
   * changes after its first plan may go unasked.
   */
  readonly admit?: (needs: PlanNeeds) => void;
}

/** What to plan, if not all of the newest version in the archive's own folder. */
export interface PlanScope {
  readonly version?: number;
  /** Those files and folders of the version that are wanted. */
  readonly files?: Iterable<WalkedFile>;
  /** The folder to write into. */
  readonly dir?: string;
  /** Which of the files are wanted; all if left out. */
  readonly selection?: Selection;
}

/**
 * The plan for a version, the newest one that is here unless said otherwise. Warns of each entry that
 * cannot be written.
 */
export function planFiles(archive: Archive, emit: Emit, scope: PlanScope = {}): VersionFiles {
  const { version = archive.version, dir = archive.paths.dir, selection } = scope;
  const hidden: WalkedFile[] = [];
  const walk = () => walkFiles(version, (file) => hidden.push(file));
  const walked = scope.files ?? runItems(walk(), archive.entry);
  const aliases = new DatAliases(dir, join(dir, ".dat"));
  // What somebody chose is seldom much, and may be taken apart.
  const packed = new PackedFiles(dir);
  const files: PlannedFile[] = [];
  const folders: PlannedFile[] = [];
  const unselected: PlannedFile[] = [];
  let refused = 0;
  const refuse = (path: string, reason: string) => {
    refused++;
    emit({ event: "warning", code: "refused", message: `Cannot write "${path}": ${reason}` });
  };
  const isSelected = (path: string, kind: FileKind) =>
    selection === undefined || selection.selects(path, { folder: kind === "directory" });
  // Put together by hand: the components are safe, so there is nothing to resolve.
  const inside = join(dir, "x").slice(0, -1);
  const targetOf = (components: readonly string[]) => inside + components.join(sep);
  for (const { path, stat, seq } of walked) {
    const safe = safePath(path, { windows: Deno.build.os === "windows" });
    const kind = kindOfMode(stat.mode);
    if (!isSelected(path, kind)) {
      // Nothing is written for it, so nobody need hear what is wrong with it.
      if (safe.kind === "refused" || kind !== "file") continue;
      unselected.push({ path, seq, target: targetOf(safe.components), ...stat });
    } else if (safe.kind === "refused") refuse(path, `the path ${safe.reason}`);
    else if (aliases.has(safe.components[0])) refuse(path, "the path would be written into .dat");
    else if (isTooLong(targetOf(safe.components))) {
      refuse(path, `with its folder it has more than ${MAX_TARGET_BYTES} bytes`);
    } else if (kind === "other") refuse(path, "it is neither a file nor a folder");
    else if (kind === "file" && stat.blocks === 0 && stat.size > 0) {
      refuse(path, `it has ${stat.size} bytes and no blocks`);
    } else {
      const isPacked = kind === "file" && scope.files === undefined;
      const file = isPacked
        ? packed.add({ path, seq, stat })
        : { path, seq, target: targetOf(safe.components), ...stat };
      if (kind === "directory") folders.push(file);
      else files.push(file);
    }
  }
  for (const { path, stat } of hidden) {
    // A folder made on purpose is there anyway, for what is in it.
    const kind = kindOfMode(stat.mode);
    if (kind !== "directory" && isSelected(path, kind)) refuse(path, "there is something below it");
  }
  // A folder made on purpose is as good as a file in it. It gives way: it has nothing to lose.
  packed.seal();
  const insides = folders.map((folder) => ({ ...folder, path: `${folder.path}/`, folder }));
  const all: readonly (PlannedFile & { folder?: PlannedFile })[] = insides.length > 0
    ? [...files, ...insides]
    : files;
  const { kept: fitted, clashes } = findClashes(all, { foldNames: foldsNames(), distinct: true });
  for (const { file, with: other } of clashes) {
    refuse(file.folder?.path ?? file.path, `"${other}" is in its way`);
  }
  const kept = fitted.filter((file) => file.folder === undefined);
  const fitting = dropOverlaps(kept.filter((file) => file.blocks > 0), refuse);
  return {
    version,
    files: fitting,
    emptyFiles: kept.filter((file) => file.blocks === 0),
    folders: fitted.flatMap((file) => file.folder ?? []),
    refused,
    unselected,
  };
}

/** The content blocks of files. */
export function rangesOf(files: readonly PlannedFile[]): RangeSet {
  const ranges = new RangeSet();
  for (const { offset, blocks } of files) ranges.add(offset, offset + blocks);
  return ranges;
}

/** One past the last content block that any entry names. */
export function contentEnd({ version, entry }: Archive): number {
  let end = 0;
  for (let seq = 1; seq <= version; seq++) {
    const stat = entry(seq)?.stat;
    if (stat !== undefined) end = Math.max(end, stat.offset + stat.blocks);
  }
  return end;
}

/** Which names at the top of a folder lead to its `.dat`, whatever they look like. */
class DatAliases {
  readonly #dir: string;
  readonly #dat: Deno.FileInfo | undefined;
  readonly #known = new Map<string, boolean>();

  constructor(dir: string, dat: string) {
    this.#dir = dir;
    this.#dat = lookAt(dat);
  }

  /** A file system may have names that no list knows: the file's number tells. */
  has(name: string): boolean {
    let answer = this.#known.get(name);
    if (answer === undefined) {
      const info = lookAt(join(this.#dir, name));
      answer = info !== undefined && info.isDirectory && info.ino !== null &&
        info.ino === this.#dat?.ino && info.dev === this.#dat.dev;
      this.#known.set(name, answer);
    }
    return answer;
  }
}

/** Whether names that differ in case only are one on this system. */
export function foldsNames(): boolean {
  return Deno.build.os === "windows" || Deno.build.os === "darwin";
}

/** Two files may have the same blocks; sharing only some of them is nonsense. */
export function dropOverlaps(
  files: readonly PlannedFile[],
  refuse: (path: string, reason: string) => void,
): readonly PlannedFile[] {
  const overlapping = new Set<PlannedFile>();
  let last: PlannedFile | undefined;
  const isSorted = files.every(({ offset }, n) => n === 0 || files[n - 1].offset <= offset);
  const sorted = isSorted ? files : files.toSorted((a, b) => a.offset - b.offset);
  for (const file of sorted) {
    const same = last !== undefined && last.offset === file.offset &&
      last.blocks === file.blocks && last.byteOffset === file.byteOffset && last.size === file.size;
    if (last === undefined || same || file.offset >= last.offset + last.blocks) {
      last = file;
    } else {
      overlapping.add(file);
      refuse(file.path, `its content overlaps that of "${last.path}"`);
    }
  }
  return overlapping.size === 0 ? sorted : sorted.filter((file) => !overlapping.has(file));
}
