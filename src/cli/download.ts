/** What the commands that download have in common. */
import { UsageError } from "../base/errors.ts";
import type { DownloadOptions as Download } from "../mod.ts";
import type { CommandContext, DownloadOptions } from "./context.ts";
import { SearchLines } from "./search_lines.ts";
import { discoveryOf, listenAlways, listenIfAsked, networkOf } from "./peer_choices.ts";

/**
 * From where and how to download, as the options say. Whoever stays listens.
 *
 * @throws {UsageError} If there is no way to meet a peer, or the options contradict each other.
 */
export function downloadFrom(
  command: string,
  options: DownloadOptions,
  { world, output }: CommandContext,
): Download {
  const { live, dryRun, stdio } = options;
  if (live && dryRun) {
    throw new UsageError(`Cannot ${command} for ever without changing anything`, {
      hint: "leave --dry-run out, or --live",
    });
  }
  const peers = options.peer ?? [];
  const listen = live ? listenAlways(options) : listenIfAsked(options);
  const discovery = discoveryOf(options, world);
  if (peers.length === 0 && discovery === undefined && listen === undefined && !stdio) {
    throw new UsageError(`Cannot ${command} without a peer`, {
      hint: options.discovery === undefined
        ? "name one with --peer HOST:PORT; through a proxy none are looked for unless --discovery says so"
        : "name one that has the archive with --peer HOST:PORT, or let it be found with --discovery",
    });
  }
  const { select, exclude } = options;
  const { history, overwrite, keepLocal, keepDeleted, maxDelete } = options;
  const lines = new SearchLines(output, () => world.clock.monotonic());
  return {
    world,
    peers,
    discovery,
    live,
    listen,
    stdio,
    network: networkOf(options, world),
    timeoutMs: options.timeout,
    selection: select === undefined && exclude === undefined
      ? undefined
      : { select: select ?? [], exclude: exclude ?? [] },
    onEvent: (event) => {
      lines.take(event);
      output.emit(event);
      if (live && event.event === "listening") output.hint("Press Ctrl-C to stop");
    },
    signals: true,
    ...{ history, overwrite, keepLocal, keepDeleted, maxDelete, dryRun },
  };
}
