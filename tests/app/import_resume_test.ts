/** Imports that are cut off, at any moment, and gone on with. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ArchiveView } from "../../src/app/archive_view.ts";
import { mapWorkingFiles } from "../../src/app/checkout.ts";
import type { TroveEvent } from "../../src/app/events.ts";
import { type Archive, createArchive, openArchive } from "../../src/app/open_archive.ts";
import { InterruptedError, TroveError } from "../../src/base/errors.ts";
import { importDir, importInto, later, put, testIn, touch } from "../support/importing.ts";
import { Random } from "../support/random.ts";
import type { TestWorld } from "../support/test_world.ts";
import { assertSameBytes } from "../support/same_bytes.ts";

const BLOCK = 64 * 1024;
const MIB = 1024 * 1024;

/** Stands for a kill: nothing is done after it. */
class Killed extends TroveError {}

/** Let time pass at every piece that is read, so that each is a batch; end at the n-th of `path`. */
function killAt(world: TestWorld, path: string, pieces: number): (event: TroveEvent) => void {
  world.clock.monotonicMs = 1000;
  let seen = 0;
  return (event) => {
    if (event.event !== "importing") return;
    world.clock.monotonicMs! += 3000;
    if (event.path === path && ++seen === pieces) throw new Killed("Killed");
  };
}

/** How often a piece of `path` was read. */
function countPieces(world: TestWorld, path: string) {
  world.clock.monotonicMs = 1000;
  const counter = {
    pieces: 0,
    onEvent: (event: TroveEvent) => {
      world.clock.monotonicMs! += 3000;
      if (event.event === "importing" && event.path === path) counter.pieces++;
    },
  };
  return counter;
}

/** Every file of the folder is in the archive as it is on disk, and all that is held is right. */
function assertImported(archive: Archive, dir: string): void {
  assert.deepEqual(archive.metadata.audit().invalid, []);
  mapWorkingFiles(archive);
  const view = new ArchiveView(archive);
  const found = new Map([...view.files()].map((file) => [file.path.slice(1), file]));
  assert.deepEqual(archive.content!.audit().invalid, []);
  const onDisk = [...Deno.readDirSync(dir)].filter((entry) => entry.isFile).map(({ name }) => name);
  assert.deepEqual([...found.keys()].sort(), onDisk.sort());
  for (const [name, file] of found) {
    const bytes = new Uint8Array(file.stat.size);
    let at = 0;
    for (const block of view.read(file)) {
      bytes.set(block, at);
      at += block.length;
    }
    assertSameBytes(bytes, Deno.readFileSync(join(dir, name)), name);
  }
}

/** dat finds a byte's file by halving the log: the byte offsets of all puts have to ascend. */
function assertAscending(archive: Archive): void {
  let last = 0;
  for (let seq = 1; seq <= archive.version; seq++) {
    const stat = archive.entry(seq)!.stat;
    if (stat === undefined) continue;
    assert.ok(stat.byteOffset >= last, `entry ${seq} begins at ${stat.byteOffset}, after ${last}`);
    last = stat.byteOffset + stat.size;
  }
}

const note = (dir: string) => join(dir, ".dat", "trove.import");

