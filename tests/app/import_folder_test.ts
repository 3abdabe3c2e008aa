import assert from "node:assert/strict";
import { join } from "node:path";
import type { TroveEvent } from "../../src/app/events.ts";
import { importFolder } from "../../src/app/import_folder.ts";
import { createArchive, openArchive } from "../../src/app/open_archive.ts";
import { InterruptedError, StorageError } from "../../src/base/errors.ts";
import { readHistory } from "../../src/core/archive/lookup.ts";
import { runItems } from "../../src/core/archive/steps.ts";
import { archiveBytes, borrowArchive, vectorArchives } from "../support/archives.ts";
import { importDir, importInto, later, liveFiles, put, testIn } from "../support/importing.ts";
import { START_MS, TestWorld } from "../support/test_world.ts";

const BLOCK = 64 * 1024;

testIn("a first import puts every file depth first, names in code unit order", async (place) => {
  const { world, dir } = place;
  const paths = [
    ...["a.txt", "empty.txt", "sub/b.txt", "sub/deep/c.txt", "sub.txt", "B", "é", "z", "\u{1F980}"],
    "\uffee",
  ];
  for (const path of paths) put(dir, path, path === "empty.txt" ? "" : path);
  const imported = await importDir(dir, world);
  assert.deepEqual(imported.entries, [
    ...["put /B", "put /a.txt", "put /empty.txt", "put /sub/b.txt", "put /sub/deep/c.txt"],
    ...["put /sub.txt", "put /z", "put /é", "put /\u{1F980}", "put /\uffee"],
  ]);
  assert.equal(imported.put, paths.length);
  assert.deepEqual(imported.warnings, []);
});

testIn("an entry says mode, size, place and time of the import", async ({ world, dir }) => {
  put(dir, "a", 100);
  put(dir, "b", 2 * BLOCK + 1);
  put(dir, "c", "");
  put(dir, "d", BLOCK);
  Deno.chmodSync(join(dir, "b"), 0o755);
  for (const name of ["a", "c", "d"]) Deno.chmodSync(join(dir, name), 0o640);
  using archive = createArchive(dir, world);
  const { bytes } = await importInto(archive, world);
  assert.equal(bytes, 100 + 2 * BLOCK + 1 + BLOCK);
  const places = [[100, 1, 0, 0], [2 * BLOCK + 1, 3, 1, 100], [0, 0, 4, 2 * BLOCK + 101]];
  places.push([BLOCK, 1, 4, 2 * BLOCK + 101]);
  for (const [n, [size, blocks, offset, byteOffset]] of places.entries()) {
    const stat = archive.entry(n + 1)!.stat!;
    assert.deepEqual(
      [stat.size, stat.blocks, stat.offset, stat.byteOffset],
      [size, blocks, offset, byteOffset],
    );
    assert.equal(stat.mode, n === 1 ? 0o100755 : 0o100640);
    assert.deepEqual([stat.uid, stat.gid], [0, 0]);
    assert.ok(stat.mtime <= START_MS && stat.mtime > START_MS - 100, `mtime ${stat.mtime}`);
    assert.equal(stat.ctime, stat.mtime);
  }
  assert.equal(archive.content!.length, 5);
  assert.deepEqual(archive.content!.roots.reduce((sum, { size }) => sum + size, 0), bytes);
});

testIn("an import stores no second copy, and what it stores verifies", async ({ world, dir }) => {
  put(dir, "large", 40 * BLOCK + 5);
  put(dir, "sub/small", 10);
  await importDir(dir, world);
  const dat = Object.values(archiveBytes(dir)).reduce((sum, hex) => sum + hex.length / 2, 0);
  assert.ok(dat < 20_000, `${dat} bytes in .dat`);
  using archive = openArchive(dir, { world, access: "read" });
  assert.equal(archive.metadata.audit().invalid.length, 0);
  assert.equal(archive.content!.countHeld(0, 42), 42);
});

