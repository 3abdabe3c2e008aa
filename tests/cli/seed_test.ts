/** `trove seed` in this process, over loopback. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { createArchive } from "../../src/app/open_archive.ts";
import { REOPEN_MS } from "../../src/app/seed_limits.ts";
import { importInto } from "../support/importing.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { type JsonLine, runIn, TestWorld } from "../support/test_world.ts";
import { assertSameTree, digestTree, type FilePlan, writeTree } from "../support/trees.ts";

const LOOPBACK = ["--host", "127.0.0.1", "--port", "0", "--json"];
const SOME_LINK = `dat://${"ab".repeat(32)}`;

/** A `trove seed` that runs until the result is disposed. */
class Seeding implements AsyncDisposable {
  constructor(
    readonly world: TestWorld,
    readonly address: string,
    readonly code: Promise<number>,
  ) {}

  static async begin(world: TestWorld, ...args: readonly string[]): Promise<Seeding> {
    const code = world.run("seed", ...args, ...LOOPBACK);
    const { host, port } = await world.stdout.event("listening");
    return new Seeding(world, `${host}:${port}`, code);
  }

  /** The first line with this event that fits, said already or yet to come. */
  said(event: string, fits: (line: JsonLine) => boolean = () => true): Promise<JsonLine> {
    return this.world.stdout.waitFor(({ text }) =>
      text.split("\n").slice(0, -1).filter((line) => line !== "")
        .map((line): JsonLine => JSON.parse(line))
        .find((line) => line.event === event && fits(line))
    );
  }

