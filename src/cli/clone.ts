/** `trove clone <link> [dir]` */
import { resolve } from "node:path";
import { cloneArchive } from "../app/clone_archive.ts";
import { resolveLink } from "../app/resolve_link.ts";
import { stopSignals } from "../app/stop_signals.ts";
import { UsageError } from "../base/errors.ts";
import { addCommand, addPeerOptions, type CommandLine } from "./command_line.ts";
import type { CommandContext, PeerOptions } from "./context.ts";

const ANY_HOST = "0.0.0.0";

export function addClone({ program, world, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "clone <link> [dir]",
    summary: "fetch an archive into a folder",
    examples: ["clone dat://… photos --peer 192.0.2.7:3282"],
  });
  addPeerOptions(command, world, "give up")
    .action((link: string, dir: string | undefined, options: PeerOptions) =>
      perform(options, (context) => clone(link, dir, options, context))
    );
}

async function clone(
  text: string,
  dir: string | undefined,
  options: PeerOptions,
  context: CommandContext,
): Promise<void> {
  const { world, output } = context;
  const link = resolveLink(text, world);
  if (link.version !== undefined) {
    throw new UsageError(`Cannot clone version ${link.version} alone`, {
      hint: "leave +VERSION out to get the newest one",
    });
  }
  const peers = options.peer ?? [];
  if (peers.length === 0 && options.port === undefined) {
    throw new UsageError("Cannot clone without a peer", {
      hint: "name one that has the archive with --peer HOST:PORT",
    });
  }
  using stop = stopSignals(world);
  await cloneArchive({
    world,
    publicKey: link.key,
    dir: resolve(world.cwd(), dir ?? "."),
    peers,
    listen: options.port === undefined
      ? undefined
      : { host: options.host ?? ANY_HOST, port: options.port, exact: options.port !== 0 },
    timeoutMs: options.timeout,
    signals: stop.signals,
    emit: (event) => output.emit(event),
  });
}
