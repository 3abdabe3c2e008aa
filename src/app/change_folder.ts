/**
 * Changes of single paths of an archive of one's own: in its folder, which is what holds the files, and
 * then in the archive.
 */
import { basename, dirname, join, resolve } from "node:path";
import { NotFoundError, StorageError, UsageError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import { archivePath } from "../core/archive/safe_path.ts";
import { lookAt } from "../io/folder.ts";
import { storageError } from "../io/handle_cache.ts";
import type { ArchivePaths } from "./archive_folder.ts";
import { ArchiveView } from "./archive_view.ts";
import type { Emit } from "./events.ts";
import { readIgnoreRules } from "./ignore_file.ts";
import { importFolder } from "./import_folder.ts";
import { tellImported } from "./live_import.ts";
import { locate, type Located } from "./locate.ts";
import { type Archive, openArchive } from "./open_archive.ts";

/** Where a file waits until all of it is there. */
const WAITING = "trove.put";

/** More than that has to come from a file. */
const MAX_INPUT_BYTES = 64 * 1024 * 1024;

export interface ChangeOptions {
  readonly world: World;
  /** The archive that the paths are of; see `locate`. */
  readonly dir?: string;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

/**
 * Put a file at a path, in place of what is there.
 *
 * @param file Where its bytes are; standard input if left out.
 * @throws {UsageError} If the archive is not one's own, or no file can be there.
 * @throws {LockedError} If another process has it open: that one takes in whatever is in the folder.
 */
export async function putFile(
  path: string,
  file: string | undefined,
  options: ChangeOptions,
): Promise<void> {
  const { world } = options;
  const place = locate(path, options);
  const input = file === undefined ? await world.stdin.readAll(MAX_INPUT_BYTES) : undefined;
  const source = file === undefined ? undefined : existingFile(resolve(world.cwd(), file));
  await change([place], options, ([target], archive) => {
    const waiting = join(archive.paths.dat, WAITING);
    if (source !== undefined) Deno.copyFileSync(source, waiting);
    else Deno.writeFileSync(waiting, input!);
    try {
      moveTo(waiting, target);
    } catch (error) {
      Deno.removeSync(waiting);
      throw error;
    }
  });
}

/**
 * Remove files, and with `recursive` folders with all that is in them.
 *
 * @throws {NotFoundError} If nothing is at one of the paths; then nothing is removed.
 */
export async function removePaths(
  paths: readonly string[],
  options: ChangeOptions & { readonly recursive: boolean },
): Promise<void> {
  const places = paths.map((path) => locate(path, options));
  await change(places, options, (targets, archive) => {
    const view = new ArchiveView(archive);
    for (const [i, target] of targets.entries()) {
      const { path } = places[i];
      const info = lookAt(target);
      const isKnown = view.find(path) !== undefined || (view.folder(path) ?? []).length > 0;
      if (info === undefined && !isKnown) throw nothingAt(target);
      if (info?.isDirectory && !options.recursive) {
        throw new UsageError(`Cannot remove "${target}": it is a folder`, {
          hint: "add -r to remove it with all that is in it",
        });
      }
    }
    for (const target of targets) {
      // What is gone already is only to be deleted from the archive.
      if (lookAt(target) !== undefined) Deno.removeSync(target, { recursive: options.recursive });
    }
  });
}

/** Have a file under another name as well. @throws As `putFile`. */
export async function copyPath(from: string, to: string, options: ChangeOptions): Promise<void> {
  await change(pair(from, to, options), options, ([source, target], archive) => {
    const waiting = join(archive.paths.dat, WAITING);
    Deno.copyFileSync(existingFile(source), waiting);
    moveTo(waiting, target);
  });
}

/** Give a file or a folder another name. @throws As `putFile`. */
export async function movePath(from: string, to: string, options: ChangeOptions): Promise<void> {
  await change(pair(from, to, options), options, ([source, target]) => {
    if (lookAt(source) === undefined) throw nothingAt(source);
    moveTo(source, target);
  });
}

function pair(from: string, to: string, options: ChangeOptions): [Located, Located] {
  const [source, target] = [locate(from, options), locate(to, options)];
  if (source.paths.dir === target.paths.dir) return [source, intoFolder(source, target)];
  throw new UsageError(`Cannot take "${from}" to another archive`, {
    hint: "copy the file, and share that folder again",
  });
}

/** Do something in the folder, then import just that. */
async function change(
  places: readonly Located[],
  { world, emit, signal }: ChangeOptions,
  act: (targets: string[], archive: Archive) => void,
): Promise<void> {
  const { paths } = places[0];
  const targets = places.map((place) => targetOf(place, paths));
  using archive = openArchive(paths.dir, { world, access: "write" });
  if (!archive.writable || !archive.hasWorkingFiles) {
    throw new UsageError(`Cannot change "${paths.dir}": the archive is not your own`, {
      hint: "changes of a clone stay in its folder; trove keys tells who can make others",
    });
  }
  try {
    act(targets, archive);
  } catch (error) {
    if (error instanceof UsageError || error instanceof NotFoundError) throw error;
    if (error instanceof StorageError) throw error;
    throw storageError(`Cannot change the folder "${paths.dir}"`, error);
  }
  const only = new Set(places.map(({ path }) => path.slice(1)));
  // What is named is meant, whether or not its name starts with a dot.
  const ignoreHidden = !places.some(({ path }) => path.includes("/."));
  const summary = await importFolder(archive, { world, emit, signal, only, ignoreHidden });
  tellImported(emit, summary, archive);
}

/** The place on disk of a path in the archive. */
function targetOf({ path, paths: { dir } }: Located, paths: ArchivePaths): string {
  if (dir !== paths.dir) {
    throw new UsageError(`Cannot change "${dir}" and "${paths.dir}" in one go`);
  }
  const names = path.slice(1).split("/");
  const named = path === "/" ? undefined : archivePath(names);
  if (named?.kind !== "named") {
    const why = named === undefined ? "it is the archive's folder" : `it ${named.reason}`;
    throw new UsageError(`Cannot change "${path}": ${why}`);
  }
  if (readIgnoreRules(dir, { ignoreHidden: false }).ignores(path.slice(1))) {
    throw new UsageError(`Cannot change "${path.slice(1)}": it is left out of the archive`, {
      hint: "see .datignore",
    });
  }
  return join(dir, ...names);
}

function existingFile(path: string): string {
  const info = lookAt(path);
  if (info === undefined) throw nothingAt(path);
  if (!info.isFile) throw new UsageError(`Cannot use "${path}": it is not a file`);
  return path;
}

function nothingAt(path: string): NotFoundError {
  return new NotFoundError(`Cannot find "${path}"`, { hint: "check the path" });
}

/** A folder that is there takes what comes under the same name. */
function intoFolder({ path: from }: Located, to: Located): Located {
  if (!lookAt(join(to.paths.dir, to.path.slice(1)))?.isDirectory) return to;
  return { ...to, path: `${to.path === "/" ? "" : to.path}/${basename(from)}` };
}

function moveTo(source: string, target: string): void {
  if (lookAt(target)?.isDirectory) {
    throw new UsageError(`Cannot put a file at "${target}": it is a folder`);
  }
  Deno.mkdirSync(dirname(target), { recursive: true });
  Deno.renameSync(source, target);
}
