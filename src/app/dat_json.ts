/**
 * `dat.json`, the file in which an archive tells its title and what it is about. Source: spec of the
 * drive, section 13.
 */
import { join } from "node:path";
import { toUtf8 } from "../base/bytes.ts";
import { StorageError, UsageError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import { FolderTable } from "../core/archive/folder_table.ts";
import { runLookup } from "../core/archive/steps.ts";
import { FileReader } from "../io/file_blocks.ts";
import { lookAt } from "../io/folder.ts";
import { readSmallFile, writeSmallFile } from "./archive_folder.ts";
import type { Archive } from "./open_archive.ts";

export const DAT_JSON = "dat.json";

/** Nobody writes more into it, and everything that reads it reads all of it. */
const MAX_BYTES = 1024 * 1024;

const REGULAR_FILE = 0o100000;

/** What people say about an archive; either may be empty. */
export interface Description {
  readonly title: string;
  readonly description: string;
}

/**
 * The `dat.json` of a folder; undefined if there is none.
 *
 * @throws {UsageError} If it cannot be understood: it would be lost if it was written anew.
 */
export function readDatJson(dir: string): Readonly<Record<string, unknown>> | undefined {
  const path = join(dir, DAT_JSON);
  const info = lookAt(path);
  if (info === undefined) return undefined;
  const refuse = (reason: string, cause?: unknown) =>
    new UsageError(`Cannot use "${path}": ${reason}`, {
      cause,
      hint: "mend it or move it away first",
    });
  if (!info.isFile) throw refuse("it is not a regular file");
  if (info.size > MAX_BYTES) throw refuse(`it has ${info.size} bytes, not at most ${MAX_BYTES}`);
  let fields: unknown;
  try {
    fields = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(readSmallFile(path)));
  } catch (error) {
    if (error instanceof StorageError) throw error;
    throw refuse("it is not JSON", error);
  }
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) {
    throw refuse("it is not a JSON object");
  }
  return fields as Record<string, unknown>;
}

/**
 * Write the `dat.json` of an archive that was just created, and put it as one entry. Other fields
 * that are there already stay.
 *
 * @throws {UsageError} As `readDatJson`.
 * @throws {StorageError}
 */
export async function putDatJson(
  archive: Archive,
  { title, description }: Description,
  options: { world: World },
): Promise<void> {
  const { dir } = archive.paths;
  // In this order, and nothing for an empty text, as dat has it.
  const told = { title: title || null, description: description || null, url: archive.link };
  const text = JSON.stringify({ ...told, ...readDatJson(dir), ...told }, null, 2);
  writeSmallFile(join(dir, DAT_JSON), toUtf8(text), { mode: 0o644 });
  await putFile(archive, DAT_JSON, options.world);
}

/** Put one file of the folder as the newest entry. */
async function putFile(archive: Archive, name: string, world: World): Promise<void> {
  const target = join(archive.paths.dir, name);
  const { metadata } = archive;
  const content = archive.openContent();
  const keepBlocks = archive.keepsHistory;
  const read = await new FileReader().read(target, { keepBlocks, onBytes: () => {} });
  const info = lookAt(target);
  if (!read.stable || info === undefined) {
    throw new StorageError(`Cannot put "${target}": it changed while it was read`);
  }
  // An import leaves it alone as long as its file time is not later than that of its entry.
  const mtime = info.mtime?.getTime() ?? Math.floor(world.clock.wall());
  const stat = {
    ...{ mode: info.mode ?? (REGULAR_FILE | 0o644), uid: 0, gid: 0 },
    ...{ size: read.size, blocks: read.leaves.length },
    ...{ offset: content.length, byteOffset: content.byteLength, mtime, ctime: mtime },
  };
  const table = runLookup(FolderTable.load(archive.version), archive.entry);
  const entry = table.put(`/${name}`, stat, metadata.length);
  if (keepBlocks) content.append(read.blocks);
  else content.appendLeaves(read.leaves);
  content.commit({ durable: true });
  metadata.append([entry]);
  metadata.commit({ durable: true });
}
