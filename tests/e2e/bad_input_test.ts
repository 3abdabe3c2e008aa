/** What goes wrong on this machine: each case one clear line and its exit code. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { runPeer, runTrove } from "../support/processes.ts";
import { assertFails, NO_PRIVILEGES, smallDisk } from "../support/failures.ts";
import {
  cloneArguments,
  cloneWithTrove,
  shareWithPeer,
  shareWithTrove,
} from "../support/sharing.ts";
import { tempFolder } from "../support/temp.ts";
import { assertSameTree, digestTree, writeTree } from "../support/trees.ts";

const SOME_LINK = `dat://${"ab".repeat(32)}`;
const NOBODY = "127.0.0.1:1";

const USAGE: ReadonlyMap<string, readonly string[]> = new Map([
  ["a link with too few digits", ["clone", "dat://abcdef", "copy", "--peer", NOBODY]],
  ["a link that is none", ["clone", "%%%", "copy", "--peer", NOBODY]],
  ["an unknown command", ["shear"]],
  ["an unknown option", ["share", ".", "--prot", "1"]],
  ["a port that is none", ["share", ".", "--port", "70000"]],
  ["a peer with a port that is none", ["clone", SOME_LINK, "copy", "--peer", "localhost:x"]],
  ["a duration that is none", ["clone", SOME_LINK, "copy", "--peer", NOBODY, "--timeout", "soon"]],
]);

for (const [what, args] of USAGE) {
  Deno.test(`${what} is a usage error`, async () => {
    using temp = tempFolder();
    await assertFails(() => args, { temp, exitCode: 2, code: "usage" });
    assert.deepEqual([...Deno.readDirSync(temp.join("work"))], [], "nothing was made");
  });
}

Deno.test("an unknown command or option comes with the nearest real one", async () => {
  using temp = tempFolder();
  const options = { home: temp.path };
  assert.match((await runTrove(["shear"], options)).stderr, /share/);
  assert.match((await runTrove(["share", ".", "--prot", "1"], options)).stderr, /--port/);
});

Deno.test("sharing a folder that is missing fails as not found and makes nothing", async () => {
  using temp = tempFolder();
  const missing = temp.join("missing");
  await assertFails(() => ["share", missing], { temp, exitCode: 9, code: "not-found" });
  assert.throws(() => Deno.lstatSync(missing), Deno.errors.NotFound);
});

Deno.test("sharing a folder that cannot be read fails as a storage error", async () => {
  using temp = tempFolder();
  const folder = temp.folder("unreadable");
  Deno.chmodSync(folder, 0o000);
  const wrapper = NO_PRIVILEGES;
  await assertFails(() => ["share", folder], { temp, exitCode: 6, code: "storage", wrapper });
  Deno.chmodSync(folder, 0o755);
  assert.deepEqual([...Deno.readDirSync(folder)], []);
});

Deno.test("cloning over another archive is refused and leaves it as it is", async () => {
  using temp = tempFolder();
  const folder = temp.folder("folder");
  writeTree(folder, [{ path: "a file", size: 1000 }], "another archive");
  const [{ key }] = await runPeer("dat_node_folder", [folder], { home: temp.folder("dat-home") });
  const before = archiveFiles(folder);
  const args = cloneArguments(SOME_LINK, folder, [NOBODY], ["--timeout", "1s"]);
  await assertFails(() => args, { temp, exitCode: 2, code: "usage" });
  assert.notEqual(SOME_LINK, `dat://${key}`);
  assert.deepEqual(archiveFiles(folder), before);
});

/** The bytes of every file of an archive's own folder, in hex. */
function archiveFiles(folder: string): Record<string, string> {
  const names = [...Deno.readDirSync(join(folder, ".dat"))].map((entry) => entry.name).sort();
  return Object.fromEntries(
    names.map((name) => [name, Deno.readFileSync(join(folder, ".dat", name)).toHex()]),
  );
}

Deno.test("sharing what another process shares fails as locked", async () => {
  using temp = tempFolder();
  const folder = temp.folder("folder");
  const home = temp.folder("home");
  writeTree(folder, [{ path: "a file", size: 1000 }], "locked");
  await using _sharer = await shareWithTrove(folder, { home });
  await assertFails(() => ["share", folder, "--port", "0"], { temp, exitCode: 7, code: "locked" });
});

/** What may lie where the archive has something else: the file shared, the file in its way. */
const CLASHES: ReadonlyMap<string, readonly [string, string]> = new Map([
  ["a folder stands where a file must go", ["clash", "clash/mine"]],
  ["a file stands where a folder must go", ["clash/shared", "clash"]],
  ["another file has the name", ["clash", "clash"]],
]);

for (const [what, [shared, mine]] of CLASHES) {
  Deno.test(`a clone says so when ${what}, and goes on once it is gone`, async () => {
    using temp = tempFolder();
    const [folder, copy] = [temp.folder("folder"), temp.folder("copy")];
    const files = ["before", shared, "later"].map((path) => ({ path, size: 100_000 }));
    writeTree(folder, files, "clash");
    Deno.mkdirSync(dirname(join(copy, mine)), { recursive: true });
    Deno.writeTextFileSync(join(copy, mine), "keep this");
    await using sharer = await shareWithPeer("share_folder", [folder], {
      home: temp.folder("home-of-sharer"),
    });
    const args = cloneArguments(sharer.link, copy, [sharer.address], ["--timeout", "20s"]);
    await assertFails(() => args, { temp, exitCode: 2, code: "usage", names: "clash" });
    assert.equal(Deno.readTextFileSync(join(copy, mine)), "keep this");

    Deno.removeSync(join(copy, "clash"), { recursive: true });
    const exit = await runTrove(args, { home: temp.folder("home") });
    assert.equal(exit.code, 0, exit.stderr);
    assertSameTree(digestTree(copy), digestTree(folder));
  });
}

Deno.test("a clone onto a full disk fails as a storage error and goes on where there is room", async () => {
  using temp = tempFolder();
  const folder = temp.folder("folder");
  writeTree(folder, [{ path: "large", size: 12_000_000 }, { path: "small", size: 10 }], "full");
  await using sharer = await shareWithPeer("share_folder", [folder], {
    home: temp.folder("home-of-sharer"),
  });
  const copy = temp.folder("copy");
  {
    using disk = smallDisk(copy, 4_000_000);
    const args = cloneArguments(sharer.link, copy, [sharer.address], ["--timeout", "20s"]);
    await assertFails(() => args, {
      temp,
      exitCode: 6,
      code: "storage",
      wrapper: disk.wrapper,
    });
  }
  const home = temp.folder("home");
  const exit = await cloneWithTrove([sharer], copy, { home });
  assert.equal(exit.code, 0, exit.stderr);
  assertSameTree(digestTree(copy), digestTree(folder));
});

Deno.test("a port that is taken and was asked for is an error", async () => {
  using temp = tempFolder();
  const folder: string = temp.folder("folder");
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr;
  const args = ["share", folder, "--host", "127.0.0.1", "--port", String(port)];
  await assertFails(() => args, { temp, exitCode: 2, code: "usage", names: String(port) });
});
