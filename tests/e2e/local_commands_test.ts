/** The local commands as processes, in pipes, and beside the program they take over from. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { type ProcessOptions, runPeer, runTrove, startProgram } from "../support/processes.ts";
import { troveCommand } from "../support/trove_command.ts";
import { tempFolder } from "../support/temp.ts";
import { AWKWARD_FILES, digestTree, writeTree } from "../support/trees.ts";

/** Run trove with its output piped into a command; fails like whichever of them fails. */
async function runPiped(args: readonly string[], into: string, options: ProcessOptions) {
  const script = `set -o pipefail; "$@" | ${into}`;
  const command = ["bash", "-c", script, "bash", ...troveCommand(), ...args];
  await using process = await startProgram(`${args[0]} | ${into}`, command, {
    ...options,
    stdin: "null",
  });
  return await process.exit;
}

Deno.test("an archive made with create is dat-node's to go on with, and every file reads the same", async () => {
  using temp = tempFolder();
  const folder = temp.join("folder");
  const options = { home: temp.folder("home") };
  const made = await runTrove(["create", folder, "--title", "Ours", "--json"], options);
  assert.equal(made.code, 0, made.stderr);
  writeTree(folder, AWKWARD_FILES, "create");
  const [imported] = await runPeer("dat_node_folder", [folder, "--must-exist"], options);
  assert.equal(`dat://${imported.key}`, made.lines[0].link);
  assert.equal(imported.writable, true);
  // It takes the dat.json for what it is.
  assert.deepEqual([imported.before, imported.version], [1, 1 + AWKWARD_FILES.length]);

  const inside = { ...options, cwd: join(folder, "same", "prefix2") };
  const log = await runTrove(["log", "--json", "--since", "1"], inside);
  assert.deepEqual(
    log.lines.map(({ path }) => path).sort(),
    AWKWARD_FILES.map(({ path }) => `/${path}`).sort(),
  );
  const diff = await runTrove(["diff", "--exit-code", "--json"], inside);
  assert.deepEqual([diff.code, diff.stdout, diff.stderr], [0, "", ""]);

  const tree = digestTree(folder);
  const paths = [...tree.keys()].map((path) => `/${path}`);
  const cat = await runTrove(["cat", ...paths, "--dir", folder, "--json"], options);
  assert.equal(cat.code, 0, cat.stderr);
  const found = cat.lines.map(({ path, size, sha256 }) => [path, size, sha256]);
  assert.deepEqual(found, [...tree].map(([path, { size, sha256 }]) => [`/${path}`, size, sha256]));
});

Deno.test("bytes come out of a pipe as they are, and `| head` ends a command quietly", async () => {
  using temp = tempFolder();
  const folder = temp.join("folder");
  const options = { home: temp.folder("home") };
  // A listing has more bytes than a pipe takes in, so it cannot be complete before head leaves.
  const name = "long-name-".repeat(20);
  const files = Array.from({ length: 500 }, (_, n) => ({ path: `${n}/${name}`, size: 5 }));
  writeTree(folder, [...files, { path: "big", size: 3_000_000 }], "pipe");
  const shared = await runTrove(
    ["share", folder, "--host", "127.0.0.1", "--port", "0", "--timeout", "1ms", "--quiet"],
    options,
  );
  assert.equal(shared.code, 0, shared.stderr);
  const sum = createHash("sha256").update(Deno.readFileSync(join(folder, "big"))).digest("hex");
  const whole = await runPiped(["cat", join(folder, "big")], "sha256sum", options);
  assert.deepEqual([whole.code, whole.stderr], [0, ""]);
  assert.equal(whole.stdout.split(" ")[0], sum);
  for (
    const args of [
      ["cat", join(folder, "big")],
      ["log", folder],
      ["log", folder, "--json"],
      ["ls", "-r", folder],
      ["diff", "0", "500", folder],
      ["diff", "0", folder],
    ]
  ) {
    const { code, stdout, stderr } = await runPiped(args, "head -c 9", options);
    assert.deepEqual([code, stderr], [0, ""], args.join(" "));
    assert.equal(new TextEncoder().encode(stdout).length >= 9, true, args.join(" "));
  }
});
