/** `trove repair [dir]` */
import { resolve } from "node:path";
import { repairArchive, type Repaired } from "../app/repair_archive.ts";
import { resolveLink } from "../app/resolve_link.ts";
import { stopSignals } from "../app/stop_signals.ts";
import { isSound, locateDamaged } from "../app/verify_archive.ts";
import { count, printable } from "../base/format.ts";
import { addCommand, addPeerOptions, type CommandLine } from "./command_line.ts";
import type { CommandContext, PeerOptions } from "./context.ts";
import { discoveryOf, networkOf } from "./peer_choices.ts";
import { addDirOption, chosenFolder } from "./options.ts";
import { printRecords, printSummary, refuseDamaged, showProgress } from "./verify.ts";

interface RepairCommandOptions extends PeerOptions {
  readonly dir?: string;
  readonly discard?: boolean;
  readonly dryRun?: boolean;
  readonly key?: string;
}

export function addRepair({ program, world, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "repair [dir]",
    summary: "mend a damaged archive",
    examples: [
      "repair photos                          # from what is here",
      "repair photos --discovery mdns,dht     # and from peers that are found",
      "repair photos --peer 192.0.2.7:3282    # and from this one",
    ],
    about: [
      "What it replaces or takes away is kept in .dat/trove.kept. Files that you changed " +
      "since they were imported are left alone.",
    ],
  });
  addPeerOptions(addDirOption(command), world, "stop fetching")
    .option("--key <link>", "the archive's link, if metadata.key is lost")
    .option("--discard", "keep nothing of it; give up what was signed and cannot be proven")
    .option("--dry-run", "only tell what is wrong, and what it would take")
    .action((dir: string | undefined, options: RepairCommandOptions) =>
      perform(options, (context) => repair(chosenFolder(dir, options), options, context))
    );
}

async function repair(
  dir: string | undefined,
  options: RepairCommandOptions,
  context: CommandContext,
): Promise<void> {
  const { world, output } = context;
  const paths = locateDamaged(resolve(world.cwd(), dir ?? "."));
  using stop = stopSignals(world);
  const repaired = await repairArchive(paths, {
    world,
    peers: options.peer ?? [],
    network: networkOf(options, world),
    // Mending is local work: nothing is asked of the network unless that was said.
    discovery: options.discovery === undefined ? undefined : discoveryOf(options, world),
    timeoutMs: options.timeout,
    signals: stop.signals,
    givenKey: options.key === undefined ? undefined : resolveLink(options.key, world).key,
    discard: options.discard === true,
    dryRun: options.dryRun === true,
    onProgress: showProgress(context),
    emit: (event) => output.emit(event),
  });
  const heard = output.json
    ? printJson(repaired, context)
    : printPeople(repaired, options.dryRun === true, context);
  if (heard) refuseDamaged(repaired.after);
}

function printJson({ before, after, kept, fetched }: Repaired, context: CommandContext): boolean {
  const { output } = context;
  const record = {
    problems: before.problems.length,
    left: after.problems.length,
    fetched,
    kept: kept.names,
    keptIn: kept.names.length === 0 ? undefined : kept.folder,
  };
  return output.record("repair", record) && printRecords(after, context);
}

function printPeople(
  { before, after, kept, fetched, remarks }: Repaired,
  dryRun: boolean,
  context: CommandContext,
): boolean {
  const { output } = context;
  if (!printSummary(after, context)) return false;
  const blocks = fetched === 0 ? "" : `, ${count(fetched, "block")} came from peers`;
  if (before.problems.length === 0) output.say("There was nothing to mend");
  else if (!dryRun) {
    const mended = before.problems.length - after.problems.length;
    output.say(
      isSound(after)
        ? `Mended ${count(before.problems.length, "problem")}${blocks}`
        : `Mended ${Math.max(0, mended)} of ${count(before.problems.length, "problem")}${blocks}`,
    );
  }
  for (const remark of remarks) output.say(printable(remark));
  if (kept.names.length > 0) {
    const what = count(kept.names.length, "file");
    output.say(`Kept what was replaced: ${what} in ${printable(kept.folder)}`);
  }
  return true;
}
