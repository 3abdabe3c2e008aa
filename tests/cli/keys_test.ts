/** `trove keys`: telling where keys are, and carrying the secret one to another machine. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { createArchive, openArchive } from "../../src/app/open_archive.ts";
import { encodeIndex } from "../../src/core/archive/entry.ts";
import { rootHash } from "../../src/crypto/hash.ts";
import { verify } from "../../src/crypto/sign.ts";
import { DataFile } from "../../src/io/data_file.ts";
import { FeedStore } from "../../src/io/feed_store.ts";
import { openFile } from "../../src/io/random_access.ts";
import {
  archiveBytes,
  borrowArchive,
  copyTree,
  secretKeyFile,
  vectorArchives,
} from "../support/archives.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { type Ran, runIn, TestWorld } from "../support/test_world.ts";
import { readVector, vectorsDir } from "../support/vectors.ts";
import { assertSameBytes } from "../support/same_bytes.ts";

interface Made {
  readonly owner: TestWorld;
  readonly other: TestWorld;
  readonly dir: string;
  /** The same archive, where the secret key is not known. */
  readonly copy: string;
  readonly link: string;
  readonly discoveryKey: string;
  readonly hex: string;
}

/** An archive, and a copy of its folder for another user. */
function made(temp: TempFolder): Made {
  const [owner, other] = [new TestWorld(temp), new TestWorld(temp, { home: "other home" })];
  const [dir, copy] = [temp.folder("folder"), temp.join("copy")];
  let link: string, discoveryKey: string;
  {
    using archive = createArchive(dir, owner);
    ({ link, discoveryKey } = archive);
  }
  copyTree(dir, copy);
  Deno.removeSync(join(copy, ".dat/metadata.ogd"));
  const hex = Deno.readFileSync(secretKeyFile(owner, discoveryKey)).toHex();
  return { owner, other, dir, copy, link, discoveryKey, hex };
}

const permissions = (path: string) => Deno.statSync(path).mode! & 0o777;

/** All that a command printed, and its files but the one of the key, have no secret in them. */
function assertSecret({ stdout, stderr }: Ran, hex: string): void {
  const seed = hex.slice(0, 64);
  for (const text of [stdout, stderr]) {
    assert.ok(!text.toLowerCase().includes(seed), "the secret key is printed");
    assert.ok(!text.toLowerCase().includes(seed.slice(4, 40)), "part of the secret key is printed");
  }
}

Deno.test("keys tells link, discovery key and where the secret key is, and not what it is", async () => {
  using temp = tempFolder();
  const { owner, other, dir, copy, link, discoveryKey, hex } = made(temp);
  const file = secretKeyFile(owner, discoveryKey);
  const mine = await runIn(owner, "keys", dir);
  assert.equal(mine.code, 0);
  for (const text of [link, discoveryKey, dir, file, "yours to make"]) {
    assert.ok(mine.stdout.includes(text), text);
  }
  assertSecret(mine, hex);
  assert.deepEqual({ ...(await runIn(owner, "keys", dir, "--json")).json[0], time: undefined }, {
    event: "keys",
    ...{ link, discoveryKey, dir, writable: true, secretKey: file, readableByOthers: false },
    dnsName: `${discoveryKey.slice(0, 40)}.dat.local`,
    time: undefined,
  });
  const theirs = (await runIn(other, "keys", copy, "--json")).json[0];
  assert.equal(theirs.writable, false);
  assert.equal(theirs.secretKey, undefined);
  assert.match((await runIn(other, "keys", copy)).stdout, /secret key +not here/);

  // A clone of one's own archive: the key is here, but the folder does not say that it began here.
  const clone = (await runIn(owner, "keys", copy, "--json")).json[0];
  assert.equal(clone.writable, false);
  assert.equal(clone.secretKey, file);
  assert.match(clone.problem, /copy; trove keys import/);
});

Deno.test("keys --discovery prints the discovery key alone, of a folder and of a bare link", async () => {
  using temp = tempFolder();
  const { owner, dir, link, discoveryKey } = made(temp);
  for (const what of [dir, link, link.slice(6), `${link}+3`]) {
    const { code, stdout } = await runIn(owner, "keys", "--discovery", what);
    assert.deepEqual([code, stdout], [0, `${discoveryKey}\n`]);
  }
  const { keys } = readVector<{ keys: { publicKey: string; discoveryKey: string }[] }>(
    "crypto.json",
  );
  for (const key of keys) {
    const { json } = await runIn(owner, "keys", key.publicKey, "--json");
    assert.equal(json[0].discoveryKey, key.discoveryKey);
    assert.equal(json[0].writable, false);
  }
});