for (const history of [false, true]) {
  const mode = history ? "with history" : "in latest mode";

  testIn(
    `a kill in the middle of a file costs what came after the last batch, ${mode}`,
    async (place) => {
      const { world, dir } = place;
      put(dir, "a", 100);
      put(dir, "b", 8 * MIB + 5);
      put(dir, "c", 3);
      put(dir, "empty", "");
      const onEvent = killAt(world, "b", 4);
      await assert.rejects(importDir(dir, world, { onEvent, history }), Killed);
      {
        using archive = openArchive(dir, { world, access: "read" });
        assert.equal(archive.version, 1);
        assert.equal(archive.content!.length, 1 + 3 * 16, "three pieces of a mebibyte are signed");
        const held = archive.content!.countHeld(0, archive.content!.length);
        assert.equal(held, history ? 49 : 1, "a bit says that an entry's file has the bytes");
        assert.ok(existsSync(note(dir)));
      }
      const counter = countPieces(world, "b");
      using archive = openArchive(dir, { world, access: "write" });
      const { entries, same } = await importInto(archive, world, counter);
      assert.deepEqual(entries, ["put /b", "put /c", "put /empty"]);
      assert.equal(same, 1);
      assert.equal(counter.pieces, 6 + 1, "the rest, and the news of its end");
      assert.equal(archive.content!.length, 1 + 8 * 16 + 1 + 1);
      assert.ok(!existsSync(note(dir)));
      assertImported(archive, dir);
      assertAscending(archive);
    },
  );

  testIn(`a kill between content and metadata costs no second copy, ${mode}`, async (place) => {
    const { world, dir } = place;
    for (let n = 0; n < 5; n++) put(dir, `${n}`, n === 2 ? "" : n * 100_000);
    {
      using archive = createArchive(dir, world, { history });
      archive.metadata.append = () => {
        throw new Killed("Killed");
      };
      await assert.rejects(importInto(archive, world), Killed);
    }
    using archive = openArchive(dir, { world, access: "write" });
    assert.deepEqual([archive.version, archive.content!.length], [0, 2 + 5 + 7]);
    const { put: puts } = await importInto(archive, world);
    assert.equal(puts, 5);
    assert.equal(archive.content!.length, 2 + 5 + 7);
    assertImported(archive, dir);
    assertAscending(archive);
  });

  testIn(
    `a file that was touched meanwhile is hashed again and not appended again, ${mode}`,
    async (place) => {
      const { world, dir } = place;
      put(dir, "b", 4 * MIB);
      await assert.rejects(
        importDir(dir, world, { onEvent: killAt(world, "b", 3), history }),
        Killed,
      );
      later(world);
      touch(join(dir, "b"), world);
      later(world);
      const counter = countPieces(world, "b");
      using archive = openArchive(dir, { world, access: "write" });
      await importInto(archive, world, counter);
      assert.equal(counter.pieces, 4 + 1);
      assert.equal(archive.content!.length, 4 * 16);
      assertImported(archive, dir);
    },
  );

  testIn(`what was begun of another content is given up, ${mode}`, async (place) => {
    const { world, dir } = place;
    put(dir, "b", 4 * MIB);
    await assert.rejects(
      importDir(dir, world, { onEvent: killAt(world, "b", 4), history }),
      Killed,
    );
    later(world);
    // The same until shortly before the end of what was signed.
    using file = Deno.openSync(join(dir, "b"), { write: true });
    file.seekSync(2 * MIB + 7, Deno.SeekMode.Start);
    file.writeSync(new Uint8Array(9));
    later(world);
    using archive = openArchive(dir, { world, access: "write" });
    const orphans = archive.content!.length;
    assert.equal(orphans, 3 * 16);
    await importInto(archive, world);
    assert.equal(archive.content!.length, orphans + 4 * 16);
    assert.equal(archive.content!.countHeld(0, orphans), 0);
    assertImported(archive, dir);
    assertAscending(archive);
  });
}

testIn("a note counts only for the file and the feed that it is about", async ({ world, dir }) => {
  put(dir, "b", 3 * MIB);
  put(dir, "other", 3 * MIB);
  const wrong: readonly ((text: string) => string)[] = [
    () => "not JSON",
    () => "{}",
    (text) => text.replace('"format":1', '"format":2'),
    (text) => text.replace('"names":["b"]', '"names":["other"]'),
    (text) => text.replace('"names":["b"]', '"names":["..","folder","b"]'),
    (text) => text.replace('"names":["b"]', '"names":[".dat","content.tree"]'),
    (text) => text.replace('"block":0', '"block":1'),
    (text) => text.replace(/"blocks":\d+/, '"blocks":4000'),
    (text) => text.replace(/"size":\d+/, '"size":5'),
    (text) => text.replace(/"ino":\d+/, '"ino":1'),
  ];
  for (const change of wrong) {
    await assert.rejects(importDir(dir, world, { onEvent: killAt(world, "b", 3) }), Killed);
    const text = Deno.readTextFileSync(note(dir));
    Deno.writeTextFileSync(note(dir), change(text));
    {
      using archive = openArchive(dir, { world, access: "write" });
      await importInto(archive, world);
      assert.equal(archive.content!.length, 6 * 16, text);
      assert.ok(!existsSync(note(dir)));
      assertImported(archive, dir);
    }
    Deno.removeSync(join(dir, ".dat"), { recursive: true });
  }
});

