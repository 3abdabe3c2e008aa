/** Real peers on archives that were converted: they find in either mode what they should. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { archiveBytes, copyTree } from "../support/archives.ts";
import { importInto } from "../support/imported.ts";
import { type JsonLine, runPeer } from "../support/processes.ts";
import { GENERATIONS, HYPERDRIVE } from "../support/sharing.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { runIn, TestWorld } from "../support/test_world.ts";
import { type FilePlan, writeTree } from "../support/trees.ts";

const BLOCK = 64 * 1024;

const FILES: readonly FilePlan[] = [
  { path: "a/large.bin", size: 3 * BLOCK + 5 },
  { path: "a/small.txt", size: 20 },
  { path: "z.txt", size: BLOCK },
];

function sha256(path: string): string {
  return createHash("sha256").update(Deno.readFileSync(path)).digest("hex");
}

/** Path and hash of each file that a peer told of, in order of path. */
function told(lines: readonly JsonLine[], version?: number): string[] {
  return lines.filter((line) => line.event === "file" && line.version === version)
    .map(({ path, sha256 }) => `${path} ${sha256}`).sort();
}

function assertAudit(lines: readonly JsonLine[]): void {
  const { metadata, content } = lines.find(({ event }) => event === "audit")!;
  assert.deepEqual([metadata.invalid, content.invalid], [0, 0]);
  assert.ok(metadata.valid > 0 && content.valid > 0);
}

/** Run a peer on a copy: it rewrites headers and more when it opens a feed. */
async function onCopy(
  temp: TempFolder,
  dir: string,
  [program, ...args]: readonly string[],
): Promise<readonly JsonLine[]> {
  const copy = temp.join("copy-for-peer");
  copyTree(dir, copy);
  try {
    return await runPeer(program, [copy, ...args], { home: temp.join("home") });
  } finally {
    Deno.removeSync(copy, { recursive: true });
  }
}

for (const gen of GENERATIONS) {
  Deno.test(`${HYPERDRIVE[gen]} reads what was converted to history, and what was converted back`, async () => {
    using temp = tempFolder();
    const world = new TestWorld(temp);
    const dir = temp.folder("archive");
    const trees: string[][] = [];
    const imported = async (seed: string, files: readonly FilePlan[]) => {
      writeTree(dir, files, seed);
      await importInto(dir, world);
      trees.push(FILES.map(({ path }) => `/${path} ${sha256(join(dir, path))}`));
      return (await runIn(world, "status", dir, "--json")).json[0].version as number;
    };
    const first = await imported("first", FILES);
    const before = await onCopy(temp, dir, ["own_folder", "--gen", gen]);
    assertAudit(before);
    assert.deepEqual(told(before), trees[0]);

    assert.equal((await runIn(world, "convert", dir, "--to", "history")).code, 0);
    const grown = FILES.map((file) => ({ ...file, size: file.size + 1 }));
    const second = await imported("second", grown.slice(0, 2));
    const lines = await onCopy(temp, dir, ["read_versions", "--gen", gen]);
    assertAudit(lines);
    assert.deepEqual(told(lines, first), trees[0]);
    assert.deepEqual(told(lines, second), trees[1]);
    assert.equal(lines.filter(({ event }) => event === "missing").length, 0);

    assert.equal((await runIn(world, "convert", dir, "--to", "latest")).code, 0);
    const after = await onCopy(temp, dir, ["own_folder", "--gen", gen]);
    assertAudit(after);
    assert.deepEqual(told(after), trees[1]);
    assert.equal(after.find(({ event }) => event === "opened")!.writable, true);

    // And once more to history: what was given up is missing, and everything else is there.
    assert.equal((await runIn(world, "convert", dir, "--to", "history")).code, 0);
    const last = await onCopy(temp, dir, ["read_versions", "--gen", gen]);
    assertAudit(last);
    assert.deepEqual(told(last, second), trees[1]);
    const missing = last.filter(({ event, version }) => event === "missing" && version === first);
    assert.deepEqual(missing.map(({ path }) => path), ["/a/large.bin", "/a/small.txt"]);
  });
}

Deno.test("dat-node takes an archive that was history for a while as it left it", async () => {
  using temp = tempFolder();
  const home = temp.folder("home");
  const dir = temp.folder("archive");
  writeTree(dir, FILES, "dat-node");
  const [{ version }] = await runPeer("dat_node_folder", [dir], { home });
  const world = new TestWorld(temp);
  const before = archiveBytes(dir);
  for (const to of ["history", "latest"]) {
    const { code, stderr } = await runIn(world, "convert", dir, "--to", to);
    assert.equal(code, 0, stderr);
  }
  const after = archiveBytes(dir);
  for (const name of ["metadata.data", "content.tree", "content.signatures", "metadata.key"]) {
    assert.equal(after[name], before[name], name);
  }
  const args = [dir, "--must-exist"];
  const [again] = await runPeer("dat_node_folder", args, { home });
  assert.deepEqual([again.version, again.writable, again.files], [version, true, 0]);
  const lines = await onCopy(temp, dir, ["own_folder"]);
  assertAudit(lines);
  assert.deepEqual(told(lines), FILES.map(({ path }) => `/${path} ${sha256(join(dir, path))}`));
});
