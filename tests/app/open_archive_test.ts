import assert from "node:assert/strict";
import { join } from "node:path";
import { archivePaths, inspectFolder } from "../../src/app/archive_folder.ts";
import { type Archive, createArchive, openArchive, openClone } from "../../src/app/open_archive.ts";
import { toHex } from "../../src/base/bytes.ts";
import { printable } from "../../src/base/format.ts";
import { LockedError, NotFoundError, StorageError, UsageError } from "../../src/base/errors.ts";
import { decodeIndex } from "../../src/core/archive/entry.ts";
import { contentSeed, discoveryKey } from "../../src/crypto/hash.ts";
import { keyPair } from "../../src/crypto/sign.ts";
import { archiveBytes, secretKeyFile } from "../support/archives.ts";
import { DiskHooks } from "../support/disk_hooks.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { runIn, TestWorld } from "../support/test_world.ts";
import { assertSameBytes } from "../support/same_bytes.ts";

/** Every file of a new archive and its bytes. Source: spec of the dat directory, section 1. */
const NEW_FILES = {
  "content.bitfield": 32,
  "content.key": 32,
  "content.signatures": 32,
  "content.tree": 32,
  "metadata.bitfield": 3616,
  "metadata.data": 46,
  "metadata.key": 32,
  "metadata.ogd": 1,
  "metadata.signatures": 96,
  "metadata.tree": 72,
};

function sizes(dir: string): Record<string, number> {
  const names = [...Deno.readDirSync(join(dir, ".dat"))].map((entry) => entry.name).sort();
  return Object.fromEntries(
    names.map((name) => [name, Deno.statSync(join(dir, ".dat", name)).size]),
  );
}

/** Make an archive in a folder of its own and close it. */
function created(temp: TempFolder, world: TestWorld, name = "folder"): string {
  const dir = temp.folder(name);
  using _archive = createArchive(dir, world);
  return dir;
}

/** What must be true of an archive that has no files yet, whoever completed it. */
function assertEmpty(archive: Archive, world: TestWorld): void {
  assert.equal(archive.version, 0);
  assert.equal(archive.metadata.length, 1);
  assert.ok(archive.writable);
  assert.equal(archive.warning, undefined);
  const { contentKey } = decodeIndex(archive.metadata.readVerified(0)!);
  assert.deepEqual(archive.content!.publicKey, contentKey.slice());
  const secretKey = Deno.readFileSync(secretKeyFile(world, archive.discoveryKey));
  assert.deepEqual(keyPair(contentSeed(secretKey)).publicKey, contentKey.slice());
  assertSameBytes(Deno.readFileSync(archive.paths.ogd), new Uint8Array(1));
}

Deno.test("createArchive() makes the files that dat makes, and no others once it is closed", () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const dir = temp.join("new", "folder");
  {
    using archive = createArchive(dir, world);
    assertEmpty(archive, world);
    assert.match(archive.link, /^dat:\/\/[0-9a-f]{64}$/);
  }
  assert.deepEqual(sizes(dir), NEW_FILES);
  using again = openArchive(dir, { world, access: "write" });
  assertEmpty(again, world);
});

Deno.test("createArchive() keeps the secret key in the home folder, for its owner alone", () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  using archive = createArchive(temp.folder("folder"), world);
  const path = secretKeyFile(world, archive.discoveryKey);
  assert.equal(
    path,
    temp.join(
      ...["home", ".dat", "secret_keys"],
      ...[archive.discoveryKey.slice(0, 2), archive.discoveryKey.slice(2)],
    ),
  );
  const info = Deno.statSync(path);
  assert.equal(info.size, 64);
  assert.equal(info.mode! & 0o777, 0o600);
  for (const folder of [join(path, ".."), join(path, "..", "..")]) {
    assert.equal(Deno.statSync(folder).mode! & 0o777, 0o700, folder);
  }
  for (const name of Object.keys(NEW_FILES)) {
    assert.equal(Deno.statSync(join(archive.paths.dat, name)).mode! & 0o022, 0, name);
  }
});