Deno.test("keys warns of a secret key that others can read, and of one that does not fit", async () => {
  using temp = tempFolder();
  const { owner, dir, discoveryKey } = made(temp);
  const file = secretKeyFile(owner, discoveryKey);
  Deno.chmodSync(file, 0o644);
  const exposed = await runIn(owner, "keys", dir);
  assert.match(exposed.stdout, /others can read the secret key; run: chmod 600/);
  assert.equal((await runIn(owner, "keys", dir, "--json")).json[0].readableByOthers, true);
  Deno.writeFileSync(file, new Uint8Array(64).fill(1));
  const { code, json } = await runIn(owner, "keys", dir, "--json");
  assert.equal(code, 0);
  assert.equal(json[0].writable, false);
  assert.match(json[0].problem, /belongs to another archive/);
});

Deno.test("keys export prints 128 hex digits, and the key's bytes are those of the store", async () => {
  using temp = tempFolder();
  const { owner, other, dir, copy, link, hex } = made(temp);
  const { code, stdout } = await runIn(owner, "keys", "export", dir);
  assert.deepEqual([code, stdout], [0, `${hex}\n`]);
  const { json } = await runIn(owner, "keys", "export", dir, "--json");
  assert.deepEqual([json[0].event, json[0].link, json[0].hex], ["keys", link, hex]);
  const none = await runIn(other, "keys", "export", copy);
  assert.equal(none.code, 9);
  assert.match(none.stderr, /^error: Cannot export the secret key of .*: it is not here/m);
});

Deno.test("keys export --output makes a file for its owner alone, and replaces none unasked", async () => {
  using temp = tempFolder();
  const { owner, dir, hex } = made(temp);
  const file = temp.join("key.txt");
  const ran = await runIn(owner, "keys", "export", dir, "--output", file);
  assert.equal(ran.code, 0);
  assertSecret(ran, hex);
  assert.equal(Deno.readTextFileSync(file), `${hex}\n`);
  assert.equal(permissions(file), 0o600);

  Deno.writeTextFileSync(file, "mine", { mode: 0o644 });
  Deno.chmodSync(file, 0o644);
  const again = await runIn(owner, "keys", "export", dir, "-o", file);
  assert.equal(again.code, 2);
  assert.match(again.stderr, /it exists; choose another name, or add --overwrite/);
  assert.equal(Deno.readTextFileSync(file), "mine");
  assert.equal((await runIn(owner, "keys", "export", dir, "-o", file, "--overwrite")).code, 0);
  assert.equal(Deno.readTextFileSync(file), `${hex}\n`);
  assert.equal(permissions(file), 0o600);

  // A link that somebody laid there is neither followed nor replaced.
  const target = temp.join("target");
  Deno.symlinkSync(target, temp.join("link"));
  assert.equal((await runIn(owner, "keys", "export", dir, "-o", temp.join("link"))).code, 2);
  assert.throws(() => Deno.statSync(target), Deno.errors.NotFound);
  assert.equal(
    (await runIn(owner, "keys", "export", dir, "-o", temp.join("no/such/folder"))).code,
    6,
  );
  const names = [...Deno.readDirSync(temp.path)].map((entry) => entry.name).sort();
  assert.deepEqual(names, ["copy", "folder", "home", "key.txt", "link", "other home"]);
});

Deno.test("keys export writes into no archive's folder, where a share would publish it", async () => {
  using temp = tempFolder();
  const { owner, dir, copy, hex } = made(temp);
  Deno.mkdirSync(join(copy, "deep/down"), { recursive: true });
  Deno.symlinkSync(join(copy, "deep"), temp.join("way in"));
  for (const file of [join(dir, "k"), join(copy, "deep/down/k"), temp.join("way in/k")]) {
    const ran = await runIn(owner, "keys", "export", dir, "--output", file);
    assert.equal(ran.code, 2);
    assert.match(ran.stderr, /may be shared with everybody; choose a place outside/);
    assertSecret(ran, hex);
    assert.throws(() => Deno.statSync(file), Deno.errors.NotFound);
  }
});

/** The ways in which a key can be given, and what each command line and world is then. */
const WAYS: readonly [string, (world: TestWorld, hex: string, temp: TempFolder) => string[]][] = [
  ["stdin", (world, hex) => {
    world.stdin.bytes = new TextEncoder().encode(`\n  ${hex.toUpperCase()} \r\n`);
    return [];
  }],
  ["a hidden prompt", (world, hex) => {
    world.stdin.isTerminal = true;
    world.stdin.typed = `${hex} `;
    return [];
  }],
  ["a file", (_, hex, temp) => {
    Deno.writeTextFileSync(temp.join("exported"), `${hex}\n`);
    return ["--file", "exported"];
  }],
  ["a file of the key store", (_, hex, temp) => {
    Deno.writeFileSync(temp.join("raw"), Uint8Array.fromHex(hex));
    return ["--file", "raw"];
  }],
];

