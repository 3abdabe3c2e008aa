/** One folder with very many names: an import has to read and write each list of names only once. */
import { flatFiles } from "./data.ts";
import { type ImportSample, measureImport, type Pair } from "./measure.ts";
import { installNativePeers } from "./native_peers.ts";
import { atMost, type Measured, medianOf, megabytes, type PartOptions } from "./part.ts";
import { WorkFolder } from "./work_folder.ts";

const FILES = 8000;
/** Seconds. A real peer takes twenty times as long: every entry repeats the list of all names. */
const IMPORT_BAR = 5;

/** Real peers only where they are asked for: one takes minutes. */
export async function measureFlat({ runs, quick, real }: PartOptions): Promise<Measured> {
  const workload = flatFiles(quick ? FILES / 10 : FILES);
  const pairs: Pair[] = real ? ["real", "trove"] : ["trove"];
  if (real) await installNativePeers();
  using temp = new WorkFolder();
  const folder = temp.folder("data");
  workload.write(folder);
  const samples: ImportSample[] = [];
  for (let run = 1; run <= runs; run++) {
    for (const pair of pairs) {
      console.error(`run ${run}: ${workload.name}, ${pair}`);
      samples.push(await measureImport(pair, { workload, folder }, temp));
    }
  }
  const of = (pair: Pair) => samples.filter((sample) => sample.pair === pair);
  const seconds = (pair: Pair) => medianOf(of(pair), (sample) => sample.seconds);
  return {
    head: [workload.name, "import", "files/s", "x real", "unchanged", "memory"],
    rows: pairs.map((pair) => [
      `  ${pair}`,
      `${seconds(pair).toFixed(2)} s`,
      (workload.files / seconds(pair)).toFixed(0),
      real && pair === "trove" ? (seconds("real") / seconds("trove")).toFixed(1) : "",
      `${medianOf(of(pair), (sample) => sample.againSeconds).toFixed(2)} s`,
      megabytes(Math.max(...of(pair).map(({ peakRss }) => peakRss))),
    ]),
    bars: [atMost("import", seconds("trove"), { limit: IMPORT_BAR, unit: "s", digits: 2 })],
    samples,
  };
}