Deno.test("createArchive() draws another key each time, and refuses a folder that has one", () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const [one, other] = [created(temp, world, "one"), created(temp, world, "other")];
  const keys = [one, other].map((dir) => toHex(Deno.readFileSync(join(dir, ".dat/metadata.key"))));
  assert.notEqual(keys[0], keys[1]);
  const before = archiveBytes(one);
  assert.throws(() => createArchive(one, world), UsageError);
  assert.deepEqual(archiveBytes(one), before);
});

Deno.test("createArchive() makes nothing that looks like an archive without a home for the key", () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  world.homeFolder = undefined;
  const dir = temp.folder("folder");
  assert.throws(() => createArchive(dir, world), UsageError);
  assert.equal(inspectFolder(dir), "empty");
  world.homeFolder = temp.join("home");
  using archive = createArchive(dir, world);
  assertEmpty(archive, world);
});

Deno.test("createArchive() makes nothing that looks like an archive when the key cannot be kept", () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  Deno.writeTextFileSync(temp.join("home", ".dat"), "a file");
  const dir = temp.folder("folder");
  assert.throws(() => createArchive(dir, world), StorageError);
  assert.equal(inspectFolder(dir), "empty");
});

/** What of a new archive is there when its creation is cut off, step by step. */
const INTERRUPTED: ReadonlyMap<string, readonly string[]> = new Map([
  ["the lock", ["metadata.bitfield 0"]],
  ["the note of its origin", ["metadata.bitfield 0", "metadata.ogd"]],
  ["its key", ["metadata.bitfield 0", "metadata.ogd", "metadata.key"]],
  ["the first header", ["metadata.bitfield 0", "metadata.ogd", "metadata.key", "metadata.tree 32"]],
  ["all headers", [
    ...["metadata.ogd", "metadata.key"],
    ...["metadata.tree 32", "metadata.signatures 32", "metadata.bitfield 32"],
  ]],
  ["the bytes of its first entry", [
    ...["metadata.ogd", "metadata.key", "metadata.data"],
    ...["metadata.tree 32", "metadata.signatures 32", "metadata.bitfield 32"],
  ]],
  ["the node and the signature", [
    ...["metadata.ogd", "metadata.key", "metadata.data"],
    ...["metadata.tree", "metadata.signatures", "metadata.bitfield 32"],
  ]],
  ["its first entry", Object.keys(NEW_FILES).filter((name) => name.startsWith("metadata"))],
  ["the content's key", [
    ...Object.keys(NEW_FILES).filter((name) => name.startsWith("metadata")),
    "content.key",
  ]],
]);

for (const [step, kept] of INTERRUPTED) {
  Deno.test(`a creation cut off after ${step} is completed by the next share`, async () => {
    using temp = tempFolder();
    const world = new TestWorld(temp, { running: true });
    const dir = created(temp, world);
    const link = `dat://${toHex(Deno.readFileSync(join(dir, ".dat/metadata.key")))}`;
    const left = new Map(kept.map((line) => line.split(" ")).map(([name, size]) => [name, size]));
    for (const name of Object.keys(NEW_FILES)) {
      const path = join(dir, ".dat", name);
      if (!left.has(name)) Deno.removeSync(path);
      else if (left.get(name) !== undefined) Deno.truncateSync(path, Number(left.get(name)));
    }
    Deno.writeTextFileSync(join(dir, ".dat/trove.lock"), "1 2020-01-01T00:00:00.000Z\n");

    const { code, stderr, json } = await runIn(
      ...[world, "share", dir, "--json", "--port", "0", "--host", "127.0.0.1"] as const,
      ...["--timeout", "1ms"],
    );
    assert.equal(code, 0, stderr);
    assert.equal(json[0].event, "archive");
    assert.equal(json[0].writable, true);
    // Before there is a key there is no archive, and a new one is made.
    if (left.has("metadata.key")) assert.equal(json[0].link, link);
    assert.deepEqual(sizes(dir), NEW_FILES);
    using archive = openArchive(dir, { world, access: "read" });
    assert.equal(archive.metadata.audit().valid, 1);
  });
}

