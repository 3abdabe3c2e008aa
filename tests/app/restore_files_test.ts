/** Restoring where others meddle: symbolic links swapped in, files changed meanwhile, hostile paths. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ArchiveView } from "../../src/app/archive_view.ts";
import type { TroveEvent } from "../../src/app/events.ts";
import { restoreFiles } from "../../src/app/restore_files.ts";
import { planRestore, type RestorePlan } from "../../src/app/restore_plan.ts";
import { InterruptedError, StorageError } from "../../src/base/errors.ts";
import { CraftedArchive } from "../support/crafted_archive.ts";
import { tempFolder } from "../support/temp.ts";
import { runIn, TestWorld } from "../support/test_world.ts";
import { assertSameBytes } from "../support/same_bytes.ts";

interface Restoring {
  readonly root: string;
  /** What an attacker would like to be written into. */
  readonly outside: string;
  readonly plan: RestorePlan;
  /** Carry the plan out; `between` is called when a file is done, with how many are. */
  restore(between: (done: number) => void, signal?: AbortSignal): Promise<string[]>;
}

/** A plan for ten files in a few folders, to be restored into `root`. */
async function restoring(body: (restoring: Restoring) => Promise<void>): Promise<void> {
  using temp = tempFolder();
  using owner = new CraftedArchive(temp, { history: true });
  for (let n = 0; n < 10; n++) owner.put(`/${"abcde"[n % 5]}/deep/file-${n}`, `content ${n}`);
  const [root, outside] = [temp.folder("root"), temp.folder("outside")];
  Deno.writeTextFileSync(join(outside, "file-5"), "precious");
  const plan = await planRestore(new ArchiveView(owner.archive), {
    ...{ world: new TestWorld(temp), paths: ["/"], to: root, emit: () => {} },
    checkMissing: (missing) => assert.deepEqual(missing, []),
  });
  assert.equal(plan.files.length, 10);
  let done = 0;
  await body({
    ...{ root, outside, plan },
    restore: (between, signal) =>
      restoreFiles(plan, {
        ...{ emit: () => {}, onBytes: () => {}, signal },
        onFile: () => between(++done),
      }),
  });
}

function assertUntouched(outside: string): void {
  assert.deepEqual([...Deno.readDirSync(outside)].map(({ name }) => name), ["file-5"]);
  assert.equal(Deno.readTextFileSync(join(outside, "file-5")), "precious");
}