  async stop(): Promise<number> {
    this.world.raise("SIGTERM");
    return await this.code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

const worldOf = (temp: TempFolder, home: string) => new TestWorld(temp, { home, running: true });

/** A folder with files and an archive of them; gives its link. */
async function makeArchive(
  world: TestWorld,
  dir: string,
  files: readonly FilePlan[],
): Promise<string> {
  writeTree(dir, files, dir);
  using archive = createArchive(dir, world);
  await importInto(archive, world);
  return archive.link;
}

async function assertCloned(temp: TempFolder, seeding: Seeding, link: string, dir: string) {
  const copy = temp.join(`copy of ${link}`);
  const { code, stderr } = await runIn(
    worldOf(temp, "home of cloner"),
    ...["clone", link, copy, "--peer", seeding.address, "--json"],
  );
  assert.equal(code, 0, stderr);
  assertSameTree(digestTree(copy), digestTree(dir));
  Deno.removeSync(copy, { recursive: true });
}

Deno.test("seed serves every archive of its list from one port, and follows what the list says", async () => {
  using temp = tempFolder();
  const world = worldOf(temp, "home");
  const dirs = ["one", "two", "three"].map((name) => temp.folder(name));
  const links: string[] = [];
  for (const dir of dirs) {
    links.push(await makeArchive(world, dir, [{ path: "a/file", size: 70_000 }]));
  }
  const list = temp.join("list");
  Deno.writeTextFileSync(list, `one\n${links[1]}\nnowhere\n`);
  const seeding = await Seeding.begin(world, "--list", list, temp.join("two"));
  await assertCloned(temp, seeding, links[0], dirs[0]);
  await assertCloned(temp, seeding, links[1], dirs[1]);
  const args = ["clone", links[2], temp.join("no"), "--peer", seeding.address, "--timeout", "1s"];
  assert.equal((await runIn(worldOf(temp, "home of stranger"), ...args)).code, 3);

  Deno.writeTextFileSync(list, "three\n# nothing else\n");
  assert.equal((await seeding.said("removed")).link, links[0]);
  await seeding.said("archive", ({ link }) => link === links[2]);
  await assertCloned(temp, seeding, links[2], dirs[2]);
  await assertCloned(temp, seeding, links[1], dirs[1]);
  await world.stdout.waitFor(({ text }) =>
    text.split(`"event":"uploaded"`).length > 4 ? true : undefined
  );

  assert.equal(await seeding.stop(), 0);
  const lines = world.stdout.json;
  const warnings = lines.filter(({ event }) => event === "warning").map(({ message }) => message);
  assert.ok(warnings.some((text) => /list line 3: Cannot serve "nowhere"/.test(text)));
  assert.ok(warnings.some((text) => /list line 2: .*--store/.test(text)));
  assert.ok(warnings.some((text) => /from outside came to nothing/.test(text)));
  for (const { event, link } of lines) {
    if (["archive", "peer", "uploaded", "removed"].includes(event)) assert.match(link, /^dat:/);
  }
  const uploads = lines.filter(({ event }) => event === "uploaded").map(({ link }) => link);
  assert.deepEqual(uploads, [links[0], links[1], links[2], links[1]]);
  assert.ok(lines.some(({ event, archives }) => event === "progress" && archives === 2));
  assert.ok(!world.listens);
});

Deno.test("a link is fetched, served meanwhile, and kept up to date while it is added to", async () => {
  using temp = tempFolder();
  // Its clock stands still, so that the test can let time pass for it.
  const owner = new TestWorld(temp, { home: "home" });
  const dir = temp.folder("owned");
  const link = await makeArchive(owner, dir, [{ path: "first", size: 100_000 }]);
  await using source = await Seeding.begin(owner, dir);
  const world = worldOf(temp, "home of seeder");
  await using seeding = await Seeding.begin(
    world,
    ...[link, "--store", temp.join("store"), "--peer", source.address],
  );
  const { version, link: synced } = await seeding.said("synced");
  assert.deepEqual([version, synced], [1, link]);
  const copy = temp.join("store", link.slice("dat://".length));
  assertSameTree(digestTree(copy), digestTree(dir));
  await assertCloned(temp, seeding, link, dir);

  writeTree(dir, [{ path: "second", size: 1000 }], "later");
  owner.clock.wallMs += 60_000;
  const importer = new TestWorld(temp, { home: "home", running: true });
  assert.equal((await runIn(importer, "share", dir, ...LOOPBACK, "--timeout", "1ms")).code, 0);
  owner.clock.monotonicMs! += REOPEN_MS;
  await seeding.said("synced", ({ version }) => version === 2);
  assertSameTree(digestTree(copy), digestTree(dir));
  const status = await runIn(worldOf(temp, "home of reader"), "status", copy, "--json");
  assert.deepEqual([status.code, status.json[0].version], [0, 2]);
});

Deno.test("the folder of a clone is kept up to date, with every version where it keeps them", async () => {
  using temp = tempFolder();
  const owner = worldOf(temp, "home");
  const dir = temp.folder("owned");
  const link = await makeArchive(owner, dir, [{ path: "first", size: 100_000 }]);
  await using source = await Seeding.begin(owner, dir);
  const copy = temp.join("copy");
  const from = ["--peer", source.address];
  const cloner = worldOf(temp, "home of cloner");
  assert.equal((await runIn(cloner, "clone", link, copy, "--history", ...from)).code, 0);
  Deno.removeSync(join(copy, "first"));
  const world = worldOf(temp, "home of seeder");
  await using seeding = await Seeding.begin(world, copy, ...from);
  await seeding.said("synced");
  assertSameTree(digestTree(copy), digestTree(dir));
  assert.equal((await seeding.said("archive")).writable, false);
});

Deno.test("seed with nothing that it could serve ends with the reason", async () => {
  using temp = tempFolder();
  temp.folder("plain");
  const world = worldOf(temp, "home");
  for (
    const [args, expected] of [
      [[], 2],
      [[SOME_LINK], 2],
      [["dat://example.org", "--store", "s"], 2],
      [["plain"], 9],
      [["nowhere", "plain"], 9],
      [["--list", "nowhere"], 9],
    ] as const
  ) {
    const { code, json } = await runIn(world, "seed", ...args, ...LOOPBACK);
    assert.deepEqual([code, json.at(-1)!.exitCode], [expected, expected], args.join(" "));
  }
  using archive = createArchive(temp.join("damaged"), world);
  Deno.truncateSync(archive.paths.feed("metadata", "tree"), 32);
  assert.equal((await runIn(world, "seed", "damaged", ...LOOPBACK)).code, 6);
});

Deno.test("people see a line for each of a few archives, and which one later news is of", async () => {
  using temp = tempFolder();
  const world = worldOf(temp, "home");
  const links: string[] = [];
  for (let n = 0; n < 10; n++) {
    const dir = temp.folder("all", `${n}`);
    links.push(await makeArchive(world, dir, [{ path: "file", size: 10 }]));
  }
  const code = world.run("seed", "--list", "all", "--host", "127.0.0.1", "--port", "0");
  const port = await world.stderr.waitFor(({ text }) => /port (\d+)\n[^]*Press/.exec(text)?.[1]);
  const args = ["clone", links[9], temp.join("copy"), "--peer", `127.0.0.1:${port}`];
  assert.equal((await runIn(worldOf(temp, "home of cloner"), ...args)).code, 0);
  await world.stderr.waitFor(({ text }) => text.includes("disconnected") ? true : undefined);
  world.raise("SIGINT");
  assert.equal(await code, 0);
  assert.deepEqual(
    world.stdout.lines,
    links.slice(0, 8).map((link, n) => `${link}  ${temp.join("all", `${n}`)}`),
  );
  assert.match(world.stderr.text, /\.\.\. and 2 more archives\nServing 10 archives\n/);
  const short = links[9].slice(0, "dat://".length + 8);
  assert.ok(world.stderr.text.includes(`has everything [${short}…]`));
});