/** Which files there are, and whether the archive can be changed then. Source: section 2. */
const OWNERSHIP: readonly (readonly [string, number | undefined, boolean, boolean, boolean])[] = [
  // name, bytes of metadata.ogd, key file, writable, warned about
  ["ogd and key", 1, true, true, false],
  ["ogd longer than a byte and key", 5, true, true, false],
  ["ogd and no key", 1, false, false, true],
  ["an empty ogd and key", 0, true, false, false],
  ["no ogd and key", undefined, true, false, false],
  ["neither ogd nor key", undefined, false, false, false],
];

for (const [what, ogd, key, writable, warned] of OWNERSHIP) {
  Deno.test(`an archive with ${what} is ${writable ? "writable" : "read-only"}`, () => {
    using temp = tempFolder();
    const world = new TestWorld(temp);
    const dir = created(temp, world);
    const { ogd: path } = archivePaths(dir);
    if (ogd === undefined) Deno.removeSync(path);
    else Deno.writeFileSync(path, new Uint8Array(ogd));
    if (!key) Deno.removeSync(temp.join("home", ".dat"), { recursive: true });
    using archive = openArchive(dir, { world, access: "write" });
    assert.equal(archive.writable, writable);
    assert.equal(archive.owned, writable);
    assert.equal(archive.metadata.writable, writable);
    assert.equal(archive.content!.writable, writable);
    assert.equal(archive.warning !== undefined, warned, archive.warning);
  });
}

Deno.test("a secret key inside .dat, as the oldest archives have it, makes an owner", () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const dir = created(temp, world);
  const { dat, ogd } = archivePaths(dir);
  const { discoveryKey } = openClosed(dir, world);
  const secretKey = Deno.readFileSync(secretKeyFile(world, discoveryKey));
  Deno.writeFileSync(join(dat, "metadata.secret_key"), secretKey, { mode: 0o600 });
  Deno.removeSync(temp.join("home", ".dat"), { recursive: true });
  for (const home of [world.homeFolder, undefined]) {
    world.homeFolder = home;
    using archive = openArchive(dir, { world, access: "write" });
    assert.ok(archive.writable, `with ogd, home ${home}`);
    assert.equal(archive.warning, undefined);
  }
  Deno.removeSync(ogd);
  using archive = openArchive(dir, { world, access: "write" });
  assert.ok(archive.writable, "without ogd");
});

/** What an archive says of itself when it is opened for reading. */
function openClosed(dir: string, world: TestWorld) {
  using archive = openArchive(dir, { world, access: "read" });
  const { link, discoveryKey, version, warning, owned } = archive;
  return { link, discoveryKey, version, warning, owned };
}

const BAD_KEYS = new Map<string, (own: Uint8Array) => Uint8Array>([
  ["of another archive", () => keyPair(new Uint8Array(32).fill(7)).secretKey],
  ["whose halves do not belong together", (own) => {
    const mixed = keyPair(new Uint8Array(32).fill(7)).secretKey;
    mixed.set(own.subarray(32), 32);
    return mixed;
  }],
  ["that is cut short", (own) => own.subarray(0, 63)],
  ["that is empty", () => new Uint8Array()],
]);

for (const [what, forge] of BAD_KEYS) {
  Deno.test(`a secret key ${what} is refused and names its file`, () => {
    using temp = tempFolder();
    const world = new TestWorld(temp);
    const dir = created(temp, world);
    const path = secretKeyFile(world, openClosed(dir, world).discoveryKey);
    Deno.writeFileSync(path, forge(Deno.readFileSync(path)));
    const before = archiveBytes(dir);
    // Who only reads goes by the half that names the archive: nothing is signed with the other one.
    const read = what === "whose halves do not belong together" ? [] : ["read" as const];
    for (const access of [...read, "write" as const]) {
      assert.throws(
        () => openArchive(dir, { world, access }),
        (error) => error instanceof StorageError && error.message.includes(path),
      );
    }
    assert.deepEqual(archiveBytes(dir), before);
  });
}

