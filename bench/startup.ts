/**
 * How long trove takes to do next to nothing, beside a Deno script that does nothing at all: what is
 * loaded before a command gets its turn. Runs alternate, so that whatever slows the machine down slows
 * all of them.
 */
import { TempFolder } from "../tests/support/temp.ts";
import { denoDirectory, QUIET, runTrove } from "../tests/support/processes.ts";
import { troveCommand } from "../tests/support/trove_command.ts";
import { manyFiles, writeTree } from "../tests/support/trees.ts";
import { type Bar, median } from "./report.ts";

/** So many times the empty script's time is fine. */
const BARS = { "trove --version": 1.5, "trove status": 3 } as const;

const RUNS = 31;
/** Caches are warm from then on. */
const WARM_UPS = 2;

type Program = keyof typeof BARS | "empty script";

/** The milliseconds of each run, in order. */
export type StartupSamples = Record<Program, number[]>;

/** Run each of them many times, in turns. */
export async function measureStartup({ quick }: { quick: boolean }): Promise<StartupSamples> {
  using temp = new TempFolder("trove-bench-");
  const [home, folder] = [temp.folder("home"), temp.folder("archive")];
  const empty = temp.join("empty.ts");
  Deno.writeTextFileSync(empty, "export {};\n");
  writeTree(folder, manyFiles(20, { seed: "startup", smallest: 10, largest: 1000 }), "startup");
  const sharing = ["share", folder, "--host", "127.0.0.1", "--port", "0", "--timeout", "10ms"];
  const { code, stderr } = await runTrove(sharing, { home });
  if (code !== 0) throw new Error(`Cannot make an archive to look at: ${stderr}`);
  const commands: Record<Program, string[]> = {
    "empty script": [Deno.execPath(), "run", empty],
    "trove --version": [...troveCommand(), "--version"],
    "trove status": [...troveCommand(), "status", folder],
  };
  const env = { ...QUIET, DENO_DIR: await denoDirectory(), DENO_NO_UPDATE_CHECK: "1", HOME: home };
  const samples: StartupSamples = { "empty script": [], "trove --version": [], "trove status": [] };
  const runs = quick ? 5 : RUNS;
  for (let run = -WARM_UPS; run < runs; run++) {
    for (const program of Object.keys(commands) as Program[]) {
      const [deno, ...args] = commands[program];
      const startedAt = performance.now();
      const { success } = new Deno.Command(deno, { args, env }).outputSync();
      if (!success) throw new Error(`Cannot measure ${program}: it failed`);
      if (run >= 0) samples[program].push(performance.now() - startedAt);
    }
  }
  return samples;
}

/** Medians, and how many times the empty script's they are. */
export function startupTable(samples: StartupSamples, { judged }: { judged: boolean }): string {
  const empty = median(samples["empty script"]);
  return Object.entries(samples).map(([program, times]) => {
    const time = median(times);
    const limit = BARS[program as keyof typeof BARS];
    const bar: Bar | undefined = limit === undefined
      ? undefined
      : { text: `<= ${limit} x`, met: time <= limit * empty };
    const figures = `${time.toFixed(0).padStart(5)} ms  ${(time / empty).toFixed(2)} x`;
    const verdict = bar === undefined || !judged ? "" : `${bar.met ? "ok" : "MISSED"}: ${bar.text}`;
    return `${program.padEnd(16)} ${figures}  ${verdict}`.trimEnd();
  }).join("\n");
}
