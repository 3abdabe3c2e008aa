/** A share that is stopped while it imports leaves an archive that it, and real peers, go on with. */
import assert from "node:assert/strict";
import { runPeer, trove } from "../support/processes.ts";
import { Random } from "../support/random.ts";
import { shareWithTrove } from "../support/sharing.ts";
import { tempFolder } from "../support/temp.ts";
import {
  assertSameTree,
  digestTree,
  manyFiles,
  withoutEmptyFiles,
  withoutModes,
  writeTree,
} from "../support/trees.ts";

const ROUNDS = 5;
const FILES = [
  ...manyFiles(60, { seed: "interrupted import", largest: 200_000 }),
  { path: "folder-2/long.bin", size: 60_000_000 }, // takes longer than the longest wait below
];

for (const signal of ["SIGINT", "SIGKILL"] as const) {
  Deno.test(`an import that ${signal} ends ${ROUNDS} times is complete in the end`, async () => {
    using temp = tempFolder();
    const [folder, copy] = [temp.folder("folder"), temp.folder("copy")];
    const home = temp.folder("home");
    writeTree(folder, FILES, signal);
    const random = new Random(`interrupted import ${signal}`);
    const links = new Set<string>();
    let interrupted = 0;
    for (let round = 1; round <= ROUNDS; round++) {
      const args = ["share", folder, "--host", "127.0.0.1", "--port", "0", "--json"];
      await using sharer = await trove(args, { home });
      links.add((await sharer.event("archive")).link);
      await new Promise((resolve) => setTimeout(resolve, random.below(100)));
      sharer.signal(signal);
      const exit = await sharer.exit;
      if (exit.lines.some(({ event }) => event === "imported")) continue;
      interrupted++;
      if (signal === "SIGINT") {
        assert.equal(exit.code, 130, exit.stderr);
        assert.equal(exit.lines.at(-1)?.code, "interrupted");
      }
    }
    assert.ok(interrupted >= 2, `only ${interrupted} of the runs were stopped while they imported`);

    await using sharer = await shareWithTrove(folder, { home });
    links.add(sharer.link);
    assert.equal(links.size, 1, "the link stays");
    await runPeer("clone_folder", [sharer.key, sharer.address, copy], {
      home: temp.folder("home-of-cloner"),
    });
    const expected = withoutModes(withoutEmptyFiles(digestTree(folder)));
    assertSameTree(withoutModes(digestTree(copy)), expected);
    sharer.process.signal("SIGTERM");
    await sharer.process.ended(0);

    const report = await runPeer("own_folder", [folder, "--no-list"], { home });
    assert.equal(report[0].writable, true);
    const audit = report.find(({ event }) => event === "audit");
    assert.equal(audit?.metadata.invalid, 0);
    assert.equal(audit?.content.invalid, 0);
  });
}
