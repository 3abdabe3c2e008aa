/** What the commands that download have in common. */
import { DEFAULT_PORT } from "../app/addresses.ts";
import type { DownloadOptions as Download } from "../app/clone_archive.ts";
import { UsageError } from "../base/errors.ts";
import type { CommandContext, DownloadOptions } from "./context.ts";

const ANY_HOST = "0.0.0.0";

/**
 * From where and how to download, as the options say. Whoever stays listens.
 *
 * @throws {UsageError} If there is no way to meet a peer, or the options contradict each other.
 */
export function downloadFrom(
  command: string,
  options: DownloadOptions,
  { world, output }: CommandContext,
): Omit<Download, "dir" | "signals"> {
  const { overwrite, keepLocal, keepDeleted, maxDelete, dryRun, live, select, exclude } = options;
  if (live && dryRun) {
    throw new UsageError(`Cannot ${command} for ever without changing anything`, {
      hint: "leave --dry-run out, or --live",
    });
  }
  const peers = options.peer ?? [];
  const port = options.port ?? (live ? DEFAULT_PORT : undefined);
  if (peers.length === 0 && port === undefined) {
    throw new UsageError(`Cannot ${command} without a peer`, {
      hint: "name one that has the archive with --peer HOST:PORT",
    });
  }
  return {
    world,
    peers,
    live,
    listen: port === undefined ? undefined : {
      host: options.host ?? ANY_HOST,
      port,
      exact: options.port !== undefined && options.port !== 0,
    },
    timeoutMs: options.timeout,
    selection: select === undefined && exclude === undefined
      ? undefined
      : { select: select ?? [], exclude: exclude ?? [] },
    emit: (event) => {
      output.emit(event);
      if (live && event.event === "listening") output.say("Press Ctrl-C to stop");
    },
    ...{ overwrite, keepLocal, keepDeleted, maxDelete, dryRun },
  };
}
