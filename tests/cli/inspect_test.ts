/** `trove inspect` shows what the vectors say is there, and what is left of a damaged archive. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { concat, fromHex, toHex } from "../../src/base/bytes.ts";
import type { TreeNode } from "../../src/core/feed/node.ts";
import { verifyData } from "../../src/core/feed/verify.ts";
import { leafHash } from "../../src/crypto/hash.ts";
import { DataFile } from "../../src/io/data_file.ts";
import { FeedStore } from "../../src/io/feed_store.ts";
import { openFile } from "../../src/io/random_access.ts";
import {
  archiveBytes,
  borrowArchive,
  copyTree,
  vectorArchives,
  vectorFeedFolders,
} from "../support/archives.ts";
import { type RecordedFeed, singleProofs } from "../support/proof_vectors.ts";
import { inspect } from "../support/inspecting.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { type JsonLine, runIn, TestWorld } from "../support/test_world.ts";
import { readVector, vectorsDir } from "../support/vectors.ts";

interface SleepVector {
  readonly dir: string;
  readonly key: string;
  readonly discoveryKey: string;
  readonly length: number;
  readonly byteLength: number;
  readonly present: readonly (readonly [number, number])[];
  readonly roots: readonly { index: number; size: number; hash: string }[];
  readonly blockSizes: readonly (number | null)[] | { all: number | null };
  readonly sampleBlocks: Readonly<Record<string, string>>;
}

for (const vector of readVector<{ feeds: SleepVector[] }>("sleep/expected.json").feeds) {
  Deno.test(`inspect shows the feed ${vector.dir} as recorded`, async () => {
    using temp = tempFolder();
    const world = new TestWorld(temp);
    const dir = join(vectorsDir(), "sleep", vector.dir);
    const [shown] = await inspect(world, dir);
    const { key, discoveryKey, length, byteLength } = vector;
    assert.deepEqual(
      [shown.what, shown.key, shown.discoveryKey, shown.length, shown.byteLength],
      ["feed", key, discoveryKey, length, byteLength],
    );
    assert.equal(shown.held, vector.present.reduce((sum, [start, end]) => sum + end - start, 0));
    assert.deepEqual(
      shown.roots,
      vector.roots.map(({ index, hash, size }) => ({ node: index, hash, size })),
    );
    if (length > 0) {
      assert.deepEqual([shown.signature.length, shown.signature.good], [length, true]);
    } else assert.equal(shown.signature, undefined);
    for (const file of shown.files) {
      assert.equal(file.problem, undefined);
      assert.equal(file.size, Deno.statSync(file.path).size);
    }

    const sizeOf = (block: number) =>
      Array.isArray(vector.blockSizes) ? vector.blockSizes[block] : undefined;
    for (const [number, hex] of Object.entries(vector.sampleBlocks)) {
      const [block] = await inspect(world, "block", number, "-d", dir);
      assert.equal(block.size, hex.length / 2);
      assert.equal(block.size, sizeOf(Number(number)) ?? block.size);
      assert.deepEqual([block.held, block.matches], [true, true]);
      assert.equal(block.leafHash, toHex(leafHash(fromHex(hex))));
      const from = world.stdout.pieces.length;
      assert.equal((await runIn(world, "inspect", "block", number, "-d", dir, "--raw")).code, 0);
      assert.equal(toHex(concat(world.stdout.pieces.slice(from))), hex);
      const [proof] = await inspect(world, "proof", number, "-d", dir);
      assert.equal(proof.verifies, true);
      const [leaf] = await inspect(world, "node", `${2 * Number(number)}`, "-d", dir);
      assert.deepEqual([leaf.hash, leaf.size, leaf.held], [block.leafHash, block.size, true]);
    }
    for (const root of vector.roots) {
      const [node] = await inspect(world, "node", `${root.index}`, "-d", dir);
      assert.deepEqual([node.hash, node.size, node.root], [root.hash, root.size, true]);
      assert.notEqual(node.matchesChildren, false);
    }
  });
}

interface MetadataVector {
  readonly seq: number;
  readonly bytes: string;
  readonly index?: { readonly content: string };
  readonly name?: string;
  readonly stat?: Readonly<Record<string, number | string>>;
  readonly paths?: { readonly lists: readonly (readonly number[])[] };
}

interface ArchiveDetails {
  readonly key: string;
  readonly contentKey: string;
  readonly metadataLength: number;
  readonly metadataByteLength: number;
  readonly contentLength: number;
  readonly contentByteLength: number;
  readonly contentBlocksPresent: readonly (readonly [number, number])[];
  readonly metadata: readonly MetadataVector[];
}

/** Every archive of the vectors, copied. */
function* copiedArchives(temp: TempFolder): Generator<[string, string, TestWorld]> {
  for (const name of [...vectorArchives({ owned: true }), ...vectorArchives({ owned: false })]) {
    const world = new TestWorld(temp, { home: `home of ${name}` });
    yield [name, borrowArchive(name, temp, world).dir, world];
  }
  for (const [name, from] of vectorFeedFolders()) {
    const dir = temp.join(name);
    copyTree(from, dir);
    yield [name, dir, new TestWorld(temp, { home: `home of ${name}` })];
  }
}