testIn("a second import of an unchanged folder changes no byte", async ({ world, dir }) => {
  for (const path of ["a", "b/c", "b/d/e", "empty"]) put(dir, path, path === "empty" ? "" : 5000);
  const first = await importDir(dir, world);
  const before = archiveBytes(dir);
  later(world);
  const second = await importDir(dir, world);
  assert.deepEqual(second, { ...second, put: 0, deleted: 0, same: 4, skipped: 0, bytes: 0 });
  assert.equal(second.version, first.version);
  assert.deepEqual(archiveBytes(dir), before);
});

testIn("two worlds of one seed make the same archive of the same folder", async ({ temp, dir }) => {
  const bytes = [];
  put(dir, "x/y", 70_000);
  put(dir, "z", 3);
  for (const home of ["one", "other"]) {
    const world = new TestWorld(temp, { home, seed: "the same" });
    await importDir(dir, world);
    bytes.push(archiveBytes(dir));
    Deno.removeSync(join(dir, ".dat"), { recursive: true });
  }
  assert.deepEqual(bytes[0], bytes[1]);
});

testIn("a change is told by size, or by a time after the import", async ({ world, dir }) => {
  for (const name of ["longer", "later", "earlier", "same"]) put(dir, name, "1234", world);
  later(world);
  await importDir(dir, world);
  later(world);
  put(dir, "longer", "12345");
  Deno.utimeSync(join(dir, "longer"), new Date(0), new Date(0));
  put(dir, "later", "4321", world);
  Deno.utimeSync(join(dir, "earlier"), new Date(0), new Date(0));
  later(world);
  const { entries, put: puts, same } = await importDir(dir, world);
  assert.deepEqual(entries, ["put /later", "put /longer"]);
  assert.deepEqual([puts, same], [2, 2]);
});

testIn("a file changed right after it was read shows in the next import", async (place) => {
  const { world, dir } = place;
  put(dir, "file", "before");
  await importDir(dir, world);
  // The clock of file times lags behind by some milliseconds.
  const time = new Date(START_MS - 8);
  put(dir, "file", "after.");
  Deno.utimeSync(join(dir, "file"), time, time);
  later(world);
  const { entries } = await importDir(dir, world);
  assert.deepEqual(entries, ["put /file"]);
});

testIn("a file changed a moment ago is read once its time has settled", async ({ world, dir }) => {
  put(dir, "file", "x", world);
  using archive = createArchive(dir, world);
  const started = performance.now();
  await importInto(archive, world);
  assert.ok(performance.now() - started >= 15);
  const { mtime } = archive.entry(1)!.stat!;
  assert.ok(mtime <= START_MS);
});

testIn("the bits of old content are cleared, and of nothing else", async ({ world, dir }) => {
  put(dir, "a", 3 * BLOCK);
  put(dir, "b", 2 * BLOCK);
  put(dir, "c", BLOCK);
  put(dir, "empty", "");
  await importDir(dir, world);
  later(world);
  put(dir, "a", 10, world);
  Deno.removeSync(join(dir, "c"));
  Deno.removeSync(join(dir, "empty"));
  later(world);
  const { entries } = await importDir(dir, world);
  assert.deepEqual(entries, ["del /empty", "del /c", "put /a"]);
  using archive = openArchive(dir, { world, access: "read" });
  const held = Array.from(
    { length: archive.content!.length },
    (_, n) => archive.content!.hasBlock(n),
  );
  const a = Array(3).fill(false);
  const b = Array(2).fill(true);
  assert.deepEqual(held, [...a, ...b, false, true]);
  assert.ok(archive.content!.hasNode(0), "the tree stays");
});

testIn("a folder that is gone is deleted file by file, then re-added", async ({ world, dir }) => {
  for (const path of ["sub/b", "sub/a", "sub/deep/x", "kept"]) put(dir, path, path);
  await importDir(dir, world);
  Deno.renameSync(join(dir, "sub"), join(dir, "..", "aside"));
  const gone = await importDir(dir, world);
  assert.deepEqual(gone.entries, ["del /sub/a", "del /sub/b", "del /sub/deep/x"]);
  assert.equal(gone.deleted, 3);
  Deno.renameSync(join(dir, "..", "aside"), join(dir, "sub"));
  const back = await importDir(dir, world);
  assert.deepEqual(back.entries, ["put /sub/a", "put /sub/b", "put /sub/deep/x"]);
  using archive = openArchive(dir, { world, access: "read" });
  assert.deepEqual(Object.keys(liveFiles(archive)), ["/kept", "/sub/a", "/sub/b", "/sub/deep/x"]);
});

