/**
 * A version as a tar archive: what it says depends on the version alone, byte for byte.
 *
 * Entries are in the order of names, folder by folder; owners are 0, times are whole seconds. A name
 * that has no room in a plain header, or a time that has none, goes into a pax header. Source: POSIX
 * pax; spec of the drive, sections 6 to 8.
 */
import { type Pack, pack as packTar } from "tar-stream";
import { findClashes } from "../core/archive/clashes.ts";
import { kindOfMode } from "../core/archive/entry.ts";
import { safePath } from "../core/archive/safe_path.ts";
import type { WalkedFile } from "../core/archive/walk.ts";
import type { ArchiveView } from "./archive_view.ts";
import type { Emit } from "./events.ts";
import { Turns } from "./turns.ts";

/** Entries without permission bits get these. Source: hyperdrive falls back to the same. */
const DEFAULT_MODE = { file: 0o644, directory: 0o755 };

/** The packer counts seconds in 32 bits: later times go into a pax header. */
const MAX_SECONDS = 2 ** 31 - 1;

/** The largest size that eleven octal digits hold. */
const MAX_OCTAL_SIZE = 8 ** 11 - 1;

export interface ExportPlan {
  readonly view: ArchiveView;
  /** Files, and directories made on purpose, in the order in which they are written. */
  readonly entries: readonly WalkedFile[];
  /** Entries that cannot be written, each of which was warned about. */
  readonly refused: number;
  readonly files: number;
  /** Bytes of the files. */
  readonly bytes: number;
}

/**
 * What is in a version. Names that lead out of the folder somebody unpacks into are left out.
 *
 * @throws {IncompleteError} If the metadata is not complete.
 */
export function planExport(view: ArchiveView, emit: Emit): ExportPlan {
  let refused = 0;
  const refuse = (path: string, reason: string) => {
    refused++;
    emit({ event: "warning", code: "refused", message: `Cannot export "${path}": ${reason}` });
  };
  const walked: WalkedFile[] = [];
  for (const file of view.files()) {
    const { path, stat } = file;
    const safe = safePath(path);
    const kind = kindOfMode(stat.mode);
    if (safe.kind === "refused") refuse(path, `the path ${safe.reason}`);
    else if (kind === "other") refuse(path, "it is neither a file nor a folder");
    else if (kind === "file" && stat.blocks === 0 && stat.size > 0) {
      refuse(path, `it has ${stat.size} bytes and no blocks`);
    } else walked.push(file);
  }
  const files = walked.filter((file) => !isFolder(file)).map((file) => ({ path: file.path, file }));
  // A folder made on purpose is as good as a file in it. It gives way: it has nothing to lose.
  const insides = walked.filter(isFolder).map((file) => ({ path: `${file.path}/`, file }));
  const { clashes } = findClashes([...files, ...insides], { distinct: true });
  for (const { file: { file }, with: other } of clashes) {
    refuse(file.path, `"${other}" is in its way`);
  }
  const clashing = new Set(clashes.map(({ file: { file } }) => file));
  const entries = walked.filter((file) => !clashing.has(file));
  const kept = entries.filter((file) => !isFolder(file));
  const bytes = kept.reduce((sum, { stat }) => sum + stat.size, 0);
  return { view, entries, refused, files: kept.length, bytes };
}

export interface ExportRun {
  /** Aborted with the reason to throw. */
  readonly signal?: AbortSignal;
  /** Told of each entry before its bytes come. */
  readonly onEntry?: (entry: WalkedFile) => void;
}

/**
 * The bytes of the tar archive. Few blocks are in memory at a time, whatever the size of the files.
 *
 * @throws {NotFoundError} If a block is not here.
 * @throws {ProofError} If a block does not match the signed tree. What came before it is no whole
 *   archive then: its end is missing.
 */
export async function* tarOf(plan: ExportPlan, run: ExportRun = {}): AsyncGenerator<Uint8Array> {
  const pack = packTar();
  const packing = packAll(pack, plan, run);
  // Of an error hears who reads, below.
  packing.catch((error) => pack.destroy(error));
  try {
    for await (const bytes of pack) yield bytes as Uint8Array;
    await packing;
  } finally {
    // Nobody may read to the end.
    pack.destroy();
    await packing.catch(() => {});
  }
}

async function packAll(pack: Pack, { view, entries }: ExportPlan, run: ExportRun): Promise<void> {
  const turns = new Turns(run.signal);
  for (const entry of entries) {
    run.onEntry?.(entry);
    const done = Promise.withResolvers<void>();
    done.promise.catch(() => {}); // also when nobody waits any more
    const sink = pack.entry(
      headerOf(entry),
      (error) => error ? done.reject(error) : done.resolve(),
    );
    sink.on("error", done.reject);
    if (!isFolder(entry)) {
      for (const bytes of entry.stat.blocks === 0 ? [] : view.read(entry)) {
        if (!sink.write(bytes)) await Promise.race([drained(sink), done.promise]);
        await turns.take(bytes.length);
      }
      sink.end(null);
    }
    await done.promise;
    await turns.take();
  }
  pack.finalize();
}

function drained(sink: ReturnType<Pack["entry"]>): Promise<void> {
  return new Promise((resolve) => void sink.once("drain", resolve));
}

function headerOf({ path, stat }: WalkedFile) {
  const folder = kindOfMode(stat.mode) === "directory";
  const seconds = Math.floor(stat.mtime / 1000);
  const size = folder ? 0 : stat.size;
  const pax: Record<string, string> = {};
  if (seconds > MAX_SECONDS) pax.mtime = String(seconds);
  if (size > MAX_OCTAL_SIZE) pax.size = String(size);
  return {
    name: folder ? `${path.slice(1)}/` : path.slice(1),
    type: folder ? "directory" as const : "file" as const,
    mode: (stat.mode & 0o777) || (folder ? DEFAULT_MODE.directory : DEFAULT_MODE.file),
    ...{ size, uid: 0, gid: 0, uname: "", gname: "" },
    mtime: new Date(1000 * Math.min(seconds, MAX_SECONDS)),
    pax: Object.keys(pax).length > 0 ? pax : undefined,
  };
}

function isFolder({ stat }: WalkedFile): boolean {
  return kindOfMode(stat.mode) === "directory";
}
