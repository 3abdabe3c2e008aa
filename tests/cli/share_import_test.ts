/** What `trove share` imports, and what it says about it. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { put } from "../support/importing.ts";
import { tempFolder } from "../support/temp.ts";
import { type Ran, runIn, TestWorld } from "../support/test_world.ts";

const BRIEFLY = ["--host", "127.0.0.1", "--port", "0", "--timeout", "50ms"];

/** A folder, and what one short share of it after the other says. */
function sharing(body: (dir: string, share: (...args: string[]) => Promise<Ran>) => Promise<void>) {
  return async () => {
    using temp = tempFolder();
    const world = new TestWorld(temp, { running: true });
    const dir = temp.folder("folder");
    await body(dir, (...args) => runIn(world, "share", dir, ...BRIEFLY, ...args));
  };
}

const imported = ({ json }: Ran) => json.find(({ event }) => event === "imported")!;

Deno.test(
  "share tells people of the first names left out, and programs of all",
  sharing(async (dir, share) => {
    for (let n = 0; n < 25; n++) put(dir, `bad\\${n}`, "x");
    put(dir, "good", "x");
    const people = await share();
    assert.equal(people.code, 0, people.stderr);
    const warnings = people.stderr.split("\n").filter((line) => line.startsWith("warning:"));
    assert.equal(warnings.length, 20);
    assert.match(people.stderr, /5 more warnings of this kind: --json has all\n/);
    assert.match(people.stderr, /1 file added or changed .* 25 skipped/);
    const programs = await share("--json");
    const told = programs.json.filter(({ event, code }) =>
      event === "warning" && code === "skipped"
    );
    assert.equal(told.length, 25);
    assert.equal(imported(programs).skipped, 25);
  }),
);

Deno.test(
  "share --history keeps every version, and is refused where the files are the content",
  sharing(async (dir, share) => {
    put(dir, "a", "one");
    assert.equal((await share("--history")).code, 0);
    assert.equal(Deno.statSync(join(dir, ".dat", "content.data")).size, 3);
    put(dir, "a", "two and more");
    assert.equal((await share("--history")).code, 0);
    assert.equal((await share()).code, 0, "once made it needs no option");
    assert.equal(Deno.readTextFileSync(join(dir, ".dat", "content.data")), "onetwo and more");

    Deno.removeSync(join(dir, ".dat"), { recursive: true });
    assert.equal((await share()).code, 0);
    const refused = await share("--history");
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /Cannot keep history .*trove convert --to history/);
    assert.ok(!existsSync(join(dir, ".dat", "content.data")));
  }),
);

Deno.test(
  "share --no-import serves the archive without a look at the folder",
  sharing(async (dir, share) => {
    put(dir, "a", "a");
    await share();
    put(dir, "b", "b");
    const { code, json } = await share("--no-import", "--json");
    assert.equal(code, 0);
    assert.equal(json.find(({ event }) => event === "archive")!.version, 1);
    assert.deepEqual(json.filter(({ event }) => event === "imported"), []);
    assert.equal(imported(await share("--json")).put, 1);
  }),
);

Deno.test(
  "share --no-ignore-hidden takes hidden names, and without it they stay as they are",
  sharing(async (dir, share) => {
    for (const path of [".hidden", ".folder/file", "seen"]) put(dir, path, path);
    assert.equal(imported(await share("--json", "--ignore-hidden")).put, 1);
    assert.equal(imported(await share("--json", "--no-ignore-hidden")).put, 2);
    const last = imported(await share("--json"));
    assert.deepEqual([last.put, last.deleted, last.same, last.version], [0, 0, 1, 3]);
  }),
);

Deno.test(
  "share --reuse-content appends nothing for a renamed file",
  sharing(async (dir, share) => {
    put(dir, "a", 100_000);
    await share();
    Deno.renameSync(join(dir, "a"), join(dir, "b"));
    const tree = join(dir, ".dat", "content.tree");
    const before = Deno.statSync(tree).size;
    const { put: puts, deleted } = imported(await share("--json", "--reuse-content"));
    assert.deepEqual([puts, deleted], [1, 1]);
    assert.equal(Deno.statSync(tree).size, before);
    Deno.renameSync(join(dir, "b"), join(dir, "c"));
    await share();
    assert.ok(Deno.statSync(tree).size > before);
  }),
);
