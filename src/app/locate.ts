/** From what a person types as a path to an archive and a path in it. */
import { relative, resolve } from "node:path";
import { NotFoundError, UsageError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import { normalizePath } from "../core/archive/tree_path.ts";
import {
  type ArchivePaths,
  findArchive,
  type FolderKind,
  inspectFolder,
} from "./archive_folder.ts";

export interface Located {
  readonly paths: ArchivePaths;
  /** In the archive: begins with a slash. */
  readonly path: string;
}

/**
 * Where a path is meant. With `dir`, in the archive that folder is in, from its top. Without, as in
 * any shell: the archive is found from the path upwards. A path with a leading slash that no
 * archive holds on disk is one of the archive that the current folder is in.
 *
 * @throws {NotFoundError} If there is no archive.
 */
export function locate(text: string, options: { world: World; dir?: string }): Located {
  const { world, dir } = options;
  if (dir !== undefined) {
    return { paths: locateArchive(dir, world), path: normalizePath(text) };
  }
  const place = resolve(world.cwd(), text);
  try {
    const paths = findArchive(place);
    return { paths, path: normalizePath(relative(paths.dir, place)) };
  } catch (error) {
    if (!(error instanceof NotFoundError) || !text.startsWith("/")) throw error;
    return { paths: findArchive(world.cwd()), path: normalizePath(text) };
  }
}

/** What a person means by a path, where it may mean something else; nothing is wrong with a file. */
export function folderKind(text: string, world: World): FolderKind | "file" {
  try {
    return inspectFolder(resolve(world.cwd(), text));
  } catch (error) {
    if (error instanceof UsageError) return "file";
    throw error;
  }
}

/**
 * The archive that a folder is in; the current folder if none is named.
 *
 * @throws {NotFoundError} If there is no archive, or no such folder.
 * @throws {UsageError} If it is a file, or an archive of a kind that is not understood.
 */
export function locateArchive(dir: string | undefined, world: World): ArchivePaths {
  const place = resolve(world.cwd(), dir ?? ".");
  // A folder that was typed wrong must not stand for the archive that it would be in.
  if (inspectFolder(place) === "missing") {
    throw new NotFoundError(`Cannot find an archive in "${place}": there is no such folder`, {
      hint: "check the path",
    });
  }
  return findArchive(place);
}
