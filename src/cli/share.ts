/** `trove share [dir]` */
import { resolve } from "node:path";
import { DEFAULT_PORT } from "../app/addresses.ts";
import { shareFolder } from "../app/share_folder.ts";
import { stopSignals } from "../app/stop_signals.ts";
import { addCommand, addPeerOptions, type CommandLine } from "./command_line.ts";
import type { CommandContext, PeerOptions } from "./context.ts";

/** All addresses of the machine, as dat does. */
const ANY_HOST = "0.0.0.0";

interface ShareCommandOptions extends PeerOptions {
  /** Commander's form of `--no-watch`: false when it was given. */
  readonly watch?: boolean;
}

export function addShare({ program, world, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "share [dir]",
    summary: "make an archive of a folder and serve it",
    examples: ["share photos --port 3282"],
  });
  addPeerOptions(command, world, "stop sharing")
    .option("--no-watch", "do not follow changes of the folder")
    .action((dir: string | undefined, options: ShareCommandOptions) =>
      perform(options, (context) => share(dir, options, context))
    );
}

async function share(
  dir: string | undefined,
  options: ShareCommandOptions,
  context: CommandContext,
): Promise<void> {
  const { world, output } = context;
  using stop = stopSignals(world);
  await shareFolder({
    world,
    dir: resolve(world.cwd(), dir ?? "."),
    peers: options.peer ?? [],
    listen: {
      host: options.host ?? ANY_HOST,
      port: options.port ?? DEFAULT_PORT,
      exact: options.port !== undefined && options.port !== 0,
    },
    timeoutMs: options.timeout,
    signals: stop.signals,
    emit: (event) => {
      output.emit(event);
      if (event.event !== "listening") return;
      if (options.watch !== false) {
        output.say("Changes of the folder are not followed yet: run this again to share them");
      }
      output.say("Press Ctrl-C to stop sharing");
    },
  });
}
