/**
 * What the folder `.dat` takes where the files themselves are the content, against what the format
 * demands for the same archive. The demand is worked out here from the list of files alone, by the
 * written format and without the program's own code.
 *
 * Source: spec of storage, sections 1 to 8; of the drive, sections 1 and 4.
 */
import { join } from "node:path";
import { trove } from "../tests/support/processes.ts";
import { cloneArguments, shareWithTrove } from "../tests/support/sharing.ts";
import { flatFiles, oneFile, smallFiles, type Workload } from "./data.ts";
import { demandOf, type FileSize } from "./format_demand.ts";
import { atMost, type Measured, type PartOptions } from "./part.ts";
import { WorkFolder } from "./work_folder.ts";

/** How many times what the format demands all of `.dat` may take. */
const OVERHEAD_BAR = 1.2;
const MIB = 2 ** 20;

interface Sample {
  readonly workload: string;
  readonly side: "sharer" | "cloner";
  readonly demanded: number;
  /** Lengths of all files in `.dat`, and the room that they take on disk. */
  readonly bytes: number;
  readonly allocated: number;
  readonly files: Readonly<Record<string, number>>;
}

export async function measureOverhead({ quick }: PartOptions): Promise<Measured> {
  const [large, small, flat] = quick ? [25, 500, 800] : [256, 5000, 8000];
  const workloads = [
    oneFile(`one file of ${large} MiB`, large * MIB),
    smallFiles(small),
    flatFiles(flat),
  ];
  const samples: Sample[] = [];
  for (const workload of workloads) samples.push(...await overheadOf(workload));
  return {
    head: [".dat", "demanded", "taken", "times", "on disk", "trove's own"],
    rows: samples.map(({ workload, side, demanded, bytes, allocated, files }) => [
      `  ${workload}, ${side}`,
      kilobytes(demanded),
      kilobytes(bytes),
      (bytes / demanded).toFixed(3),
      kilobytes(allocated),
      kilobytes(ownBytes(files)),
    ]),
    bars: samples.map(({ workload, side, demanded, bytes }) =>
      atMost(`${workload}, ${side}`, bytes / demanded, {
        limit: OVERHEAD_BAR,
        unit: "times",
        digits: 3,
      })
    ),
    samples,
  };
}

async function overheadOf(workload: Workload): Promise<Sample[]> {
  console.error(workload.name);
  using temp = new WorkFolder();
  const [folder, copy, home] = ["folder", "copy", "home"].map((name) => temp.folder(name));
  workload.write(folder);
  const files = listFiles(folder);
  {
    await using sharer = await shareWithTrove(folder, { home }, ["--no-watch"], {
      deadlineMs: 600_000,
    });
    const args = cloneArguments(sharer.link, copy, [sharer.address]);
    await using cloner = await trove(args, { home });
    await cloner.ended();
  }
  return ([["sharer", folder], ["cloner", copy]] as const).map(([side, dir]) => ({
    workload: workload.name,
    side,
    demanded: demandOf(files, side),
    ...sizesIn(join(dir, ".dat")),
  }));
}

/** Files in the order in which they are imported: depth first, by name within each folder. */
function listFiles(folder: string, below = ""): FileSize[] {
  const entries = [...Deno.readDirSync(join(folder, below))]
    .sort((a, b) => a.name < b.name ? -1 : 1);
  return entries.flatMap(({ name, isDirectory }) => {
    const path = below === "" ? name : `${below}/${name}`;
    if (isDirectory) return listFiles(folder, path);
    return [{ names: path.split("/"), size: Deno.statSync(join(folder, path)).size }];
  });
}

function sizesIn(dat: string): Pick<Sample, "bytes" | "allocated" | "files"> {
  const files: Record<string, number> = {};
  let allocated = 0;
  for (const { name, isFile } of Deno.readDirSync(dat)) {
    if (!isFile) throw new Error(`Cannot tell what "${name}" takes: it is no file`);
    const info = Deno.statSync(join(dat, name));
    files[name] = info.size;
    allocated += 512 * (info.blocks ?? 0);
  }
  const bytes = Object.values(files).reduce((sum, size) => sum + size, 0);
  return { bytes, allocated, files };
}

/** What is there beside the files that all programs have. */
function ownBytes(files: Readonly<Record<string, number>>): number {
  return Object.entries(files)
    .reduce((sum, [name, size]) => name.startsWith("trove.") ? sum + size : sum, 0);
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1e3).toFixed(1)} kB`;
}
