/** Taking away what an archive keeps beside the files; the files and the secret key stay. */
import { UsageError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import { storageError } from "../io/handle_cache.ts";
import { locateArchive } from "./locate.ts";
import { openArchive } from "./open_archive.ts";

/** An archive that may be purged: nobody else has it open. */
export interface Purgeable {
  readonly dir: string;
  /** What would go. */
  readonly dat: string;
  readonly link: string;
  /** Whether it is this user's own. */
  readonly owned: boolean;
}

/**
 * @throws {UsageError} If the archive has no folder of its own beside the files.
 * @throws {LockedError} If somebody has it open.
 */
export function lookBeforePurge(dir: string | undefined, world: World): Purgeable {
  const paths = locateArchive(dir, world);
  if (paths.layout !== "dat") {
    throw new UsageError(`Cannot purge "${paths.dir}": its feeds lie among other files`, {
      hint: "remove the folder itself",
    });
  }
  using archive = openArchive(paths.dir, { world, access: "write" });
  return { dir: paths.dir, dat: paths.dat, link: archive.link, owned: archive.owned };
}

/** @throws {StorageError} If something of it cannot be removed. */
export function purge({ dat }: Purgeable): void {
  try {
    Deno.removeSync(dat, { recursive: true });
  } catch (error) {
    throw storageError(`Cannot remove "${dat}"`, error);
  }
}