for (const [way, give] of WAYS) {
  Deno.test(`keys import takes a key from ${way} and makes an owner of it`, async () => {
    using temp = tempFolder();
    const { other, copy, discoveryKey, hex } = made(temp);
    const ran = await runIn(other, "keys", "import", copy, ...give(other, hex, temp));
    assert.equal(ran.code, 0, ran.stderr);
    assertSecret(ran, hex);
    assert.match(ran.stderr, /Before you share, bring the folder up to date .* trove pull/);
    assert.equal(other.stdin.prompts.length, way === "a hidden prompt" ? 1 : 0);

    const file = secretKeyFile(other, discoveryKey);
    assert.equal(Deno.readFileSync(file).toHex(), hex);
    assert.equal(permissions(file), 0o600);
    assert.equal(permissions(join(other.homeFolder!, ".dat/secret_keys")), 0o700);
    assertSameBytes(Deno.readFileSync(join(copy, ".dat/metadata.ogd")), new Uint8Array(1));
    using archive = openArchive(copy, { world: other, access: "write" });
    assert.ok(archive.writable);
    assert.equal(archive.warning, undefined);
    archive.metadata.append([new Uint8Array(3)]);
    const { metadata } = archive;
    assert.ok(verify(rootHash(metadata.roots), metadata.signature(2)!, metadata.publicKey));
    assert.ok(archive.content!.writable);
  });
}

Deno.test("keys import of the key that is here says so and changes nothing", async () => {
  using temp = tempFolder();
  const { owner, dir, hex } = made(temp);
  const before = archiveBytes(dir);
  owner.stdin.bytes = new TextEncoder().encode(hex);
  const ran = await runIn(owner, "keys", "import", dir);
  assert.equal(ran.code, 0);
  assert.match(ran.stderr, /This key is here already/);
  const { json } = await runIn(owner, "keys", "import", dir, "--json");
  assert.deepEqual([json[0].action, json[0].already, json[0].writable], ["import", true, true]);
  assert.deepEqual(archiveBytes(dir), before);
});

const flip = (hex: string, at: number) =>
  hex.slice(0, at) + (hex[at] === "0" ? "1" : "0") + hex.slice(at + 1);

/** Inputs that are no key of this archive, and what is said about each. */
const WRONG: readonly [string, (hex: string, link: string) => string, RegExp][] = [
  ["an empty input", () => "", /it is empty, and 128 hex digits are needed/],
  ["the link", (_, link) => link.slice(6), /it has 64 hex digits/],
  ["half of it", (hex) => hex.slice(0, 64), /it has 64 hex digits/],
  ["a digit too few", (hex) => hex.slice(1), /it has 127 hex digits/],
  ["a digit too many", (hex) => `${hex}0`, /it has 129 hex digits/],
  ["other letters", (hex) => `${hex.slice(0, 127)}g`, /128 characters and not all of them hex/],
  ["two lines", (hex) => `${hex.slice(0, 64)}\n${hex.slice(64)}`, /129 characters/],
  ["a wrong digit in front", (hex) => flip(hex, 3), /its two halves do not belong together/],
  ["a wrong digit at the end", (hex) => flip(hex, 127), /its two halves do not belong together/],
];

for (const [what, change, expected] of WRONG) {
  Deno.test(`keys import refuses ${what}, and writes nothing`, async () => {
    using temp = tempFolder();
    const { other, copy, link, hex } = made(temp);
    const before = archiveBytes(copy);
    other.stdin.bytes = new TextEncoder().encode(change(hex, link));
    const ran = await runIn(other, "keys", "import", copy);
    assert.equal(ran.code, 2);
    assert.match(ran.stderr, expected);
    assertSecret(ran, hex);
    assert.deepEqual(archiveBytes(copy), before);
    assert.deepEqual([...Deno.readDirSync(other.homeFolder!)], []);
  });
}

Deno.test("keys import refuses the key of another archive, and names both", async () => {
  using temp = tempFolder();
  const { other, copy, link } = made(temp);
  let theirs: string, secret: string;
  {
    using archive = createArchive(temp.folder("another"), other);
    theirs = archive.link;
    secret = Deno.readFileSync(secretKeyFile(other, archive.discoveryKey)).toHex();
  }
  other.stdin.bytes = new TextEncoder().encode(secret);
  const before = archiveBytes(copy);
  const ran = await runIn(other, "keys", "import", copy);
  assert.equal(ran.code, 2);
  assert.ok(ran.stderr.includes(theirs) && ran.stderr.includes(link));
  assertSecret(ran, secret);
  assert.deepEqual(archiveBytes(copy), before);
});