Deno.test("a secret key that others can read is warned about, with what to do", () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const dir = created(temp, world);
  const path = secretKeyFile(world, openClosed(dir, world).discoveryKey);
  for (const mode of [0o644, 0o640, 0o604]) {
    Deno.chmodSync(path, mode);
    const { warning, owned } = openClosed(dir, world);
    assert.ok(owned);
    assert.ok(warning!.includes(`chmod 600 "${path}"`), warning);
  }
  Deno.chmodSync(path, 0o400);
  assert.equal(openClosed(dir, world).warning, undefined);
});

Deno.test("openArchive() finds no archive where there is none", () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  for (const dir of [temp.join("nowhere"), temp.folder("empty")]) {
    for (const access of ["read", "write"] as const) {
      assert.throws(() => openArchive(dir, { world, access }), NotFoundError);
    }
  }
  assert.throws(() => Deno.lstatSync(temp.join("nowhere")), Deno.errors.NotFound);
  assert.deepEqual([...Deno.readDirSync(temp.join("empty"))], []);
});

Deno.test("openArchive() refuses a key that is cut short", () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const dir = created(temp, world);
  Deno.truncateSync(archivePaths(dir).feed("metadata", "key"), 31);
  assert.throws(() => openArchive(dir, { world, access: "read" }), StorageError);
  assert.throws(() => openArchive(dir, { world, access: "write" }), StorageError);
});

Deno.test("openArchive() refuses the content of another archive, and lets go of everything", () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const dir = created(temp, world);
  const path = archivePaths(dir).feed("content", "key");
  const contentKey = Deno.readFileSync(path);
  Deno.writeFileSync(path, new Uint8Array(32).fill(1));
  assert.throws(() => openArchive(dir, { world, access: "write" }), StorageError);
  Deno.writeFileSync(path, contentKey);
  // The lock is free again.
  using _archive = openArchive(dir, { world, access: "write" });
});

for (const name of ["metadata.tree", "metadata.bitfield", "content.tree", "content.signatures"]) {
  Deno.test(`openArchive() refuses a ${name} of another kind, and lets go of everything`, () => {
    using temp = tempFolder();
    const world = new TestWorld(temp);
    const dir = created(temp, world);
    Deno.writeFileSync(join(dir, ".dat", name), new Uint8Array(100).fill(0x55));
    assert.throws(() => openArchive(dir, { world, access: "read" }), StorageError);
    assert.throws(() => openArchive(dir, { world, access: "write" }), StorageError);
  });
}

Deno.test("openArchive() for reading changes no byte and needs no lock", () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const dir = created(temp, world);
  const before = archiveBytes(dir);
  {
    using archive = openArchive(dir, { world, access: "read" });
    assert.ok(archive.owned);
    assert.ok(!archive.writable);
    using second = openArchive(dir, { world, access: "read" });
    assert.equal(second.link, archive.link);
  }
  assert.deepEqual(archiveBytes(dir), before);
});

Deno.test("an owner's archive without its bitfield is not begun anew", () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const dir = created(temp, world);
  const { link } = openClosed(dir, world);
  Deno.removeSync(archivePaths(dir).feed("metadata", "bitfield"));
  {
    using archive = openArchive(dir, { world, access: "write" });
    assert.equal(archive.link, link);
    assertEmpty(archive, world);
  }
  assert.deepEqual(sizes(dir), NEW_FILES);
});

