/** What a plan says it takes before it is carried out. */
import assert from "node:assert/strict";
import type { PlanNeeds } from "../../src/app/plan_needs.ts";
import { finishCheckout } from "../../src/app/checkout.ts";
import { roomOn } from "../../src/io/disk_room.ts";
import { CraftedArchive, CraftedCopy } from "../support/crafted_archive.ts";
import { tempFolder } from "../support/temp.ts";

const PAGE = 4096;

Deno.test("a plan asks for the room of what is missing, and names what changes", async () => {
  using temp = tempFolder();
  using owner = new CraftedArchive(temp);
  owner.put("/large", new Uint8Array(128 * 1024).fill(1));
  owner.put("/small", "x");
  owner.put("/empty", "");
  const copy = new CraftedCopy(temp, owner);
  let needs: PlanNeeds | undefined;
  copy.choices = { admit: (asked) => needs = asked };
  await copy.open(async (archive) => {
    const plan = await copy.plan(archive);
    assert.deepEqual([needs!.version, needs!.files, needs!.bytes], [3, 3, 128 * 1024 + PAGE]);
    assert.deepEqual(needs!.changes.map(({ type, path }) => `${type} ${path}`).sort(), [
      ...["added /empty", "added /large", "added /small"],
    ]);
    copy.fetch(archive, plan, (block) => block === 0);
  });
  await copy.open(async (archive) => {
    const plan = await copy.plan(archive);
    assert.equal(needs!.bytes, 64 * 1024 + PAGE, "one of its blocks waits in the staging folder");
    copy.fetch(archive, plan);
    finishCheckout(archive, plan);
  });
  await copy.pull();
  assert.deepEqual([needs!.bytes, needs!.changes], [0, []]);
  owner.put("/small", "xyz");
  owner.delete("/large");
  Deno.writeTextFileSync(`${copy.dir}/empty`, "mine");
  await copy.pull();
  assert.equal(needs!.bytes, PAGE);
  assert.deepEqual(needs!.changes.map(({ type, path }) => `${type} ${path}`).sort(), [
    ...["changed /empty", "changed /small", "deleted /large"],
  ]);
});

Deno.test("what is not admitted is not begun", async () => {
  using temp = tempFolder();
  using owner = new CraftedArchive(temp);
  owner.put("/a", "one");
  const copy = new CraftedCopy(temp, owner);
  await copy.pull();
  owner.put("/b", "two");
  owner.delete("/a");
  copy.choices = {
    admit: () => {
      throw new Error("no");
    },
  };
  await assert.rejects(copy.pull(), /^Error: no$/);
  assert.deepEqual(copy.files(), { a: "one" });
});

Deno.test("the room on a disk is known, or not asked for", () => {
  using temp = tempFolder();
  assert.ok(roomOn(temp.path)! > 0);
  assert.equal(roomOn(temp.join("missing")), undefined);
});
