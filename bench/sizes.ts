/** Memory of both sides for one file of growing size: it must not grow with the file. */
import { digestTree } from "../tests/support/trees.ts";
import { oneFile } from "./data.ts";
import { measure, type Sample } from "./measure.ts";
import { atMost, type Measured, megabytes, type PartOptions } from "./part.ts";
import { WorkFolder } from "./work_folder.ts";

const GIB = 2 ** 30;
/** Bytes of resident memory that either side may take, whatever the file's size. */
const MEMORY_BAR = 120e6;

/** Each size once: what only looks at memory needs no median. */
export async function measureSizes({ gigabytes, quick }: PartOptions): Promise<Measured> {
  const samples: Sample[] = [];
  for (const size of gigabytes) {
    using temp = new WorkFolder();
    const name = `one file of ${size < 1 ? `${size * 1024} MiB` : `${size} GiB`}`;
    console.error(name);
    const workload = oneFile(name, size * GIB / (quick ? 8 : 1));
    const folder = temp.folder("data");
    workload.write(folder);
    const prepared = { workload, folder, expected: digestTree(folder) };
    samples.push(await measure("trove", prepared, temp));
  }
  return {
    head: ["memory over size", "import", "clone", "sharer", "cloner"],
    rows: samples.map((sample) => [
      `  ${sample.workload}`,
      `${(sample.bytes / 1e6 / sample.importSeconds).toFixed(0)} MB/s`,
      `${(sample.bytes / 1e6 / sample.cloneSeconds).toFixed(0)} MB/s`,
      megabytes(sample.sharerPeakRss),
      megabytes(sample.clonerPeakRss),
    ]),
    bars: samples.map(({ workload, sharerPeakRss, clonerPeakRss }) =>
      atMost(`${workload}, either side`, Math.max(sharerPeakRss, clonerPeakRss) / 1e6, {
        limit: MEMORY_BAR / 1e6,
        unit: "MB",
      })
    ),
    samples,
  };
}
