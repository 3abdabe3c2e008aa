/** Bringing a folder into its archive in this process, without a peer to serve it to. */
import { importFolder, type ImportSummary } from "../../src/app/import_folder.ts";
import { createArchive, openArchive } from "../../src/app/open_archive.ts";
import { archiveIn } from "../../src/app/archive_folder.ts";
import type { TestWorld } from "./test_world.ts";

/** Import a folder, making the archive if there is none. */
export async function importInto(
  dir: string,
  world: TestWorld,
  options: { history?: boolean } = {},
): Promise<ImportSummary> {
  using archive = archiveIn(dir) === undefined
    ? createArchive(dir, world, options)
    : openArchive(dir, { world, access: "write" });
  const { signal } = new AbortController();
  return await importFolder(archive, { world, emit: () => {}, signal });
}
