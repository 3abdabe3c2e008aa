/** Archives to be damaged: made once, read in full, and brought back to what they were. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { ArchiveView } from "../../src/app/archive_view.ts";
import { openArchive } from "../../src/app/open_archive.ts";
import type { FeedStore } from "../../src/io/feed_store.ts";
import { importInto } from "./imported.ts";
import type { TempFolder } from "./temp.ts";
import { runIn, type Shared, shareIn, TestWorld } from "./test_world.ts";
import { type FilePlan, writeTree } from "./trees.ts";

const KIB = 1024;

/** Twenty files, a few of them of several blocks. */
const FILES: readonly FilePlan[] = [
  { path: "numbers.bin", size: 150 * KIB },
  { path: "photos/one.jpg", size: 70 * KIB },
  { path: "photos/two.jpg", size: 64 * KIB },
  { path: "empty", size: 0 },
  ...Array.from({ length: 16 }, (_, n) => ({
    path: `${["notes", "notes/old", "papers"][n % 3]}/file-${n}.txt`,
    size: 40 + 97 * n,
  })),
];

/** One file of a folder, as it was before anything happened to it. */
export interface Kept {
  readonly bytes: Uint8Array;
  readonly mtime: Date;
  readonly mode: number;
}

/** A folder that can be brought back to what it was. */
export class Snapshot {
  readonly #dir: string;
  readonly files = new Map<string, Kept>();

  constructor(dir: string) {
    this.#dir = dir;
    for (const path of listFiles(dir)) {
      const { mtime, mode } = Deno.statSync(join(dir, path));
      const bytes = Deno.readFileSync(join(dir, path));
      this.files.set(path, { bytes, mtime: mtime!, mode: mode! & 0o777 });
    }
  }

  restore(): void {
    for (const path of listFiles(this.#dir)) {
      if (!this.files.has(path)) Deno.removeSync(join(this.#dir, path));
    }
    try {
      Deno.removeSync(join(this.#dir, ".dat", "trove.kept"), { recursive: true });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    for (const [path, kept] of this.files) {
      const target = join(this.#dir, path);
      if (isSame(target, kept)) continue;
      this.write(path, kept.bytes);
    }
  }

  /** Write a file and give it the time it had: damage does not change that. */
  write(path: string, bytes: Uint8Array): void {
    const { mtime, mode } = this.files.get(path)!;
    const target = join(this.#dir, path);
    Deno.writeFileSync(target, bytes);
    Deno.chmodSync(target, mode);
    Deno.utimeSync(target, mtime, mtime);
  }
}

function isSame(path: string, { bytes, mtime }: Kept): boolean {
  try {
    const info = Deno.statSync(path);
    if (info.size !== bytes.length || info.mtime!.getTime() !== mtime.getTime()) return false;
    const found = Deno.readFileSync(path);
    return found.every((byte, at) => byte === bytes[at]);
  } catch {
    return false;
  }
}

/** Every file below a folder, but what repairs kept. */
function listFiles(dir: string, below = ""): string[] {
  const found: string[] = [];
  for (const { name, isDirectory } of Deno.readDirSync(join(dir, below))) {
    const path = join(below, name);
    if (path === join(".dat", "trove.kept")) continue;
    if (isDirectory) found.push(...listFiles(dir, path));
    else found.push(path);
  }
  return found.sort();
}

/** Everything that the archive's public interfaces give, one line for each thing. */
export function readAll(dir: string, world: TestWorld): Map<string, string> {
  const lines = new Map<string, string>();
  const note = (name: string, value: unknown) => lines.set(name, JSON.stringify(value));
  using archive = openArchive(dir, { world, access: "read" });
  note("link", archive.link);
  note("owned", archive.owned);
  note("version", archive.version);
  for (let version = 1; version <= archive.version; version++) {
    note(`version ${version}`, [...new ArchiveView(archive, version).files()]);
  }
  const view = new ArchiveView(archive);
  for (const file of view.files()) {
    note(`file ${file.path}`, [...view.read(file)].map(digest));
  }
  for (
    const [name, feed] of Object.entries({ metadata: archive.metadata, content: archive.content })
  ) {
    if (feed !== undefined) readFeed(name, feed, note);
  }
  return lines;
}

function readFeed(name: string, feed: FeedStore, note: (name: string, value: unknown) => void) {
  note(`${name} length`, [feed.length, feed.byteLength, feed.countHeld(0, 10_000)]);
  for (let block = 0; block < feed.length; block++) {
    const bytes = feed.readMatching(block);
    note(`${name} block ${block}`, [feed.hasBlock(block), bytes && digest(bytes)]);
    note(`${name} signature ${block + 1}`, feed.signature(block + 1)?.toHex());
  }
  for (let index = 0; index < 2 * feed.length; index++) {
    const node = feed.node(index);
    note(`${name} node ${index}`, node && [node.hash.toHex(), node.size]);
  }
}

export function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** An archive of several versions, a clone of it, and another clone that serves it. */
export interface PreparedArchives {
  readonly owner: string;
  readonly clone: string;
  /** The owner's and the clone's. */
  readonly worlds: readonly TestWorld[];
  readonly peer: Shared;
}

/** Make them; `peer` has to be disposed. */
export async function prepareArchives(
  temp: TempFolder,
  options: { history: boolean },
): Promise<PreparedArchives> {
  const label = options.history ? "history" : "latest";
  const [ownerWorld, cloneWorld, peerWorld] = ["owner", "clone", "peer"].map((who) =>
    new TestWorld(temp, { home: `${who}-${label}`, running: true })
  );
  const owner = temp.folder(`owner-of-${label}`);
  writeTree(owner, FILES, label);
  await importInto(owner, ownerWorld, options);
  writeTree(owner, [{ path: "notes/file-0.txt", size: 300 }], `${label} again`);
  Deno.removeSync(join(owner, "papers/file-2.txt"));
  await importInto(owner, ownerWorld);
  writeTree(owner, [{ path: "numbers.bin", size: 130 * KIB }, { path: "new.txt", size: 9 }], label);
  await importInto(owner, ownerWorld);

  const flags = options.history ? ["--history"] : [];
  const clone = temp.join(`clone-of-${label}`);
  const served = temp.join(`peer-of-${label}`);
  {
    const sharingWorld = new TestWorld(temp, { home: `owner-${label}`, running: true });
    await using sharer = await shareIn(sharingWorld, owner);
    for (const [dir, world] of [[clone, cloneWorld], [served, peerWorld]] as const) {
      const made = await runIn(
        world,
        ...["clone", sharer.link, dir, "--peer", sharer.address, "--json", ...flags],
      );
      assert.equal(made.code, 0, made.stderr + made.stdout);
    }
  }
  const peer = await shareIn(new TestWorld(temp, { home: `serving-${label}` }), served);
  return { owner, clone, worlds: [ownerWorld, cloneWorld], peer };
}