testIn("a folder emptied of files is not in the archive", async ({ world, dir }) => {
  put(dir, "sub/a", "a");
  put(dir, "b", "b");
  await importDir(dir, world);
  Deno.removeSync(join(dir, "sub/a"));
  const { entries } = await importDir(dir, world);
  assert.deepEqual(entries, ["del /sub/a"]);
});

testIn("a file becomes a folder and a folder a file", async ({ world, dir }) => {
  put(dir, "file", "was a file");
  put(dir, "folder/a", "was in a folder");
  put(dir, "folder/b/c", "deeper");
  put(dir, "other", "other");
  await importDir(dir, world);
  later(world);
  Deno.removeSync(join(dir, "file"));
  put(dir, "file/inside", "now a folder");
  Deno.removeSync(join(dir, "folder"), { recursive: true });
  put(dir, "folder", "now a file");
  const { entries } = await importDir(dir, world);
  assert.deepEqual(entries, [
    ...["del /file", "put /file/inside"],
    ...["del /folder/a", "del /folder/b/c", "put /folder"],
  ]);
  {
    using archive = openArchive(dir, { world, access: "read" });
    assert.deepEqual(liveFiles(archive), { "/file/inside": 12, "/folder": 10, "/other": 5 });
  }
  Deno.removeSync(join(dir, "folder"));
  put(dir, "folder/a", "and back");
  Deno.removeSync(join(dir, "file"), { recursive: true });
  put(dir, "file", "again");
  await importDir(dir, world);
  using archive = openArchive(dir, { world, access: "read" });
  assert.deepEqual(liveFiles(archive), { "/file": 5, "/folder/a": 8, "/other": 5 });
});

testIn("hidden and ignored files stay out, exceptions come in", async ({ world, dir }) => {
  const ignored = [
    ...[".hidden", "s/.hidden/x", ".datdownload", ".git/config", ".well-known/other"],
    ...["node_modules/a/b", "s/node_modules/a", "build/x", "x.log", "s/.DS_Store", ".DS_Store"],
  ];
  const kept = ["a.dat", "dat.json", "s/x.log", "keep.log", "s/.well-known/dat", ".well-known/dat"];
  for (const path of [...ignored, ...kept]) put(dir, path, path);
  put(dir, ".datignore", "node_modules\nbuild/\r\n*.log\n!keep.log\n");
  const { entries, warnings, skipped } = await importDir(dir, world);
  assert.deepEqual(
    entries.toSorted(),
    kept.map((path) => `put /${path}`).toSorted(),
  );
  assert.deepEqual(warnings, []);
  assert.equal(skipped, 0);
});

testIn("what was imported and is ignored now is left alone", async ({ world, dir }) => {
  put(dir, "log/old", "old");
  put(dir, "log/new", "new");
  put(dir, "a.txt", "a");
  const { version } = await importDir(dir, world);
  put(dir, ".datignore", "log");
  later(world);
  put(dir, "log/new", "newer", world);
  Deno.removeSync(join(dir, "log/old"));
  later(world);
  const ignored = await importDir(dir, world);
  assert.equal(ignored.version, version);
  // Neither is it when the folder around it goes.
  put(dir, "sub/b.txt", "b");
  put(dir, "sub/log", "a file of that name");
  Deno.removeSync(join(dir, ".datignore"));
  await importDir(dir, world);
  put(dir, ".datignore", "**/log");
  Deno.removeSync(join(dir, "sub"), { recursive: true });
  const gone = await importDir(dir, world);
  assert.deepEqual(gone.entries, ["del /sub/b.txt"]);
});