Deno.test("a second opening for writing is refused and names the process, until the first ends", () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const dir = created(temp, world);
  {
    using _archive = openArchive(dir, { world, access: "write" });
    assert.throws(
      () => openArchive(dir, { world, access: "write" }),
      (error) => {
        assert.ok(error instanceof LockedError);
        assert.match(error.message, /process 4242 \(since 2100-01-01T00:00:00\.000Z\)/);
        return true;
      },
    );
    const publicKey = Deno.readFileSync(archivePaths(dir).feed("metadata", "key"));
    assert.throws(() => openClone(dir, { world, publicKey }), LockedError);
    using reader = openArchive(dir, { world, access: "read" });
    assert.equal(reader.version, 0);
    assert.ok(Deno.statSync(archivePaths(dir).lock).isFile, "the note is still there");
  }
  using _archive = openArchive(dir, { world, access: "write" });
});

for (const note of ["", "garbage", "99999999 2020-01-01T00:00:00.000Z\n", "\u001b[2J 1\n"]) {
  Deno.test(`a note ${JSON.stringify(note)} of a process that is gone does not lock`, () => {
    using temp = tempFolder();
    const world = new TestWorld(temp);
    const dir = created(temp, world);
    const { lock } = archivePaths(dir);
    Deno.writeTextFileSync(lock, note);
    {
      using _archive = openArchive(dir, { world, access: "write" });
      assert.match(Deno.readTextFileSync(lock), /^4242 2100-/);
      // Somebody else's note is no reason to say something strange.
      Deno.writeTextFileSync(lock, note);
      assert.throws(
        () => openArchive(dir, { world, access: "write" }),
        (error) => {
          assert.ok(error instanceof LockedError);
          assert.match(error.message, /: (another process|process \d+ \(since \S+\)) has it open/);
          assert.equal(printable(error.message), error.message);
          return true;
        },
      );
    }
    assert.throws(() => Deno.statSync(lock), Deno.errors.NotFound);
  });
}

Deno.test("openClone() makes a folder for the key and nothing of an owner", () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const { publicKey } = keyPair(new Uint8Array(32).fill(3));
  const dir = temp.join("copy");
  {
    using archive = openClone(dir, { world, publicKey });
    assert.ok(!archive.owned);
    assert.equal(archive.metadata.length, 0);
    assert.equal(archive.content, undefined);
    assert.throws(() => archive.openContent(), NotFoundError);
  }
  assert.deepEqual(sizes(dir), {
    "metadata.bitfield": 32,
    "metadata.key": 32,
    "metadata.signatures": 32,
    "metadata.tree": 32,
  });
  assert.deepEqual([...Deno.readDirSync(temp.join("home"))], []);
  using again = openClone(dir, { world, publicKey });
  assert.deepEqual(again.metadata.publicKey, publicKey);
});

Deno.test("openClone() refuses the folder of another archive and says whose it is", () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const dir = created(temp, world);
  const { link } = openClosed(dir, world);
  const before = archiveBytes(dir);
  const { publicKey } = keyPair(new Uint8Array(32).fill(3));
  assert.throws(
    () => openClone(dir, { world, publicKey }),
    (error) => error instanceof UsageError && error.hint!.includes(link),
  );
  assert.deepEqual(archiveBytes(dir), before);
});

Deno.test("a hundred archives are opened and closed without a handle left over", () => {
  // The sanitizer of resources is what fails here.
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const dirs = Array.from({ length: 10 }, (_, n) => created(temp, world, `folder-${n}`));
  for (let round = 0; round < 10; round++) {
    const open = dirs.map((dir) =>
      openArchive(dir, { world, access: round % 2 ? "read" : "write" })
    );
    for (const archive of open) archive[Symbol.dispose]();
  }
});

Deno.test("a disk that does not say what is there is told, with the file, and taken for nothing else", () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const dir = created(temp, world);
  const key = Deno.readFileSync(join(dir, ".dat", "metadata.key"));
  for (const name of ["content.data", toHex(discoveryKey(key)).slice(2)]) {
    using _hooks = new DiskHooks([temp.path], {
      before({ kind, path }) {
        if (kind === "look" && path.endsWith(name)) throw new Error("Input/output error");
      },
    });
    assert.throws(() => {
      using archive = openArchive(dir, { world, access: "write" });
      return archive.keepsHistory;
    }, (error) => error instanceof StorageError && error.message.includes(name));
  }
});
