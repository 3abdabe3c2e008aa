/**
 * The campaign: 1,000 single bits turned anywhere in an archive and its folder. Either `verify` names
 * the place, or nothing that can be read is different; what is wrong is never handed out; and
 * `repair` with a healthy peer brings everything back.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { ArchiveView } from "../../src/app/archive_view.ts";
import { openArchive } from "../../src/app/open_archive.ts";
import { TroveError } from "../../src/base/errors.ts";
import type { FeedStore } from "../../src/io/feed_store.ts";
import { importInto } from "../support/imported.ts";
import { Random } from "../support/random.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { type JsonLine, runIn, type Shared, shareIn, TestWorld } from "../support/test_world.ts";
import { type FilePlan, writeTree } from "../support/trees.ts";

const FLIPS_PER_VARIANT = 250;
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
interface Kept {
  readonly bytes: Uint8Array;
  readonly mtime: Date;
  readonly mode: number;
}

/** A folder that can be brought back to what it was. */
class Snapshot {
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
function readAll(dir: string, world: TestWorld): Map<string, string> {
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
  for (const [name, feed] of Object.entries({ metadata: archive.metadata, content: archive.content })) {
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

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** What is read from a damaged archive is what was there before, or an error; never other bytes. */
function assertNothingWrongIsRead(dir: string, world: TestWorld, before: Map<string, string>): void {
  const check = (name: string, bytes: Uint8Array | undefined) => {
    if (bytes === undefined) return;
    const [held, was] = JSON.parse(before.get(name) ?? "[false]");
    // A block that is not here for sure may still turn up where another one lies.
    if (held || was !== undefined) assert.equal(digest(bytes), was, name);
  };
  try {
    using archive = openArchive(dir, { world, access: "read" });
    const feeds = { metadata: archive.metadata, content: archive.content };
    const view = new ArchiveView(archive);
    try {
      for (const file of view.files()) {
        const was: string[] = JSON.parse(before.get(`file ${file.path}`) ?? "[]");
        let at = 0;
        try {
          for (const bytes of view.read(file)) {
            assert.equal(digest(bytes), was[at++], `bytes of ${file.path}`);
          }
        } catch (error) {
          if (!(error instanceof TroveError)) throw error;
        }
      }
    } catch (error) {
      if (!(error instanceof TroveError)) throw error;
    }
    for (const [name, feed] of Object.entries(feeds)) {
      for (let block = 0; block < (feed?.length ?? 0); block++) {
        check(`${name} block ${block}`, feed!.readVerified(block));
      }
    }
  } catch (error) {
    if (!(error instanceof TroveError)) throw error;
  }
}

/** Whether one of the records is about the place of the flip. */
function namesPlace(records: readonly JsonLine[], path: string, at: number): boolean {
  const about = (test: (record: JsonLine) => boolean) => records.some(test);
  const inRun = (record: JsonLine, index: number) =>
    record.index <= index && index < record.index + (record.count ?? 1);
  if (!path.startsWith(".dat/")) return about((record) => record.path === `/${path}`);
  const [feed, file] = path.slice(".dat/".length).split(".");
  const kind = (kinds: string[], index?: number) =>
    about((record) =>
      record.feed === feed && kinds.includes(record.kind) &&
      (index === undefined || inRun(record, index))
    );
  if (path === ".dat/trove.staged") return about((record) => /staged/.test(record.message));
  if (path === ".dat/trove.synced") return about((record) => record.path === "trove.synced");
  switch (file) {
    case "key":
      return kind(["key"]);
    case "latest":
      return about((record) => record.path === "metadata.latest");
    case "data":
      return kind(["block"]);
    case "tree":
      return at < 32 ? kind(["header"]) : kind(["node"], Math.floor((at - 32) / 40));
    case "signatures":
      return at < 32 ? kind(["header"]) : kind(["signature"], Math.floor((at - 32) / 64) + 1);
    case "bitfield": {
      if (at < 32) return kind(["header"]);
      const inPage = (at - 32) % 3584;
      if (inPage >= 3072) return kind(["index"]);
      const first = 8 * (inPage % 1024 + (inPage >= 2048 ? 1024 : 0));
      if (inPage < 1024) {
        // Of a working file that has the block, the file is named.
        return Array.from({ length: 8 }, (_, bit) => first + bit)
          .some((block) => kind(["block", "block-bit"], block)) || about(({ kind }) => kind === "file");
      }
      return Array.from({ length: 8 }, (_, bit) => 8 * (inPage - 1024) + bit)
        .some((node) => kind(["node", "node-bit"], node));
    }
    default:
      return false;
  }
}

interface Variant {
  readonly name: string;
  readonly dir: string;
  readonly world: TestWorld;
  readonly peer: Shared;
}

async function campaign({ name, dir, world, peer }: Variant, flips: number): Promise<void> {
  const random = new Random(`bit flips ${name}`);
  const snapshot = new Snapshot(dir);
  const before = readAll(dir, world);
  assert.equal((await runIn(world, "verify", dir, "--json")).code, 0, `${name} is sound at first`);
  const paths = [...snapshot.files.keys()].filter((path) => snapshot.files.get(path)!.bytes.length > 0);
  const tally = { named: 0, harmless: 0 };
  for (let flip = 0; flip < flips; flip++) {
    const path = paths[random.below(paths.length)];
    const bytes = snapshot.files.get(path)!.bytes.slice();
    // Bitfields are nearly all zeros; half of their flips hit what is set.
    const set = path.endsWith("bitfield") && flip % 2 === 0
      ? [...bytes.keys()].filter((at) => bytes[at] !== 0)
      : [];
    const at = set.length > 0 ? set[random.below(set.length)] : random.below(bytes.length);
    const bit = random.below(8);
    bytes[at] ^= 1 << bit;
    snapshot.write(path, bytes);
    const where = `${name}: bit ${bit} of byte ${at} of ${path} (flip ${flip})`;

    const verified = await runIn(world, "verify", dir, "--json");
    const records = verified.json.filter(({ event }) => event === "problem");
    const said = `${where}\n${verified.stdout}${verified.stderr}`;
    assert.ok(verified.code === 0 || verified.code === 5, said);
    if (verified.code === 0) {
      tally.harmless++;
      assert.deepEqual(readAll(dir, world), before, said);
    } else {
      tally.named++;
      assert.ok(namesPlace(records, path, at), said);
    }
    assertNothingWrongIsRead(dir, world, before);

    if (verified.code !== 0) {
      const t0 = performance.now();
      const repaired = await runIn(world, "repair", dir, "--json", "--peer", peer.address);
      if (performance.now() - t0 > 300) console.log(where, performance.now() - t0);
      const told = `${said}\nrepair:\n${repaired.stdout}${repaired.stderr}`;
      assert.equal(repaired.code, 0, told);
      assert.deepEqual(readAll(dir, world), before, told);
      for (const [path, { bytes }] of snapshot.files) {
        if (path.startsWith(".dat")) continue;
        assert.deepEqual(digest(Deno.readFileSync(join(dir, path))), digest(bytes), told);
      }
    }
    snapshot.restore();
  }
  assert.ok(tally.named > flips / 3, `${name}: ${JSON.stringify(tally)}`);
}

/** An archive of several versions, a clone of it, and another clone that serves it. */
async function prepare(
  temp: TempFolder,
  options: { history: boolean },
): Promise<{ owner: string; clone: string; worlds: TestWorld[]; peer: Shared }> {
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

for (const history of [false, true]) {
  const label = history ? "keeps every version" : "has its files as content";
  Deno.test(`bits turned in an archive that ${label}, and in a clone of it`, async () => {
    using temp = tempFolder();
    const { owner, clone, worlds, peer } = await prepare(temp, { history });
    await using _peer = peer;
    const [ownerWorld, cloneWorld] = worlds;
    await campaign({ name: `owner, ${label}`, dir: owner, world: ownerWorld, peer }, FLIPS_PER_VARIANT);
    await campaign({ name: `clone, ${label}`, dir: clone, world: cloneWorld, peer }, FLIPS_PER_VARIANT);
  });
}