testIn(
  "a link to what lies inside is imported as that, other links are told and left out",
  async (place) => {
    const { temp, world, dir } = place;
    put(dir, "target", "twelve bytes");
    put(temp.path, "outside/secret", "secret");
    put(dir, "folder/inside", "x");
    const links = {
      "to a file": "target",
      "to a hidden file": ".hidden",
      "to a folder": "folder",
      "to the folder around it": ".",
      "to nothing": "nowhere",
      "to itself": "to itself",
      "out": join(temp.path, "outside", "secret"),
      "out by dots": "../outside/secret",
      "to a folder outside": join(temp.path, "outside"),
      "to the keys": ".dat/metadata.key",
    };
    put(dir, ".hidden", "hid");
    createArchive(dir, world)[Symbol.dispose]();
    for (const [name, to] of Object.entries(links)) Deno.symlinkSync(to, join(dir, name));
    const { entries, warnings, skipped } = await importDir(dir, world);
    assert.deepEqual(
      entries.toSorted(),
      [
        ...["put /folder/inside", "put /target", "put /to a file", "put /to a folder/inside"],
        "put /to a hidden file",
      ],
    );
    assert.equal(skipped, 7);
    for (const name of Object.keys(links).slice(3)) {
      assert.equal(warnings.filter((text) => text.includes(`"${name}"`)).length, 1, name);
    }
    assert.match(warnings.find((text) => text.includes('"to the keys"'))!, /\.dat/);
    using archive = openArchive(dir, { world, access: "read" });
    assert.equal(liveFiles(archive)["/to a file"], 12);
  },
);

testIn("the archive's folder may itself be behind a link", async ({ temp, world, dir }) => {
  put(dir, "a", "a");
  Deno.symlinkSync("a", join(dir, "b"));
  Deno.symlinkSync(dir, temp.join("link"));
  const { entries } = await importDir(temp.join("link"), world);
  assert.deepEqual(entries, ["put /a", "put /b"]);
});

testIn("a FIFO is told, left out, and never opened", async ({ world, dir }) => {
  put(dir, "a", "a");
  const made = new Deno.Command("mkfifo", { args: [join(dir, "fifo")] }).outputSync();
  assert.ok(made.success);
  Deno.symlinkSync("fifo", join(dir, "link to fifo"));
  // Opening it would wait for a writer that never comes.
  const { entries, warnings, skipped } = await importDir(dir, world);
  assert.deepEqual(entries, ["put /a"]);
  assert.equal(skipped, 2);
  for (const name of ["fifo", "link to fifo"]) {
    assert.ok(warnings.includes(`Skipped "${name}": is neither a file nor a folder`), name);
  }
});

testIn("a file that became a FIFO leaves the archive", async ({ world, dir }) => {
  put(dir, "a", "a");
  await importDir(dir, world);
  Deno.removeSync(join(dir, "a"));
  assert.ok(new Deno.Command("mkfifo", { args: [join(dir, "a")] }).outputSync().success);
  const { entries, skipped } = await importDir(dir, world);
  assert.deepEqual([entries, skipped], [["del /a"], 1]);
});

testIn("names that the format cannot have are told and left out", async ({ world, dir }) => {
  put(dir, "a\\b", "backslash");
  put(dir, "fine", "fine");
  put(dir, "sub\\folder/x", "backslash above");
  const script = `printf x > "$1"/$'not\\xffutf8'`;
  assert.ok(new Deno.Command("bash", { args: ["-c", script, "bash", dir] }).outputSync().success);
  const { entries, warnings, skipped } = await importDir(dir, world);
  assert.deepEqual(entries, ["put /fine"]);
  assert.equal(skipped, 3);
  assert.equal(warnings.filter((text) => text.includes("backslash")).length, 2);
  assert.equal(warnings.filter((text) => text.includes("UTF-8")).length, 1);
});

