/** `trove seed <dir or link>…` */
import { seedArchives } from "../app/seed.ts";
import { stopSignals } from "../app/stop_signals.ts";
import { addCommand, addPeerOptions, type CommandLine } from "./command_line.ts";
import type { CommandContext, PeerOptions } from "./context.ts";
import { discoveryOf, listenOn, networkOf } from "./peer_choices.ts";
import { HiddenWarning } from "./search_lines.ts";
import { SeedLines } from "./seed_lines.ts";

interface SeedCommandOptions extends PeerOptions {
  readonly list?: readonly string[];
  readonly store?: string;
  readonly history?: boolean;
}

export function addSeed({ program, world, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "seed [dirOrLink...]",
    summary: "serve many archives, and keep clones up to date",
    examples: [
      "seed photos music --port 3282",
      "seed dat://… --store /srv/dat --peer 192.0.2.7:3282",
      "seed --list /etc/trove/list --store /srv/dat --peer 192.0.2.7:3282",
    ],
  });
  addPeerOptions(command, world, "stop serving")
    .option(
      "--list <file or folder>",
      "serve what each line names, or the archives in a folder; watched (repeatable)",
      (text: string, before: readonly string[] = []) => [...before, text],
    )
    .option("--store <folder>", "where archives given as links are kept")
    .option("--history", "new clones keep the content of every version")
    .action((places: readonly string[], options: SeedCommandOptions) =>
      perform(options, (context) => seed(places, options, context))
    );
}

async function seed(
  places: readonly string[],
  options: SeedCommandOptions,
  { world, output }: CommandContext,
): Promise<void> {
  using stop = stopSignals(world);
  const lines = new SeedLines(output);
  const discovery = discoveryOf(options, world);
  const hidden = new HiddenWarning(output, discovery);
  await seedArchives({
    world,
    places,
    lists: options.list ?? [],
    store: options.store,
    peers: options.peer ?? [],
    listen: listenOn(options),
    network: networkOf(options, world),
    discovery,
    history: options.history,
    timeoutMs: options.timeout,
    signals: stop.signals,
    emit: (event) => {
      lines.take(event);
      hidden.take(event);
    },
  });
}
