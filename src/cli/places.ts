/**
 * Where commands that look at an archive find it: in a folder, or, where a link is given, at peers,
 * without leaving anything behind.
 *
 * Source: spec of the command lines, section 5, "Read-only commands".
 */
import type { Command } from "commander";
import type { ArchiveSource } from "../app/archive_source.ts";
import type { BorrowedArchive } from "../app/borrowed_archive.ts";
import { folderKind } from "../app/locate.ts";
import { UsageError } from "../base/errors.ts";
import { addPeerOptions } from "./command_line.ts";
import type { CommandContext, PeerOptions } from "./context.ts";
import { isLinkOrName, pathIn } from "./links.ts";
import { addNameOptions, type NameCommandOptions, namesOf } from "./name_options.ts";
import type { World } from "../base/world.ts";

export type PlaceOptions = PeerOptions & NameCommandOptions;

/** For the help of such a command. */
export const LINK_HELP =
  "Of a link it is read at its peers; trove help clone says how to meet them.";

/**
 * Whether a link is given, and not a folder or a file below it. Bare digits are the name of a folder where
 * there is one: what `trove <link>` made without being told where is called so.
 */
export function isAtPeers(text: string, world: World): boolean {
  if (!isLinkOrName(text)) return false;
  return /^[a-z]+:\/\//i.test(text) || folderKind(text.split("/")[0], world) === "missing";
}

/** Let a command take links: the options that say how to meet peers, which its help does not list. */
export function addPlaceOptions(command: Command, world: World): Command {
  const before = new Set(command.options);
  addPeerOptions(addNameOptions(command), world, "give up", {
    meetsPeers: (args) => args.some((text) => isAtPeers(text, world)),
    listens: false,
  });
  for (const option of command.options) {
    if (!before.has(option)) option.hideHelp();
  }
  return command;
}

/** An archive at its peers, of which every entry is known, and no more is fetched unasked. */
export interface LinkedPlace extends AsyncDisposable {
  readonly source: ArchiveSource;
  /** Where it lies for now. */
  readonly folder: string;
  /** The version that the link names. */
  readonly version?: number;
  /** What the link names in the archive. */
  readonly path: string;
  /** Aborted when somebody wants to stop. */
  readonly signal: AbortSignal;
}

/** How it is read. */
export interface LinkOptions {
  /** Stay, and look out for newer versions. */
  readonly live?: boolean;
  readonly onVersion?: (version: number) => void;
}

/** The same before its entries are there. */
export interface BegunLink extends LinkedPlace {
  readonly source: BorrowedArchive;
  /** 32 bytes. */
  readonly key: Uint8Array;
}

/**
 * Fetch the entries of the archive that a link means.
 *
 * @throws {TroveError} If they cannot be had.
 */
export async function openLink(
  link: string,
  options: PlaceOptions,
  context: CommandContext,
  following: LinkOptions = {},
): Promise<BegunLink> {
  const place = await beginLink(link, options, context, following);
  try {
    await place.source.untilKnown();
    return place;
  } catch (error) {
    await place[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * Begin to fetch them.
 *
 * @throws {TroveError} If there is no way to peers, or the link leads nowhere.
 */
export async function beginLink(
  link: string,
  options: PlaceOptions,
  { world, output }: CommandContext,
  following: LinkOptions = {},
): Promise<BegunLink> {
  const [{ BorrowedArchive }, { resolveLinkOrName }, { stopSignals }, choices, { SearchLines }] =
    await Promise.all([
      import("../app/borrowed_archive.ts"),
      import("../app/resolve_link.ts"),
      import("../app/stop_signals.ts"),
      import("./peer_choices.ts"),
      import("./search_lines.ts"),
    ]);
  await using stack = new AsyncDisposableStack();
  const stop = stack.use(stopSignals(world));
  const peers = options.peer ?? [];
  const discovery = choices.discoveryOf(options, world);
  if (peers.length === 0 && discovery === undefined) {
    throw new UsageError("Cannot read an archive by its link without a peer", {
      hint: "name one that has it with --peer HOST:PORT, or let it be found with --discovery",
    });
  }
  const lines = new SearchLines(output, () => world.clock.monotonic());
  const ended = new AbortController();
  stack.defer(() => ended.abort());
  const network = choices.networkOf(options, world);
  const { key, version } = await resolveLinkOrName(link, {
    ...{ world, network, names: namesOf(options, world) },
    emit: (event) => output.emit(event),
  }, ended.signal);
  const source = stack.use(
    await BorrowedArchive.begin({
      ...{ world, peers, network, discovery, publicKey: key, signals: stop.signals, ...following },
      timeoutMs: options.timeout,
      emit: (event) => {
        if (event.event === "block") return;
        lines.take(event);
        // Of a command that prints records nothing else is wanted on stdout.
        if (event.event === "warning" || !output.json) output.emit(event);
      },
    }),
  );
  const held = stack.move();
  return {
    ...{ source, key, version, path: pathIn(link), folder: source.folder, signal: ended.signal },
    [Symbol.asyncDispose]: () => held[Symbol.asyncDispose](),
  };
}
