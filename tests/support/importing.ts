/** Importing folders in tests: a folder of its own, a world of its own, and what an import said. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import type { TroveEvent } from "../../src/app/events.ts";
import {
  importFolder,
  type ImportOptions,
  type ImportSummary,
} from "../../src/app/import_folder.ts";
import { type Archive, createArchive, openArchive } from "../../src/app/open_archive.ts";
import { readHistory } from "../../src/core/archive/lookup.ts";
import { runItems } from "../../src/core/archive/steps.ts";
import { walkFiles } from "../../src/core/archive/walk.ts";
import { type TempFolder, tempFolder } from "./temp.ts";
import { TestWorld } from "./test_world.ts";
import { writeRandomFile } from "./trees.ts";

export interface Imported extends Omit<ImportSummary, "seconds"> {
  /** The newest version after the import. */
  readonly version: number;
  /** The entries that the import made, as `put /path` and `del /path`. */
  readonly entries: readonly string[];
  readonly warnings: readonly string[];
}

export interface Options extends Partial<Pick<ImportOptions, "ignoreHidden" | "reuseContent">> {
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: TroveEvent) => void;
  /** A new archive keeps every version. */
  readonly history?: boolean;
}

export async function importInto(
  archive: Archive,
  world: TestWorld,
  { signal = new AbortController().signal, onEvent, ...options }: Options = {},
): Promise<Imported> {
  const before = archive.version;
  const warnings: string[] = [];
  const { seconds, ...summary } = await importFolder(archive, {
    ...options,
    world,
    signal,
    emit: (event) => {
      if (event.event === "warning") warnings.push(event.message);
      onEvent?.(event);
    },
  });
  assert.ok(seconds >= 0);
  const { version } = archive;
  return { ...summary, version, entries: entriesAfter(archive, before), warnings };
}

function entriesAfter(archive: Archive, version: number): string[] {
  const history = runItems(readHistory(version + 1, archive.version), archive.entry);
  return [...history].map(({ type, path }) => `${type} ${path}`);
}

/** Import into the archive of a folder, which is made if there is none. */
export async function importDir(
  dir: string,
  world: TestWorld,
  options?: Options,
): Promise<Imported> {
  const has = [...Deno.readDirSync(dir)].some((entry) => entry.name === ".dat");
  using archive = has
    ? openArchive(dir, { world, access: "write" })
    : createArchive(dir, world, options);
  return await importInto(archive, world, options);
}

/** Write a file, folders included; its time is that of the world's clock. */
export function put(dir: string, path: string, content: string | number, world?: TestWorld): void {
  const target = join(dir, path);
  Deno.mkdirSync(dirname(target), { recursive: true });
  if (typeof content === "number") writeRandomFile(target, content, path);
  else Deno.writeTextFileSync(target, content);
  if (world !== undefined) touch(target, world);
}

export function touch(target: string, world: TestWorld): void {
  const time = new Date(world.clock.wallMs);
  Deno.utimeSync(target, time, time);
}

/** Let a minute pass, so that what is written then is later than an import before. */
export function later(world: TestWorld): void {
  world.clock.wallMs += 60_000;
}

/** The paths that are live, with their sizes. */
export function liveFiles(archive: Archive): Record<string, number> {
  return Object.fromEntries(
    [...runItems(walkFiles(archive.version), archive.entry)].map((
      { path, stat },
    ) => [path, stat.size]),
  );
}

export interface Place {
  readonly temp: TempFolder;
  readonly world: TestWorld;
  readonly dir: string;
}

/** A test with a folder of its own, named `folder`, and the world of its owner. */
export function testIn(name: string, body: (place: Place) => Promise<void> | void): void {
  Deno.test(name, async () => {
    using temp = tempFolder();
    await body({ temp, world: new TestWorld(temp), dir: temp.folder("folder") });
  });
}
