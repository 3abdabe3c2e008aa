/** `trove export [dir]` */
import { resolve } from "node:path";
import { ArchiveView } from "../app/archive_view.ts";
import { fileBytes } from "../app/file_bytes.ts";
import { exportToFile } from "../app/export_file.ts";
import { type ExportPlan, planExport, tarOf } from "../app/export_version.ts";
import { missingError, missingFiles } from "../app/held_files.ts";
import { locateArchive } from "../app/locate.ts";
import { openArchive } from "../app/open_archive.ts";
import { abortOnStop } from "../app/stop_signals.ts";
import { TroveError, UsageError } from "../base/errors.ts";
import { count, formatBytes, printable } from "../base/format.ts";
import { addCommand, type CommandLine } from "./command_line.ts";
import type { CommandContext } from "./context.ts";
import { addDirOption, addVersionOption, chosenFolder } from "./options.ts";
import { addPlaceOptions, isAtPeers, LINK_HELP, openLink, type PlaceOptions } from "./places.ts";

interface ExportOptions extends PlaceOptions {
  readonly version?: number;
  readonly dir?: string;
  readonly output?: string;
}

const ABOUT = `
The same version always gives the same bytes. Every block is verified, and
nothing is written before all of them are known to be here. Owners are 0, times
are whole seconds.
${LINK_HELP}`;

/** Work that takes less is over before anybody reads how far it is. */
const QUIET_MS = 500;

export function addExport({ program, world, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "export [dirOrLink]",
    summary: "write a version as a tar archive",
    examples: [
      "export photos -o photos.tar",
      "export --version 12 | gzip > version-12.tar.gz",
    ],
  });
  command.addHelpText("after", ABOUT);
  addPlaceOptions(addVersionOption(addDirOption(command)), world)
    .option("-o, --output <file>", "write to this file instead of stdout")
    .action((dir: string | undefined, options: ExportOptions) =>
      perform(options, (context) => exportVersion(dir, options, context))
    );
}

async function exportVersion(
  dir: string | undefined,
  options: ExportOptions,
  context: CommandContext,
): Promise<void> {
  const { world, output } = context;
  const file = options.output === "-" ? undefined : options.output;
  if (file === undefined && output.json) {
    throw new UsageError("Cannot print a tar archive and JSON at once", {
      hint: "name a file to write to with --output",
    });
  }
  if (file === undefined && world.stdout.isTerminal) {
    throw new UsageError("Cannot print a tar archive on a terminal", {
      hint: "name a file to write to with --output, or pipe it to another program",
    });
  }
  const place = chosenFolder(dir, options);
  if (place !== undefined && isAtPeers(place, world)) {
    await using linked = await openLink(place, options, context);
    using held = linked.source.hold();
    const version = options.version ?? linked.version ?? held.version;
    const plan = planExport(new ArchiveView(held.archive, version), (event) => output.emit(event));
    using order = linked.source.order(linked.signal);
    for (const entry of plan.entries) {
      for await (const _ of fileBytes(plan.view, entry, order)) {
        // Fetched and verified: all of it has to be here before anything is written.
      }
    }
    return await write(plan, file, { signal: linked.signal, context });
  }
  using stop = abortOnStop(world, "Stopped before everything was exported");
  using archive = openArchive(locateArchive(place, world).dir, { world, access: "read" });
  const view = new ArchiveView(archive, options.version);
  const plan = planExport(view, (event) => output.emit(event));
  const missing = missingFiles(view, plan.entries);
  if (missing.length > 0) {
    for (const { path, size, blocks, missing: gone } of output.json ? missing : []) {
      output.record("missing", { path, size, blocks, missing: gone });
    }
    throw missingError(view, missing, { action: "export" });
  }
  await write(plan, file, { signal: stop.signal, context });
}

/** @param file Where to; stdout if none is named. */
async function write(
  plan: ExportPlan,
  file: string | undefined,
  { signal, context }: { readonly signal: AbortSignal; readonly context: CommandContext },
): Promise<void> {
  const { world, output } = context;
  const { version } = plan.view;
  const run = { signal, ...progressOf(plan, context) };
  if (file === undefined) {
    for await (const bytes of tarOf(plan, run)) {
      if (!output.bytes(bytes)) return;
      run.onBytes(bytes.length);
    }
  } else {
    const path = resolve(world.cwd(), file);
    const bytes = await exportToFile(plan, path, run);
    const { files } = plan;
    if (output.json) output.record("export", { file: path, version, files, bytes });
    else {
      output.say(
        `Exported: version ${version}, ${count(files, "file")} ` +
          `(${formatBytes(plan.bytes)}) to ${printable(path)} (${formatBytes(bytes)})`,
      );
    }
  }
  if (plan.refused > 0) {
    throw new TroveError(
      `Cannot export ${plan.refused} of the archive's entries: see the warnings`,
      { hint: "everything else was exported" },
    );
  }
}

/** What tells people how far it is, as soon as it takes long enough. */
function progressOf(plan: ExportPlan, { world, output }: CommandContext) {
  const begun = world.clock.monotonic();
  let path = "";
  let done = 0;
  return {
    onEntry: (entry: { readonly path: string }) => {
      path = entry.path.slice(1);
    },
    /** @param bytes How many more there are. */
    onBytes: (bytes: number) => {
      done += bytes;
      if (world.clock.monotonic() - begun < QUIET_MS) return;
      // Headers are not counted beforehand.
      const shown = Math.min(done, plan.bytes);
      const share = plan.bytes === 0 ? 1 : shown / plan.bytes;
      output.progress(share, `${formatBytes(shown)} of ${formatBytes(plan.bytes)}`, path);
    },
  };
}
