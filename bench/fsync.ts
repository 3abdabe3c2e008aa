/**
 * What bringing things to disk costs: imports, clones and updates with and without it, in turn.
 *
 * deno run -A bench/fsync.ts [--runs N] [--files N] [--megabytes N]
 */
import { parseArgs } from "node:util";
import { importArguments } from "../tests/sim/disk_place.ts";
import { trove } from "../tests/support/processes.ts";
import { cloneArguments, shareWithTrove } from "../tests/support/sharing.ts";
import { tempFolder } from "../tests/support/temp.ts";
import { type FilePlan, writeTree } from "../tests/support/trees.ts";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "5" },
    files: { type: "string", default: "2000" },
    megabytes: { type: "string", default: "128" },
  },
});
const SHAPES: Readonly<Record<string, readonly FilePlan[]>> = {
  [`${values.files} files of 4 kB`]: Array.from({ length: Number(values.files) }, (_, n) => ({
    path: `${n % 50}/${n}`,
    size: 4000,
  })),
  [`one file of ${values.megabytes} MB`]: [{ path: "large", size: 1e6 * Number(values.megabytes) }],
};
const MAINS = ["main.ts", "bench/unsynced_main.ts"];

const median = (numbers: number[]) => numbers.sort((a, b) => a - b)[numbers.length >> 1];

for (const [shape, files] of Object.entries(SHAPES)) {
  const seconds = new Map<string, number[]>();
  for (let run = 0; run < Number(values.runs); run++) {
    for (const main of MAINS) {
      using temp = tempFolder();
      const [dir, copy, home] = ["folder", "copy", "home"].map((name) => temp.folder(name));
      writeTree(dir, files, "fsync");
      const time = async (what: string, args: readonly string[]) => {
        const began = performance.now();
        await using process = await trove(args, { main, home });
        await process.ended(0);
        const all = seconds.getOrInsert(`${what} ${main}`, []);
        all.push((performance.now() - began) / 1000);
      };
      await time("import", importArguments(dir));
      for (const what of ["clone", "update"]) {
        await using sharer = await shareWithTrove(dir, { home });
        await time(what, cloneArguments(sharer.link, copy, [sharer.address]));
        // Every file is another one for the update.
        if (what === "clone") writeTree(dir, files, "fsync again");
      }
    }
  }
  for (const what of ["import", "clone", "update"]) {
    const [synced, unsynced] = MAINS.map((main) => median(seconds.get(`${what} ${main}`)!));
    console.log(
      `${what} of ${shape}: ${synced.toFixed(2)} s, without fsync ${unsynced.toFixed(2)} s ` +
        `(${(synced / unsynced).toFixed(2)} times)`,
    );
  }
}