Deno.test("a folder swapped for a link between two files ends the restore outside of it", () =>
  restoring(async ({ root, outside, restore }) => {
    const swapped = restore((done) => {
      if (done !== 5) return;
      Deno.removeSync(join(root, "a"), { recursive: true });
      Deno.symlinkSync(outside, join(root, "a"));
    });
    await assert.rejects(swapped, (error) => {
      assert.ok(error instanceof StorageError);
      assert.match(error.message, /a" is a symbolic link, not a folder/);
      return true;
    });
    assertUntouched(outside);
    assert.ok(!existsSync(join(root, ".dat")), "nothing private is left");
  }));

Deno.test("a link put where a file goes is not followed, and not replaced", () =>
  restoring(async ({ root, outside, restore }) => {
    const link = join(root, "a/deep/file-5");
    const swapped = restore((done) => {
      if (done === 5) Deno.symlinkSync(join(outside, "file-5"), link);
    });
    await assert.rejects(swapped, StorageError);
    assertUntouched(outside);
    assert.ok(Deno.lstatSync(link).isSymlink);
  }));

Deno.test("a file that somebody else made meanwhile is not replaced", () =>
  restoring(async ({ root, restore }) => {
    const place = join(root, "a/deep/file-5");
    const swapped = restore((done) => {
      if (done === 5) Deno.writeTextFileSync(place, "mine");
    });
    await assert.rejects(swapped, /somebody else wrote there meanwhile/);
    assert.equal(Deno.readTextFileSync(place), "mine");
    assert.equal(Deno.readTextFileSync(join(root, "e/deep/file-4")), "content 4");
  }));

for (const name of [".dat", ".dat/trove.checkout"]) {
  Deno.test(`${name} swapped for a link between two files is not written through`, () =>
    restoring(async ({ root, outside, restore }) => {
      const swapped = restore((done) => {
        if (done !== 5) return;
        Deno.renameSync(join(root, name), join(root, "moved"));
        Deno.symlinkSync(outside, join(root, name));
      });
      await assert.rejects(swapped, StorageError);
      assertUntouched(outside);
    }));
}

Deno.test("an aborted restore leaves whole files and nothing private", () =>
  restoring(async ({ root, restore }) => {
    const stop = new AbortController();
    const stopped = restore((done) => {
      if (done === 3) stop.abort(new InterruptedError("Stopped", "SIGINT"));
    }, stop.signal);
    await assert.rejects(stopped, InterruptedError);
    assert.ok(!existsSync(join(root, ".dat")));
    for (let n = 0; n < 10; n++) {
      const path = join(root, "abcde"[n % 5], "deep", `file-${n}`);
      if (n < 3) assert.equal(Deno.readTextFileSync(path), `content ${n}`);
      else assert.ok(!existsSync(path));
    }
  }));

/** None of these may be written, wherever it would lead. */
const HOSTILE = [
  ...["/../up", "/a/../../up", "//etc/up", "/./here", "/a//b", "/a/.", "/back\\slash", "/..\\up"],
  ...[
    "/.dat/metadata.key",
    "/.DAT/x",
    "/.dat./x",
    "/.d\u200cat/x",
    "/zero\0",
    `/${"n".repeat(256)}`,
  ],
];

for (const own of [true, false]) {
  Deno.test(`hostile paths are refused and named, into ${own ? "its own" : "another"} folder`, async () => {
    using temp = tempFolder();
    const dir = temp.join("owner");
    {
      using owner = new CraftedArchive(temp, { history: true });
      for (const path of HOSTILE) owner.put(path, "hostile");
      owner.putStat("/device", { mode: 0o060644 });
      owner.put("/fine", "fine");
    }
    const world = new TestWorld(temp, { home: "owner-home" });
    const around = [...Deno.readDirSync(temp.path)].map(({ name }) => name).sort();
    const key = Deno.readFileSync(join(dir, ".dat", "metadata.key"));
    const to = own ? [] : ["--to", join(dir, "..", "out")];
    const { code, json } = await runIn(world, "checkout", "/", "-d", dir, ...to, "--json");
    assert.equal(code, 1);
    const warned = json.filter((line): line is TroveEvent & { event: "warning" } =>
      line.event === "warning"
    );
    assert.equal(warned.length, HOSTILE.length + 1);
    for (const path of HOSTILE) {
      assert.ok(warned.some(({ message }) => message.startsWith(`Cannot write "${path}"`)), path);
    }
    const target = own ? dir : temp.join("out");
    const made = [...Deno.readDirSync(target)].map(({ name }) => name).filter((n) => n !== ".dat");
    assert.deepEqual(made, ["fine"]);
    assertSameBytes(Deno.readFileSync(join(dir, ".dat", "metadata.key")), key);
    const after = [...Deno.readDirSync(temp.path)].map(({ name }) => name).sort();
    assert.deepEqual(after, own ? around : [...around, "out"].sort());
  });
}

Deno.test("links that stand in the way from the start are listed, and nothing is written", async () => {
  using temp = tempFolder();
  using owner = new CraftedArchive(temp, { history: true });
  owner.put("/a/x", "x");
  owner.put("/b", "b");
  const outside = temp.folder("outside");
  Deno.mkdirSync(temp.join("out"));
  Deno.symlinkSync(outside, temp.join("out", "a"));
  Deno.symlinkSync(join(outside, "b"), temp.join("out", "b"));
  const world = new TestWorld(temp);
  const args = ["checkout", "/", "-d", temp.join("owner"), "--to", "out"];
  const { code, stderr } = await runIn(world, ...args);
  assert.equal(code, 2);
  assert.match(stderr, /"a", "b" are in the way/);
  assert.equal((await runIn(world, ...args, "--overwrite")).code, 2);
  assert.deepEqual([...Deno.readDirSync(outside)], []);
  // A link in the place of a file may be replaced, and is, not what it leads to.
  Deno.removeSync(temp.join("out", "a"));
  assert.equal((await runIn(world, ...args, "--overwrite")).code, 0);
  assert.deepEqual([...Deno.readDirSync(outside)], []);
  assert.equal(Deno.readTextFileSync(temp.join("out", "b")), "b");
});
