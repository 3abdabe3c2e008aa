/** What the commands that download have in common. */
import { UsageError } from "../base/errors.ts";
import type { DownloadOptions as Download } from "../mod.ts";
import type { CommandContext, DownloadOptions } from "./context.ts";
import { listenIfAsked, networkOf } from "./peer_choices.ts";

/**
 * From where and how to download, as the options say.
 *
 * @throws {UsageError} If there is no way to meet a peer.
 */
export function downloadFrom(
  command: string,
  options: DownloadOptions,
  { world, output }: CommandContext,
): Download {
  const peers = options.peer ?? [];
  const { stdio } = options;
  const listen = listenIfAsked(options);
  if (peers.length === 0 && listen === undefined && !stdio) {
    throw new UsageError(`Cannot ${command} without a peer`, {
      hint: "name one that has the archive with --peer HOST:PORT",
    });
  }
  const { select, exclude } = options;
  const { history, overwrite, keepLocal, keepDeleted, maxDelete, dryRun } = options;
  return {
    world,
    peers,
    listen,
    stdio,
    network: networkOf(options, world),
    timeoutMs: options.timeout,
    selection: select === undefined && exclude === undefined
      ? undefined
      : { select: select ?? [], exclude: exclude ?? [] },
    onEvent: (event) => output.emit(event),
    signals: true,
    ...{ history, overwrite, keepLocal, keepDeleted, maxDelete, dryRun },
  };
}