Deno.test("inspect shows both feeds and every entry of the vector archives, and changes nothing", async () => {
  using temp = tempFolder();
  let count = 0;
  for (const [name, dir, world] of copiedArchives(temp)) {
    count++;
    const expected = readVector<ArchiveDetails>(`archives/${name}.json`);
    const layout = dir.endsWith("full-history") ? dir : undefined;
    const before = layout === undefined ? archiveBytes(dir) : undefined;
    const [metadata, content] = await inspect(world, dir);
    assert.deepEqual(
      [metadata.feed, metadata.key, metadata.length, metadata.byteLength],
      ["metadata", expected.key, expected.metadataLength, expected.metadataByteLength],
      name,
    );
    assert.deepEqual(
      [content.feed, content.key, content.length, content.byteLength],
      ["content", expected.contentKey, expected.contentLength, expected.contentByteLength],
      name,
    );
    assert.ok(metadata.signature.good && content.signature.good, name);

    for (const { seq, bytes, index, name: path, stat, paths } of expected.metadata) {
      const [entry] = await inspect(world, "entry", `${seq}`, "-d", dir);
      assert.deepEqual([entry.version, entry.size, entry.matches], [seq, bytes.length / 2, true]);
      if (index !== undefined) {
        assert.deepEqual([entry.type, entry.contentKey], ["index", index.content]);
        continue;
      }
      assert.deepEqual([entry.type, entry.path], [stat ? "put" : "del", path]);
      const { bytes: _bytes, ...fields } = stat ?? {};
      const { absent: _absent, ...shown } = entry.stat ?? {};
      assert.deepEqual(shown, fields);
      const lists = entry.children.map(({ versions }: { versions: number[] }) => versions);
      assert.deepEqual(lists, paths!.lists);
    }
    // Where the bytes of a block still lie under a file's name, or in `content.data`.
    for (const [start, end] of expected.contentBlocksPresent) {
      for (let block = start; block < end; block++) {
        const [shown] = await inspect(world, "block", `${block}`, "--feed", "content", "-d", dir);
        assert.deepEqual([shown.held, shown.matches], [true, true], `${name}, block ${block}`);
      }
    }
    if (before !== undefined) assert.deepEqual(archiveBytes(dir), before);
  }
  assert.ok(count >= 5);
});

/** A feed on disk with what the recorded exchanges let a reader know. */
function storeFeed(temp: TempFolder, name: string, recorded: RecordedFeed): string {
  const dir = temp.folder(name);
  Deno.writeFileSync(join(dir, "key"), recorded.publicKey);
  const open = (file: string) => openFile(join(dir, file), { access: "write" });
  using feed = FeedStore.open({
    files: {
      ...{ tree: open("tree"), signatures: open("signatures"), bitfield: open("bitfield") },
      blocks: new DataFile(open("data")),
    },
    publicKey: recorded.publicKey,
    access: "write",
  });
  for (const { request, data } of recorded.exchanges) {
    if (request.hashOnly || data.value !== undefined) feed.put(verifyData(feed, data));
  }
  feed.commit();
  return dir;
}

Deno.test("inspect proof gives the nodes and the signature that peers were recorded to send", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const shownNodes = (nodes: readonly TreeNode[]) =>
    nodes.map(({ index, hash, size }) => ({ node: index, hash: toHex(hash), size }));
  let compared = 0;
  for (const [i, recorded] of singleProofs().entries()) {
    const dir = storeFeed(temp, `feed ${i}`, recorded);
    for (const { request, data } of recorded.exchanges) {
      const hash = request.hashOnly ? ["--hash"] : [];
      const args = [`${request.block}`, "--digest", `${request.digest}`, ...hash, "-d", dir];
      const [shown] = await inspect(world, "proof", ...args);
      assert.deepEqual(shown.nodes, shownNodes(data.nodes), recorded.name);
      assert.equal(shown.signature, data.signature && toHex(data.signature));
      assert.equal(shown.verifies, true);
      compared++;
    }
  }
  assert.ok(compared > 50, `${compared} proofs`);
});

