/** Peers that are absent, strangers, broken or hostile: one clear line each, and nobody else hurt. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { runPeer } from "../support/processes.ts";
import { assertFails } from "../support/failures.ts";
import { Random } from "../support/random.ts";
import { dialAndSay, rawPeer } from "../support/raw_peer.ts";
import {
  cloneArguments,
  cloneWithTrove,
  shareWithPeer,
  shareWithTrove,
} from "../support/sharing.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import {
  assertSameTree,
  digestTree,
  manyFiles,
  withoutEmptyFiles,
  withoutModes,
  writeTree,
} from "../support/trees.ts";

const SOME_LINK = `dat://${"ab".repeat(32)}`;
const FILES = [
  ...manyFiles(40, { seed: "bad peers", smallest: 1, largest: 5000 }),
  { path: "zz-long.bin", size: 1_000_000 },
];

const GARBAGE = new Random("garbage").bytes(5000);
/** A first frame that claims to be 8 MiB and one byte long. */
const OVERSIZED = new Uint8Array([0x81, 0x80, 0x80, 0x04, 0x00, 0x0a, 0x20]);
/** A first frame that claims 100,000 bytes and never comes. */
const UNFINISHED = new Uint8Array([0xa0, 0x8d, 0x06, 0x00, 0x0a, 0x20]);

Deno.test("a refused connection ends a clone as no peers", async () => {
  using temp = tempFolder();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const args = () =>
    cloneArguments(SOME_LINK, temp.folder("copy"), [`127.0.0.1:${port}`], ["--timeout", "2s"]);
  await assertFails(args, { temp, exitCode: 3, code: "no-peers" });
});

const GREETINGS: ReadonlyMap<string, Uint8Array | null> = new Map([
  ["garbage instead of a greeting", GARBAGE],
  ["a first frame that is too long", OVERSIZED],
  ["a greeting that never ends", UNFINISHED],
  ["nothing at all", new Uint8Array()],
  ["a closed door", null],
]);

for (const [what, greeting] of GREETINGS) {
  Deno.test(`${what} ends a clone as no peers`, async () => {
    using temp = tempFolder();
    await using stranger = rawPeer(greeting);
    const args = () =>
      cloneArguments(SOME_LINK, temp.folder("copy"), [stranger.address], ["--timeout", "2s"]);
    await assertFails(args, { temp, exitCode: 3, code: "no-peers" });
    assert.ok(stranger.connections >= 2, "each run came to the door");
  });
}

Deno.test("a peer that has another archive ends a clone as no peers", async () => {
  using temp = tempFolder();
  await using stranger = await shareOneFile(temp);
  const args = () =>
    cloneArguments(SOME_LINK, temp.folder("copy"), [stranger.address], ["--timeout", "2s"]);
  await assertFails(args, { temp, exitCode: 3, code: "no-peers" });
});

function shareOneFile(temp: TempFolder) {
  const folder = temp.folder("of-stranger");
  writeTree(folder, [{ path: "a file", size: 100 }], "stranger");
  return shareWithPeer("share_folder", [folder], { home: temp.folder("home-of-stranger") });
}

Deno.test("a block that does not match its proof ends a clone as a verification failure", async () => {
  using temp = tempFolder();
  const [folder, copy] = [temp.folder("folder"), temp.folder("copy")];
  writeTree(folder, FILES, "wrong block");
  await using liar = await shareWithPeer("share_folder", [folder, "--fault", "wrong-block=45"], {
    home: temp.folder("home-of-sharer"),
  });
  const args = () => cloneArguments(liar.link, copy, [liar.address], ["--timeout", "30s"]);
  await assertFails(args, { temp, exitCode: 5, code: "verification" });
  for (const [path, file] of digestTree(copy)) {
    if (path === "zz-long.bin") continue; // the file with the wrong block is not finished
    assert.equal(file.sha256, digestTree(folder).get(path)?.sha256, path);
  }
});

Deno.test("a frame that is too long in the middle ends a clone as incomplete", async () => {
  using temp = tempFolder();
  const [folder, copy] = [temp.folder("folder"), temp.folder("copy")];
  writeTree(folder, FILES, "oversized frame");
  await using liar = await shareWithPeer("share_folder", [folder, "--fault", "oversized-frame"], {
    home: temp.folder("home-of-sharer"),
  });
  const args = () => cloneArguments(liar.link, copy, [liar.address], ["--timeout", "2s"]);
  await assertFails(args, { temp, exitCode: 4, code: "incomplete" });
});