Deno.test("keys import asks nobody with --no-input, and takes no for an answer", async () => {
  using temp = tempFolder();
  const { other, copy, hex } = made(temp);
  other.stdin.isTerminal = true;
  other.stdin.typed = hex;
  const silent = await runIn(other, "keys", "import", copy, "--no-input");
  assert.equal(silent.code, 2);
  assert.deepEqual(other.stdin.prompts, []);
  other.stdin.typed = undefined;
  assert.equal((await runIn(other, "keys", "import", copy)).code, 2);
  assert.equal((await runIn(other, "keys", "import", copy, "--file", "nothing")).code, 9);
  assert.equal((await runIn(other, "keys", "import", copy, "--file", ".")).code, 2);
  Deno.writeFileSync(temp.join("large"), new Uint8Array(5000));
  assert.equal((await runIn(other, "keys", "import", copy, "--file", "large")).code, 2);
});

Deno.test("keys import waits for no other process that has the archive open", async () => {
  using temp = tempFolder();
  const { other, copy, hex } = made(temp);
  using _archive = openArchive(copy, { world: other, access: "write" });
  other.stdin.bytes = new TextEncoder().encode(hex);
  assert.equal((await runIn(other, "keys", "import", copy)).code, 7);
  assert.deepEqual([...Deno.readDirSync(other.homeFolder!)], []);
});

Deno.test("keys import puts a stored key right that does not fit, and keeps what was there", async () => {
  using temp = tempFolder();
  const { owner, dir, discoveryKey, hex } = made(temp);
  const file = secretKeyFile(owner, discoveryKey);
  Deno.writeTextFileSync(file, "spoiled");
  owner.stdin.bytes = new TextEncoder().encode(hex);
  const ran = await runIn(owner, "keys", "import", dir);
  assert.equal(ran.code, 0);
  assert.match(ran.stderr, /does not fit the archive and is now in/);
  assert.equal(Deno.readFileSync(file).toHex(), hex);
  assert.equal(Deno.readTextFileSync(`${file}.unusable`), "spoiled");
});

Deno.test("keys import warns where the content has a key of its own", async () => {
  using temp = tempFolder();
  const { owner, other, dir, copy, discoveryKey, hex } = made(temp);
  // The same metadata key, and another content feed in block 0.
  const files = ["data", "tree", "signatures", "bitfield"].map((name) => `metadata.${name}`);
  for (const name of files) Deno.removeSync(join(dir, ".dat", name));
  for (const name of Deno.readDirSync(join(dir, ".dat"))) {
    if (name.name.startsWith("content")) Deno.removeSync(join(dir, ".dat", name.name));
  }
  const open = (name: string) =>
    openFile(join(dir, ".dat", `metadata.${name}`), { access: "write" });
  {
    using metadata = FeedStore.open({
      files: {
        ...{ tree: open("tree"), signatures: open("signatures"), bitfield: open("bitfield") },
        blocks: new DataFile(open("data")),
      },
      publicKey: Deno.readFileSync(join(dir, ".dat/metadata.key")),
      secretKey: Deno.readFileSync(secretKeyFile(owner, discoveryKey)),
      access: "write",
    });
    metadata.append([encodeIndex(new Uint8Array(32).fill(5))]);
    metadata.commit();
  }
  Deno.removeSync(copy, { recursive: true });
  copyTree(dir, copy);
  other.stdin.bytes = new TextEncoder().encode(hex);
  const ran = await runIn(other, "keys", "import", copy);
  assert.equal(ran.code, 0, ran.stderr);
  assert.match(ran.stderr, /warning: The content of this archive has a secret key of its own/);
});

Deno.test("the secret keys of the vectors are exported as their files have them, and imported", async () => {
  using temp = tempFolder();
  for (const name of vectorArchives({ owned: true })) {
    const owner = new TestWorld(temp, { home: `home ${name}` });
    const { dir, expected } = borrowArchive(name, temp, owner);
    const stored = join(vectorsDir(), "archives", `${name}.secret_keys`);
    const [folder] = [...Deno.readDirSync(stored)];
    const [file] = [...Deno.readDirSync(join(stored, folder.name))];
    const hex = Deno.readFileSync(join(stored, folder.name, file.name)).toHex();
    const exported = await runIn(owner, "keys", "export", dir);
    assert.equal(exported.stdout, `${hex}\n`, name);
    const stranger = new TestWorld(temp, { home: `stranger ${name}` });
    Deno.removeSync(join(dir, ".dat/metadata.ogd"));
    stranger.stdin.bytes = new TextEncoder().encode(exported.stdout);
    const { code, json } = await runIn(stranger, "keys", "import", dir, "--json");
    assert.equal(code, 0);
    assert.equal(json[0].link, `dat://${expected.key}`);
    assert.equal(json[0].discoveryKey, expected.discoveryKey);
    assert.equal(json[0].writable, true);
    assert.deepEqual(json.slice(1), []);
  }
});