/** Damage to an archive, and what the summary still shows. */
const DAMAGES: readonly [string, (dat: string) => void, (feed: JsonLine) => void][] = [
  [
    "its bitfield is gone",
    (dat) => Deno.removeSync(join(dat, "metadata.bitfield")),
    ({ length, held, signature }) => {
      assert.deepEqual([length, held, signature.length, signature.good], [0, 0, 10, true]);
    },
  ],
  [
    "its tree is cut",
    (dat) => Deno.truncateSync(join(dat, "metadata.tree"), 500),
    ({ length, roots, signature }) => {
      assert.equal(length, 10);
      assert.deepEqual(roots.map(({ node }: { node: number }) => node), [7]);
      assert.deepEqual([signature.length, signature.good], [10, undefined]);
    },
  ],
  [
    "its key is gone",
    (dat) => Deno.removeSync(join(dat, "metadata.key")),
    ({ key, length, signature }) => {
      assert.deepEqual([key, length, signature.good], [undefined, 10, undefined]);
    },
  ],
  [
    "the newest signature is wrong",
    (dat) => {
      using file = Deno.openSync(join(dat, "metadata.signatures"), { write: true });
      file.seekSync(32 + 9 * 64 + 5, Deno.SeekMode.Start);
      file.writeSync(new Uint8Array([1, 2, 3]));
    },
    ({ signature }) => assert.equal(signature.good, false),
  ],
  [
    "its signatures are of another kind",
    (dat) => Deno.copyFileSync(join(dat, "metadata.tree"), join(dat, "metadata.signatures")),
    ({ length, files }) => {
      assert.equal(length, 10);
      assert.equal(files[1].type, "tree");
    },
  ],
  [
    "a node has an absurd size",
    (dat) => {
      using file = Deno.openSync(join(dat, "metadata.tree"), { write: true });
      file.seekSync(32 + 7 * 40 + 32, Deno.SeekMode.Start);
      file.writeSync(new Uint8Array(8).fill(0xff));
    },
    ({ length, byteLength, roots }) => {
      assert.deepEqual([length, byteLength], [10, undefined]);
      assert.equal(roots.length, 1);
    },
  ],
];

for (const [what, damage, check] of DAMAGES) {
  Deno.test(`inspect shows what is left of an archive when ${what}`, async () => {
    using temp = tempFolder();
    const world = new TestWorld(temp);
    const { dir } = borrowArchive("imported", temp, world);
    damage(join(dir, ".dat"));
    const [metadata, content] = await inspect(world, dir);
    check(metadata);
    assert.deepEqual([content.length, content.signature.good], [10, true]);
    const { code, stdout } = await runIn(world, "inspect", dir);
    assert.equal(code, 0);
    assert.match(stdout, /^feed +metadata$/m);
  });
}

Deno.test("inspect block tells bytes that are wrong or gone from those that are right", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const { dir } = borrowArchive("imported", temp, world);
  const content = ["--feed", "content", "-d", dir];
  const [good] = await inspect(world, "block", "3", ...content);
  assert.equal(good.matches, true);
  const data = join(dir, ".dat/metadata.data");
  const bytes = Deno.readFileSync(data);
  bytes[bytes.length - 1] ^= 1;
  Deno.writeFileSync(data, bytes);
  const [bad] = await inspect(world, "block", "9", "-d", dir);
  assert.deepEqual([bad.held, bad.matches], [true, false]);
  const raw = await runIn(world, "inspect", "block", "9", "-d", dir, "--raw");
  assert.equal(raw.code, 5);
  assert.deepEqual(world.stdout.bytes, bytes.slice(-world.stdout.bytes.length));
  const entry = (await inspect(world, "entry", "8", "-d", dir))[0];
  assert.equal(entry.matches, true);
  Deno.truncateSync(data, bytes.length - 3);
  const [short] = await inspect(world, "block", "9", "-d", dir);
  assert.match(short.problem, /its file ends 3 bytes before it does/);
  assert.equal((await runIn(world, "inspect", "block", "9", "-d", dir, "--raw")).code, 9);
  const [none] = await inspect(world, "block", "500", "-d", dir);
  assert.deepEqual([none.held, none.size, none.matches], [false, undefined, undefined]);
});

Deno.test("inspect finds the archive from inside, and says what it cannot find", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const { dir, expected } = borrowArchive("imported", temp, world);
  world.workFolder = join(dir, "css");
  assert.equal((await inspect(world))[0].key, expected.key);
  const [node] = await inspect(world, "node", "7");
  assert.deepEqual([node.children, node.parent, node.sibling], [[3, 11], 15, 23]);
  assert.deepEqual([node.blocks, node.depth, node.matchesChildren], [[0, 7], 3, true]);
  assert.equal((await runIn(world, "inspect", "node", "7", "--feed", "other")).code, 2);
  assert.equal((await runIn(world, "inspect", "node", "-7")).code, 2);
  assert.equal((await runIn(world, "inspect", "block", "1.5")).code, 2);
  assert.equal((await runIn(world, "inspect", "node", "9007199254740993")).code, 2);
  assert.equal((await runIn(world, "inspect", "proof", "500")).code, 9);
  assert.equal((await runIn(world, "inspect", "entry", "500")).code, 9);
  world.workFolder = temp.folder("elsewhere");
  assert.equal((await runIn(world, "inspect")).code, 9);
});