Deno.test("a clone comes from the one good peer among bad ones", async () => {
  using temp = tempFolder();
  const [folder, copy] = [temp.folder("folder"), temp.folder("copy")];
  const home = temp.folder("home-of-sharer");
  writeTree(folder, FILES, "one good peer");
  await using garbage = rawPeer(GARBAGE);
  await using oversized = rawPeer(OVERSIZED);
  await using silent = rawPeer(new Uint8Array());
  await using stranger = await shareOneFile(temp);
  await using good = await shareWithPeer("share_folder", [folder], { home });
  const options = ["--no-import", "--fault", "wrong-block=3"];
  await using liar = await shareWithPeer("share_folder", [folder, ...options], { home });
  const addresses = [garbage, oversized, silent, stranger, liar, good].map((one) => one.address);
  const sharers = addresses.map((address) => ({ address, link: good.link }));
  const exit = await cloneWithTrove(sharers, copy, { home: temp.folder("home") });
  assert.equal(exit.code, 0, exit.stderr);
  assertSameTree(digestTree(copy), digestTree(folder));
});

Deno.test("trove share goes on serving while others send it rubbish", async () => {
  using temp = tempFolder();
  const [folder, copy] = [temp.folder("folder"), temp.folder("copy")];
  writeTree(folder, FILES, "rubbish");
  await using sharer = await shareWithTrove(folder, { home: temp.folder("home-of-sharer") });
  const rubbish = [GARBAGE, OVERSIZED, new Uint8Array([0]), new Uint8Array([1, 1, 1, 1])];
  const dialling = Promise.all(rubbish.map((bytes) => dialAndSay(sharer.address, bytes)));
  await runPeer("clone_folder", [sharer.key, sharer.address, copy], { home: temp.folder("home") });
  const expected = withoutModes(withoutEmptyFiles(digestTree(folder)));
  assertSameTree(withoutModes(digestTree(copy)), expected);
  await dialling; // trove hangs up on every one of them
  sharer.process.signal("SIGINT");
  await sharer.process.ended(0);
});

/** Names that must never be written, and what they would hit outside the copy or in its `.dat`. */
const HOSTILE_NAMES: ReadonlyMap<string, string> = new Map([
  ["a path with ..", "../escaped"],
  ["a path with .. further down", "folder/../../escaped"],
  ["a path into the archive's own folder", ".dat/metadata.key"],
  ["the archive's own folder in capitals", ".DAT/metadata.key"],
  ["a path with an empty component", "folder//escaped"],
  ["a path with a single dot", "folder/./escaped"],
  ["a path with a NUL", "folder/esc\u0000aped"],
]);

for (const [what, name] of HOSTILE_NAMES) {
  Deno.test(`a clone refuses ${what} and keeps the other files`, async () => {
    using temp = tempFolder();
    const copy = temp.folder("below", "copy");
    const entries = ["good=some text", `${name}=evil`, "good too=more text"];
    await using hostile = await shareWithPeer("share_paths", [JSON.stringify(entries)], {
      home: temp.folder("home-of-sharer"),
    });
    const args = () => cloneArguments(hostile.link, copy, [hostile.address], ["--timeout", "5s"]);
    await assertFails(args, { temp, exitCode: 1, code: "failure" });
    assert.deepEqual([...digestTree(copy).keys()], ["good", "good too"]);
    assert.deepEqual(namesBelow(temp.join("below")), ["copy"], "nothing beside the copy");
    const key = Deno.readFileSync(join(copy, ".dat", "metadata.key"));
    assert.equal(key.toHex(), hostile.key);
  });
}

Deno.test("a clone refuses an absolute path: it stays inside the folder", async () => {
  using temp = tempFolder();
  const copy = temp.folder("copy");
  const target = temp.join("absolute");
  await using hostile = await shareWithPeer("share_paths", [JSON.stringify([`${target}=evil`])], {
    home: temp.folder("home-of-sharer"),
  });
  const exit = await cloneWithTrove([hostile], copy, { home: temp.folder("home") });
  assert.equal(exit.code, 0, exit.stderr);
  assert.throws(() => Deno.lstatSync(target), Deno.errors.NotFound);
  assert.equal(Deno.readTextFileSync(join(copy, target)), "evil");
});

for (const where of ["the file", "a folder on its path"]) {
  Deno.test(`a clone does not follow a symlink in place of ${where}`, async () => {
    using temp = tempFolder();
    const [folder, copy, outside] = ["folder", "copy", "outside"].map((name) => temp.folder(name));
    writeTree(folder, [{ path: "sub/file", size: 1000 }, { path: "other", size: 10 }], "symlink");
    Deno.writeTextFileSync(join(outside, "file"), "keep this");
    if (where === "the file") {
      Deno.mkdirSync(join(copy, "sub"));
      Deno.symlinkSync(join(outside, "file"), join(copy, "sub", "file"));
    } else {
      Deno.symlinkSync(outside, join(copy, "sub"));
    }
    await using sharer = await shareWithPeer("share_folder", [folder], {
      home: temp.folder("home-of-sharer"),
    });
    const args = () => cloneArguments(sharer.link, copy, [sharer.address], ["--timeout", "5s"]);
    await assertFails(args, { temp, exitCode: 2, code: "usage", names: "sub" });
    assert.equal(Deno.readTextFileSync(join(outside, "file")), "keep this");
    assert.deepEqual(namesBelow(outside), ["file"]);
  });
}

function namesBelow(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();
}