testIn("a file that changes while it is gone on with is read from its start", async (place) => {
  const { world, dir } = place;
  put(dir, "b", 4 * MIB);
  await assert.rejects(importDir(dir, world, { onEvent: killAt(world, "b", 3) }), Killed);
  // Between the look at the file and its first byte, the part that was signed becomes another.
  const { statSync } = Deno;
  using stack = new DisposableStack();
  stack.defer(() => void (Deno.statSync = statSync));
  Deno.statSync = (path) => {
    if (path === join(dir, "b")) {
      Deno.statSync = statSync;
      using file = Deno.openSync(path, { write: true });
      file.writeSync(new Uint8Array(100));
      file.utimeSync(5, 5);
    }
    return statSync(path);
  };
  using archive = openArchive(dir, { world, access: "write" });
  const { entries } = await importInto(archive, world);
  assert.deepEqual(entries, ["put /b"], "no version is half the one and half the other");
  assertImported(archive, dir);
});

testIn("a file that grows while it is read keeps what was signed of it", async ({ world, dir }) => {
  put(dir, "log", 3 * MIB);
  world.clock.monotonicMs = 1000;
  let grown = 0;
  const onEvent = (event: TroveEvent) => {
    if (event.event !== "importing") return;
    world.clock.monotonicMs! += 3000;
    if (event.path === "log" && grown++ === 1) {
      Deno.writeTextFileSync(join(dir, "log"), "one line more", { append: true });
    }
  };
  using archive = createArchive(dir, world);
  await importInto(archive, world, { onEvent });
  assert.equal(archive.content!.length, 3 * 16 + 1);
  assertImported(archive, dir);
});

for (const options of [{}, { reuseContent: true }, { history: true }]) {
  const what = JSON.stringify(options);
  testIn(
    `any order of changes, kills and interrupts ends in what is on disk, ${what}`,
    async (place) => {
      const { world, dir } = place;
      const random = new Random(`kills ${what}`);
      createArchive(dir, world, options)[Symbol.dispose]();
      const names = ["a", "b", "c", "d", "e"];
      const sizes = [0, 5, BLOCK, 100_000, 3 * MIB];
      for (let round = 0; round < 25; round++) {
        later(world);
        for (let change = random.below(3); change >= 0; change--) {
          const [name, other] = [random.below(5), random.below(5)].map((n) => names[n]);
          const path = join(dir, name);
          const kind = random.below(4);
          if (kind === 0 && existsSync(path)) Deno.removeSync(path);
          else if (kind === 1 && existsSync(path)) Deno.renameSync(path, join(dir, other));
          else if (kind === 2 && existsSync(path)) {
            Deno.chmodSync(path, 0o600 + random.below(2) * 0o44);
          } else {
            put(dir, name, sizes[random.below(sizes.length)]);
            Deno.writeTextFileSync(path, `${random.below(3)}`, { append: true });
            touch(path, world);
          }
        }
        later(world);
        world.clock.monotonicMs = 1000;
        const end = random.below(12);
        const stop = new AbortController();
        let events = 0;
        const onEvent = (event: TroveEvent) => {
          if (event.event !== "importing") {
            return;
          }
          world.clock.monotonicMs! += random.below(3) * 1000;
          if (++events !== end) return;
          if (random.below(2) === 0) throw new Killed("Killed");
          stop.abort(new InterruptedError("Stopped", "SIGINT"));
        };
        using archive = openArchive(dir, { world, access: "write" });
        try {
          await importInto(archive, world, { ...options, onEvent, signal: stop.signal });
        } catch (error) {
          if (!(error instanceof Killed) && !(error instanceof InterruptedError)) throw error;
          continue;
        }
        assertImported(archive, dir);
        if (what === "{}") assertAscending(archive);
      }
      using archive = openArchive(dir, { world, access: "write" });
      await importInto(archive, world, options);
      assertImported(archive, dir);
    },
  );
}