testIn(
  "a file that changes while it is read is tried again, then told and left as it was",
  async (place) => {
    const { world, dir } = place;
    put(dir, "busy", "before");
    await importDir(dir, world);
    later(world);
    put(dir, "busy", 3_000_000, world);
    put(dir, "calm", 10, world);
    later(world);
    let changes = 0;
    // Progress is told between two pieces of the file.
    const onEvent = (event: TroveEvent) => {
      world.clock.monotonicMs! += 1000;
      if (event.event !== "importing" || event.path !== "busy") return;
      Deno.writeTextFileSync(join(dir, "busy"), `${++changes}`, { append: true });
    };
    world.clock.monotonicMs = 1000;
    const busy = await importDir(dir, world, { onEvent });
    assert.ok(changes >= 3, `${changes} changes`);
    assert.deepEqual(busy.entries, ["put /calm"]);
    assert.equal(busy.skipped, 1);
    assert.match(busy.warnings[0], /"busy": changes while it is read/);
    using archive = openArchive(dir, { world, access: "write" });
    assert.equal(liveFiles(archive)["/busy"], 6);
    assert.ok(archive.content!.hasBlock(0), "the old bits are as they were");
    const calm = await importInto(archive, world);
    assert.deepEqual(calm.entries, ["put /busy"]);
  },
);

testIn("a file that vanishes while it is read is passed over", async ({ world, dir }) => {
  put(dir, "a", 3_000_000);
  put(dir, "b", 5);
  world.clock.monotonicMs = 1000;
  const onEvent = (event: TroveEvent) => {
    if (event.event === "importing" && event.path === "a") Deno.removeSync(join(dir, "a"));
  };
  const { entries, skipped } = await importDir(dir, world, { onEvent });
  assert.deepEqual(entries, ["put /b"]);
  assert.equal(skipped, 0);
});

testIn(
  "an interrupt in the middle of a file keeps what is done and goes on from there",
  async (place) => {
    const { world, dir } = place;
    put(dir, "a", 100);
    put(dir, "b", 5_000_000);
    put(dir, "c", 100);
    world.clock.monotonicMs = 1000;
    const stop = new AbortController();
    const onEvent = (event: TroveEvent) => {
      world.clock.monotonicMs! += 600;
      if (event.event === "importing" && event.path === "b") {
        stop.abort(new InterruptedError("Stopped", "SIGINT"));
      }
    };
    await assert.rejects(importDir(dir, world, { signal: stop.signal, onEvent }), InterruptedError);
    using archive = openArchive(dir, { world, access: "write" });
    assert.deepEqual(Object.keys(liveFiles(archive)), ["/a"]);
    const { entries, same } = await importInto(archive, world);
    assert.deepEqual(entries, ["put /b", "put /c"]);
    assert.equal(same, 1);
    assert.equal(archive.content!.length, 1 + 77 + 1);
  },
);

testIn("an import that is stopped before it begins changes nothing", async ({ world, dir }) => {
  put(dir, "a", "a");
  const signal = AbortSignal.abort(new InterruptedError("Stopped", "SIGTERM"));
  await assert.rejects(importDir(dir, world, { signal }), InterruptedError);
  using archive = openArchive(dir, { world, access: "read" });
  assert.equal(archive.version, 0);
});

testIn("a folder that vanishes meanwhile keeps nobody else out", async ({ world, dir }) => {
  for (const path of ["a/x", "b/y", "c"]) put(dir, path, path);
  await importDir(dir, world);
  later(world);
  put(dir, "a/x", "changed", world);
  put(dir, "c", "changed", world);
  later(world);
  world.clock.monotonicMs = 1000;
  const onEvent = (event: TroveEvent) => {
    if (event.event === "importing") Deno.removeSync(join(dir, "b"), { recursive: true });
  };
  const { entries } = await importDir(dir, world, { onEvent });
  assert.deepEqual(entries, ["put /a/x", "put /c"]);
});

testIn("the folder itself has to be there", async ({ world, dir }) => {
  using archive = createArchive(dir, world);
  Deno.renameSync(dir, `${dir} aside`);
  await assert.rejects(importInto(archive, world), (error) => {
    return error instanceof StorageError || error instanceof Deno.errors.NotFound;
  });
  Deno.renameSync(`${dir} aside`, dir);
});

