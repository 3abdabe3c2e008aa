/** What the commands that download have in common. */
import { checkPattern, NOTHING, readSelectionFile } from "../app/selection_note.ts";
import { UsageError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import type { DownloadOptions as Download, SelectionRules } from "../mod.ts";
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
  const selection = selectionOf(options, world);
  const { live, dryRun, stdio } = options;
  if (live && dryRun) {
    throw new UsageError(`Cannot ${command} for ever without changing anything`, {
      hint: "leave --dry-run out, or --live",
    });
  }
  const peers = options.peer ?? [];
  const uploads = options.upload !== false;
  const listen = !uploads ? undefined : live ? listenAlways(options) : listenIfAsked(options);
  const discovery = discoveryOf(options, world);
  if (peers.length === 0 && discovery === undefined && listen === undefined && !stdio) {
    throw new UsageError(`Cannot ${command} without a peer`, {
      hint: options.discovery === undefined
        ? "name one with --peer HOST:PORT; through a proxy none are looked for unless --discovery says so"
        : "name one that has the archive with --peer HOST:PORT, or let it be found with --discovery",
    });
  }
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
    uploads,
    selection,
    onEvent: (event) => {
      lines.take(event);
      output.emit(event);
      if (live && event.event === "listening") output.hint("Press Ctrl-C to stop");
    },
    signals: true,
    ...{ history, overwrite, keepLocal, keepDeleted, maxDelete, dryRun },
  };
}

/**
 * What is to be fetched, if anything is said of it; what `--select` says wins over a file.
 *
 * @throws {UsageError} If a pattern makes no sense.
 */
function selectionOf(
  { select: named, exclude = [], selectFromFile: file, sparse }: DownloadOptions,
  world: World,
): SelectionRules | undefined {
  for (const pattern of [...named ?? [], ...exclude]) checkPattern(pattern);
  const select = named ?? (file === undefined ? [] : readSelectionFile(file, world));
  if (select.length > 0) return { select, exclude };
  if (sparse || file !== undefined) return NOTHING;
  return exclude.length === 0 ? undefined : { select, exclude };
}
