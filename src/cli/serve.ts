/** `trove serve <dir or link>…` */
import { Option } from "commander";
import { type ArchiveSource, delay, FolderSource } from "../app/archive_source.ts";
import { serveSite } from "../app/http/serve.ts";
import { locateArchive } from "../app/locate.ts";
import { readPublicKey } from "../app/open_archive.ts";
import { abortOnStop } from "../app/stop_signals.ts";
import { toHex } from "../base/bytes.ts";
import { UsageError } from "../base/errors.ts";
import { formatLink } from "../crypto/link.ts";
import { addCommand, type CommandLine } from "./command_line.ts";
import type { CommandContext } from "./context.ts";
import { parsePort } from "./options.ts";
import { addPlaceOptions, beginLink, isAtPeers, LINK_HELP, type PlaceOptions } from "./places.ts";

interface ServeCommandOptions extends PlaceOptions {
  readonly port?: number;
  readonly host?: string;
  readonly publicName?: readonly string[];
}

/** A timer cannot wait for ever. */
const LOOK_MS = 3_600_000;

const ABOUT = `
One archive is at the root, several are in folders of their keys; ?version=12 is
an older version. Of a link that is fetched which somebody looks at.
${LINK_HELP}`;

export function addServe({ program, world, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "serve [dirOrLink...]",
    summary: "show archives in a browser: files, folders and older versions over HTTP, read-only",
    examples: [
      "serve photos",
      "serve photos dat://… --port 8000",
    ],
  });
  command.addHelpText("after", ABOUT);
  addPlaceOptions(command, world)
    .addOption(new Option("--port <n>", "port of HTTP (8080); 0 for any").argParser(parsePort))
    .option("--host <address>", "address to listen on, instead of this machine's own alone")
    .option(
      "--public-name <name>",
      "answer requests for this name as well (repeatable)",
      (text: string, before: readonly string[] = []) => [...before, text.toLowerCase()],
    )
    .action((places: readonly string[], options: ServeCommandOptions) =>
      perform(options, (context) => serve(places.length === 0 ? ["."] : places, options, context))
    );
}

async function serve(
  places: readonly string[],
  { port, host, publicName, timeout, ...options }: ServeCommandOptions,
  context: CommandContext,
): Promise<void> {
  const { world, output } = context;
  using stop = abortOnStop(world, "Stopped");
  await using stack = new AsyncDisposableStack();
  const archives = new Map<string, ArchiveSource>();
  for (const place of places) {
    if (isAtPeers(place, world)) {
      const begun = stack.use(
        await beginLink(place, options, context, { live: true }),
      );
      archives.set(toHex(begun.key), begun.source);
    } else {
      const paths = locateArchive(place, world);
      const key = toHex(readPublicKey(paths));
      if (!archives.has(key)) archives.set(key, stack.use(new FolderSource(paths.dir, world)));
    }
  }
  if (host !== undefined && /^unix:/.test(host)) {
    throw new UsageError(`Cannot serve HTTP on "${host}"`, { hint: "give an address" });
  }
  const site = stack.use(serveSite(archives, {
    ...{ world, port, host, names: publicName, option: "--port" },
    onError: (error) => {
      const message = error instanceof Error ? error.message : String(error);
      output.emit({ event: "warning", code: "http", message });
    },
  }));
  for (const key of archives.keys()) {
    const url = archives.size === 1 ? site.url : `${site.url}${key}/`;
    output.emit({ event: "http", url, link: formatLink(Uint8Array.fromHex(key)) });
  }
  output.say("Press Ctrl-C to stop");
  // Whoever is asked to stop, or whose time is over, has done what was asked for.
  do await delay(timeout ?? LOOK_MS, stop.signal); while (
    timeout === undefined && !stop.signal.aborted
  );
}
