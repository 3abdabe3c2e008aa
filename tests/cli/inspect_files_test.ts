/** `trove inspect file` and `trove inspect wire`: single files, told as recorded. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { concat, toHex } from "../../src/base/bytes.ts";
import { inspect } from "../support/inspecting.ts";
import { tempFolder } from "../support/temp.ts";
import { runIn, TestWorld } from "../support/test_world.ts";
import { readVector, vectorsDir } from "../support/vectors.ts";
import { recordedDirections } from "../support/wire_vectors.ts";

Deno.test("inspect file shows header and slots of SLEEP files, and what is wrong with others", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const dir = join(vectorsDir(), "sleep", "hc6-len-5");
  const expected = {
    tree: ["05025702", "tree", 40, "BLAKE2b", 9],
    signatures: ["05025701", "signatures", 64, "Ed25519", 5],
    bitfield: ["05025700", "bitfield", 3584, "", 1],
  };
  for (const [name, [magic, type, entrySize, algorithm, entries]] of Object.entries(expected)) {
    const [file] = await inspect(world, "file", join(dir, name));
    assert.deepEqual(
      [
        file.magic,
        file.type,
        file.version,
        file.entrySize,
        file.algorithm,
        file.entries,
        file.rest,
      ],
      [magic, type, 0, entrySize, algorithm, entries, 0],
    );
    assert.equal(file.problem, undefined);
  }
  const tree = Deno.readFileSync(join(dir, "tree"));
  const [slot] = await inspect(world, "file", join(dir, "tree"), "--slot", "3");
  assert.equal(slot.hex, toHex(tree.subarray(32 + 3 * 40, 32 + 4 * 40)));
  const [node] = await inspect(world, "node", "3", "-d", dir);
  assert.deepEqual(slot.node, { hash: node.hash, size: node.size });
  const [page] = await inspect(world, "file", join(dir, "bitfield"), "--slot", "0");
  assert.deepEqual([page.held, page.size], [5, 3584]);
  const [beyond] = await inspect(world, "file", join(dir, "tree"), "--slot", "99");
  assert.deepEqual([beyond.size, beyond.blank], [0, true]);

  for (
    const [bytes, problem] of [
      [new Uint8Array(32), /does not begin with 05 02 57/],
      [tree.subarray(0, 20), /it has 20 bytes, and a header takes 32/],
      [concat([tree.subarray(0, 5), new Uint8Array(27)]), /.+/],
    ] as const
  ) {
    Deno.writeFileSync(temp.join("odd"), bytes);
    const [odd] = await inspect(world, "file", "odd");
    assert.match(odd.problem, problem);
  }
  Deno.writeFileSync(temp.join("cut"), tree.subarray(0, tree.length - 7));
  assert.equal((await inspect(world, "file", "cut"))[0].rest, 33);
  assert.equal((await runIn(world, "inspect", "file", "nothing")).code, 9);
  assert.equal((await runIn(world, "inspect", "file", "odd", "--slot", "0")).code, 6);
});

interface WireVector {
  readonly sessions: readonly {
    readonly name: string;
    readonly firstFeedKey: string;
    readonly aToB: WireDirection;
    readonly bToA: WireDirection;
  }[];
}

interface WireDirection {
  readonly bytes: string;
  readonly messages: readonly {
    readonly offset: number;
    readonly frame: string;
    readonly channel?: number;
    readonly type?: number;
    readonly name?: string;
    readonly fields?: Readonly<Record<string, unknown>>;
  }[];
}

Deno.test("inspect wire shows every frame of the recorded connections with all its fields", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const names = new Set<string>();
  for (const session of readVector<WireVector>("wire.json").sessions) {
    for (const { bytes, messages } of [session.aToB, session.bToA]) {
      Deno.writeFileSync(temp.join("capture"), Uint8Array.fromBase64(bytes));
      const frames = await inspect(world, "wire", "capture", "--link", session.firstFeedKey);
      assert.equal(frames.length, messages.length, session.name);
      for (const [i, frame] of frames.entries()) {
        const expected = messages[i];
        assert.equal(frame.what, "frame");
        assert.deepEqual([frame.frame, frame.offset], [i, expected.offset]);
        assert.equal(frame.bytes, expected.frame.length / 2);
        assert.equal(frame.problem, undefined);
        if (expected.name === undefined) {
          assert.equal(frame.name, "keepalive");
          continue;
        }
        names.add(frame.name);
        assert.deepEqual(
          [frame.channel, frame.type, frame.name],
          [expected.channel, expected.type, expected.name.toLowerCase()],
        );
        const { bitfieldRuns, name, ...fields } = expected.fields!;
        assert.deepEqual(frame.fields, fields, `${session.name}, frame ${i}`);
        assert.deepEqual(frame.bitfieldRuns, bitfieldRuns);
        if (name !== undefined) assert.equal(frame.extension, name);
      }
    }
  }
  assert.equal(names.size, 9, [...names].join(" "));
});

Deno.test("inspect wire goes as far as a capture can be read, and says where it ends", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const { bytes, frames, publicKey } = recordedDirections()[0];
  const link = toHex(publicKey);
  const run = (data: Uint8Array, ...args: string[]) => {
    Deno.writeFileSync(temp.join("capture"), data);
    return runIn(world, "inspect", "wire", "capture", "--json", ...args);
  };
  // Without the link: what is in the clear.
  const blind = await run(bytes);
  assert.equal(blind.code, 0);
  assert.equal(blind.json.length, 1);
  assert.equal(blind.json[0].name, "feed");
  // With another one.
  const wrong = await run(bytes, "--link", "ab".repeat(32));
  assert.equal(wrong.code, 2);
  assert.match(wrong.json.at(-1)!.message, /it is of the feed with discovery key 1d69215a/);
  // Cut off, begun in the middle, garbled, empty.
  const cut = await run(bytes.slice(0, 400), "--link", link);
  assert.equal(cut.code, 1);
  assert.match(cut.json.at(-1)!.message, /the last 75 bytes.*from byte 325 on.*inside of a frame/);
  assert.equal(cut.json.length, 6);
  const middle = await run(bytes.slice(100), "--link", link);
  assert.equal(middle.code, 1);
  assert.match(middle.json.at(-1)!.message, /it does not begin with a Feed/);
  const garbled = bytes.slice();
  garbled[62 + 1] ^= 0xff; // the header of the second frame
  const odd = await run(garbled, "--link", link);
  assert.ok(odd.json.some(({ problem, event }) => problem !== undefined || event === "error"));
  const nothing = await run(new Uint8Array(0), "--link", link);
  assert.deepEqual([nothing.code, nothing.json], [0, []]);
  assert.equal((await runIn(world, "inspect", "wire", "no such file")).code, 9);

  const words = await runIn(world, "inspect", "wire", "capture");
  assert.equal(words.code, 0);
  Deno.writeFileSync(temp.join("capture"), bytes);
  const lines = (await runIn(world, "inspect", "wire", "capture", "--link", link)).stdout;
  assert.equal(lines.split("\n").length, frames.length + 1);
  assert.match(lines, /^ +102 +4 +0 {2}have {7}start 4, length 1, ack false$/m);
});
