/** Clones of some files only: `--select` and `--exclude`, in this process over loopback. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { mapWorkingFiles } from "../../src/app/checkout.ts";
import { openArchive } from "../../src/app/open_archive.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import {
  type JsonLine,
  type Ran,
  runIn,
  type Shared,
  shareIn,
  TestWorld,
} from "../support/test_world.ts";
import { digestTree, writeTree } from "../support/trees.ts";

const FILES = [
  { path: "docs/guide.md", size: 3000 },
  { path: "docs/img/logo", size: 70_000 },
  { path: "notes.txt", size: 40 },
  { path: "photos/2019/a.jpg", size: 150_000 },
  { path: "photos/2019/a.tmp", size: 10 },
  { path: "photos/b.jpg", size: 90_000 },
  { path: "photos/empty", size: 0 },
];

/** A folder that is shared, and copies of it. */
class Scene {
  readonly dir: string;
  readonly world: TestWorld;
  #runs = 0;

  constructor(readonly temp: TempFolder) {
    this.dir = temp.folder("folder");
    this.world = new TestWorld(temp, { home: "home of cloner", running: true });
    writeTree(this.dir, FILES, "first");
  }

  share(): Promise<Shared> {
    this.#runs++;
    const owner = new TestWorld(this.temp, { seed: `run ${this.#runs}` });
    owner.clock.wallMs += this.#runs * 60_000;
    return shareIn(owner, this.dir);
  }

  /** Run a command that has to end well. */
  async run(...args: string[]): Promise<Ran> {
    const ran = await runIn(this.world, ...args);
    assert.equal(ran.code, 0, `${args.join(" ")}: ${ran.stdout}${ran.stderr}`);
    return ran;
  }

  clone(shared: Shared, dir: string, ...extra: string[]): Promise<Ran> {
    return this.run("clone", shared.link, dir, "--peer", shared.address, "--json", ...extra);
  }

  pull(shared: Shared, dir: string, ...extra: string[]): Promise<Ran> {
    return this.run("pull", dir, "--peer", shared.address, "--json", ...extra);
  }

  /** Put files into the shared folder, or take them away. */
  change(files: Readonly<Record<string, string | undefined>>): void {
    for (const [path, text] of Object.entries(files)) {
      if (text === undefined) Deno.removeSync(join(this.dir, path));
      else Deno.writeTextFileSync(join(this.dir, path), text);
    }
  }
}

const filesIn = (dir: string) => [...digestTree(dir).keys()].sort();
const synced = ({ json }: Ran) => json.find(({ event }) => event === "synced")!;
const warnings = ({ json }: Ran) =>
  json.filter(({ event }: JsonLine) => event === "warning").map(({ code }) => code);

/** The content blocks that are here. */
function heldBlocks(world: TestWorld, dir: string): number {
  using archive = openArchive(dir, { world, access: "read" });
  const { content } = archive;
  mapWorkingFiles(archive);
  assert.deepEqual(content!.audit().invalid, []);
  return content!.countHeld(0, content!.length);
}

Deno.test("clone --select fetches and places the chosen files only, and pull keeps to it", async () => {
  using temp = tempFolder();
  const scene = new Scene(temp);
  const copy = temp.join("copy");
  const chosen = ["notes.txt", "photos/2019/a.jpg", "photos/b.jpg", "photos/empty"];
  {
    await using shared = await scene.share();
    const options = ["--select", "photos", "--select", "*.txt", "--exclude", "**/*.tmp"];
    const ran = await scene.clone(shared, copy, ...options);
    const { files, bytes, version } = synced(ran);
    assert.deepEqual([files, bytes, version], [4, 240_040, 7]);
    assert.deepEqual(warnings(ran), []);
    assert.deepEqual(filesIn(copy), chosen);
    assert.equal(heldBlocks(scene.world, copy), 3 + 2 + 1);
  }
  writeTree(scene.dir, [{ path: "photos/new.tmp", size: 9 }, { path: "photos/new", size: 9 }], "2");
  scene.change({ "docs/guide.md": "other", "notes.txt": "other", "photos/2019/a.jpg": undefined });
  await using shared = await scene.share();
  await scene.pull(shared, copy);
  assert.deepEqual(filesIn(copy), ["notes.txt", "photos/b.jpg", "photos/empty", "photos/new"]);
  assert.equal(Deno.readTextFileSync(join(copy, "notes.txt")), "other");

  // Everything again, and nothing that was here is fetched once more.
  const wide = await scene.pull(shared, copy, "--select", "**");
  assert.deepEqual(digestTree(copy), digestTree(scene.dir));
  assert.deepEqual(warnings(wide), []);
  assert.equal(synced(wide).downloadedBytes, 70_000 + 5 + 10 + 9);
  await scene.run("verify", copy);
});