testIn("a folder of very many names is warned about", async ({ world, dir }) => {
  for (let n = 0; n < 10_001; n++) Deno.symlinkSync("nowhere", join(dir, `${n}`));
  const { warnings, skipped } = await importDir(dir, world);
  assert.equal(skipped, 10_001);
  assert.equal(warnings.filter((text) => /has \d+ names/.test(text)).length, 0);
  for (let n = 0; n < 10_001; n++) {
    Deno.removeSync(join(dir, `${n}`));
    Deno.mkdirSync(join(dir, `${n}`));
  }
  const folders = await importDir(dir, world);
  assert.equal(folders.warnings.length, 1);
  assert.match(folders.warnings[0], /"\." has 10001 names/);
});

testIn("batches are committed as time passes, content before metadata", async ({ world, dir }) => {
  const files = 30;
  for (let n = 0; n < files; n++) put(dir, `${n + 10}`, 1000);
  using archive = createArchive(dir, world);
  const lengths: [number, number][] = [];
  const emit = (event: TroveEvent) => {
    if (event.event !== "importing") return;
    world.clock.monotonicMs! += 700;
    lengths.push([archive.metadata.length - 1, archive.content!.length]);
  };
  world.clock.monotonicMs = 1000;
  const { signal } = new AbortController();
  await importFolder(archive, { world, signal, emit });
  for (const [entries, blocks] of lengths) assert.ok(entries <= blocks, `${entries} ${blocks}`);
  const between = lengths.filter(([entries]) => entries > 0 && entries < files);
  assert.ok(between.length > 3, "several batches");
  assert.equal(archive.version, files);
});

for (const name of vectorArchives({ owned: true })) {
  testIn(
    `the archive ${name} of another program is opened as its owner and gone on with`,
    async (place) => {
      const { temp, world } = place;
      const { dir, expected } = borrowArchive(name, temp, world);
      const before = archiveBytes(dir);
      using archive = openArchive(dir, { world, access: "write" });
      assert.equal(archive.link, `dat://${expected.key}`);
      assert.ok(archive.writable);
      assert.equal(archive.version, expected.version);
      assert.equal(archive.content!.length, expected.contentLength);
      const history = [...runItems(readHistory(1, archive.version), archive.entry)];
      assert.deepEqual(
        history.map(({ type, path }) => `${type} ${path}`),
        expected.history.map(({ type, path }) => `${type} ${path}`),
      );

      // Files on disk as the archive has them are the same, whenever they were copied.
      const live = liveFiles(archive);
      const onDisk = Object.entries(live).filter(([path, size]) =>
        size > 0 && existsAs(dir, path, size)
      );
      assert.ok(onDisk.length > 0);
      const bits = new Map(history.map(({ path, stat }) => [path, (stat?.mode ?? 0) & 0o777]));
      for (const [path] of onDisk) {
        Deno.chmodSync(join(dir, path), bits.get(path)!);
        Deno.utimeSync(join(dir, path), new Date(0), new Date(0));
      }
      const first = await importInto(archive, world);
      assert.ok(first.same >= onDisk.length, `${first.same} of ${onDisk.length} unchanged`);
      const version = archive.version;
      const again = await importInto(archive, world);
      assert.deepEqual([again.put, again.deleted, archive.version], [0, 0, version]);
      if (first.put + first.deleted === 0) {
        // Of a file that was touched the private list may have got the time.
        const { "trove.times": _times, ...after } = archiveBytes(dir);
        assert.deepEqual(after, before);
      }

      later(world);
      put(dir, "added/by trove", 100_000, world);
      later(world);
      const added = await importInto(archive, world);
      assert.deepEqual(added.entries, ["put /added/by trove"]);
      assert.equal(archive.metadata.audit().invalid.length, 0);
      // Everything that was there before is still there, byte for byte.
      for (const file of ["metadata.data", "metadata.key", "content.key", "metadata.ogd"]) {
        assert.ok(archiveBytes(dir)[file].startsWith(before[file]), file);
      }
    },
  );
}

function existsAs(dir: string, path: string, size: number): boolean {
  try {
    return Deno.statSync(join(dir, path)).size === size;
  } catch {
    return false;
  }
}
