/** Archives that keep every version's content, between trove and real peers. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { peer, runPeer, runTrove } from "../support/processes.ts";
import { cloneArguments, GENERATIONS, HYPERDRIVE } from "../support/sharing.ts";
import { tempFolder } from "../support/temp.ts";

const LONG = "long ".repeat(30_000);

const CHANGES = [
  ["/a.txt", "first"],
  ["/sub/b.txt", "b"],
  ["/a.txt", "second"],
  ["/long", LONG],
  ["/sub/b.txt"],
  ["/long", `${LONG}!`],
  ["/a.txt", "third"],
];

const VERSIONS: readonly (readonly [number, string, string])[] = [
  [1, "/a.txt", "first"],
  [3, "/a.txt", "second"],
  [4, "/sub/b.txt", "b"],
  [5, "/long", LONG],
  [7, "/a.txt", "third"],
  [7, "/long", `${LONG}!`],
];

for (const gen of GENERATIONS) {
  Deno.test(`every version goes from ${HYPERDRIVE[gen]} to trove, and is read there by a real peer`, async () => {
    using temp = tempFolder();
    const home = temp.folder("home");
    const copy = temp.join("copy");
    const changes = temp.join("changes.json");
    Deno.writeTextFileSync(changes, JSON.stringify(CHANGES));
    await using sharer = await peer("share_history", ["--gen", gen, changes], { home });
    const { key, port, version } = await sharer.event("listening");
    assert.equal(version, CHANGES.length);
    const args = cloneArguments(`dat://${key}`, copy, [`127.0.0.1:${port}`], ["--history"]);
    const exit = await runTrove(args, { home });
    assert.equal(exit.code, 0, exit.stderr);
    assert.equal(exit.lines.at(-1)!.missingBlocks, undefined);
    assert.equal(Deno.readTextFileSync(join(copy, "a.txt")), "third");
    assert.equal(Deno.readTextFileSync(join(copy, "long")), `${LONG}!`);
    assert.deepEqual(
      [...Deno.readDirSync(copy)].map(({ name }) => name).sort(),
      [".dat", "a.txt", "long"],
    );

    for (const reader of GENERATIONS) {
      const items = VERSIONS.map(([version, path]) => `${version}:${path}`);
      const lines = await runPeer("read_history", [copy, "--gen", reader, ...items], { home });
      assert.equal(lines[0].version, CHANGES.length);
      assert.equal(lines[1].metadata.invalid + lines[1].content.invalid, 0);
      const texts = lines.filter(({ event }) => event === "file").map(({ text }) => text);
      assert.deepEqual(texts, VERSIONS.map(([, , text]) => text));
    }
  });
}
