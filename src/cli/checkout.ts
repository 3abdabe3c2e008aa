/** `trove checkout <path>...` */
import { resolve } from "node:path";
import type { ArchivePaths } from "../app/archive_folder.ts";
import { lockArchive } from "../app/archive_lock.ts";
import { ArchiveView } from "../app/archive_view.ts";
import { missingError } from "../app/held_files.ts";
import { locate } from "../app/locate.ts";
import { type Archive, openArchive } from "../app/open_archive.ts";
import { restoreFiles } from "../app/restore_files.ts";
import {
  planRestore,
  type RestoredFile,
  type RestorePlan,
  restoreRoot,
} from "../app/restore_plan.ts";
import { abortOnStop } from "../app/stop_signals.ts";
import { ProofError, TroveError, UsageError } from "../base/errors.ts";
import { count, formatBytes, printable } from "../base/format.ts";
import type { World } from "../base/world.ts";
import { addCommand, type CommandLine } from "./command_line.ts";
import type { CommandContext, CommonOptions } from "./context.ts";
import { addDirOption, addVersionOption } from "./options.ts";

interface CheckoutOptions extends CommonOptions {
  readonly version?: number;
  readonly dir?: string;
  readonly to?: string;
  readonly overwrite?: boolean;
  readonly partial?: boolean;
  readonly dryRun?: boolean;
}

/** Work that takes less is over before anybody reads how far it is. */
const QUIET_MS = 500;

export function addCheckout({ program, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "checkout <path...>",
    summary: "restore files of a version",
    examples: [
      "checkout notes.txt --version 12",
      "checkout / --version 12 --to ../before   # everything, elsewhere",
    ],
    about: [
      "A file is replaced only if the archive keeps its bytes, or with --overwrite.",
    ],
  });
  addVersionOption(addDirOption(command))
    .option("--to <folder>", "restore into this folder instead of the archive's own")
    .option("--overwrite", "replace files that are in the way")
    .option("--partial", "restore what is here although some of it is not")
    .option("-n, --dry-run", "show what would be written, and write nothing")
    .action((paths: string[], options: CheckoutOptions) =>
      perform(options, (context) => checkout(paths, options, context))
    );
}

async function checkout(
  texts: readonly string[],
  options: CheckoutOptions,
  context: CommandContext,
): Promise<void> {
  const { world, output } = context;
  const { paths, wanted } = locateAll(texts, options, world);
  using stop = abortOnStop(world, "Stopped before everything was restored");
  using archive = openArchive(paths.dir, { world, access: "read" });
  const to = options.to === undefined
    ? undefined
    : restoreRoot(resolve(world.cwd(), options.to), archive);
  if (to === undefined && !archive.hasWorkingFiles) {
    throw new UsageError(`Cannot restore into "${paths.dir}": this archive has no working files`, {
      hint: "name a folder to restore into with --to",
    });
  }
  // Nobody else may import or pull meanwhile; the archive's own files are only read.
  using _lock = to === undefined && !options.dryRun ? lockArchive(paths, world) : undefined;
  const view = new ArchiveView(archive, options.version);
  const plan = await planRestore(view, {
    ...{ world, to, paths: wanted, overwrite: options.overwrite, signal: stop.signal },
    emit: (event) => output.emit(event),
    checkMissing: (missing) => {
      for (const file of missing) {
        const { path, size, blocks } = file;
        if (output.json) output.record("missing", { path, size, blocks, missing: file.missing });
        else if (options.partial) output.say(`missing  ${printable(path.slice(1))}`);
      }
      if (missing.length === 0 || options.partial) return;
      const hint = "--partial restores the rest";
      throw missingError(view, missing, { action: "restore", hint });
    },
  });
  const damaged = options.dryRun
    ? preview(plan, context)
    : await restore(plan, stop.signal, context);
  summarize(plan, damaged, { ...options, archive }, context);
  if (damaged.length > 0) {
    throw new ProofError(
      `Cannot restore ${
        count(damaged.length, "file")
      }: the bytes here do not match the signed tree`,
      { hint: "see the warnings; everything else was restored" },
    );
  }
  if (plan.missing.length > 0) throw missingError(view, plan.missing, { action: "restore all of" });
  if (plan.refused > 0) {
    throw new TroveError(
      `Cannot write ${plan.refused} of the archive: see the warnings`,
      { hint: "everything else was restored" },
    );
  }
}

/** @throws {UsageError} If the paths are not all of one archive. */
function locateAll(
  texts: readonly string[],
  { dir }: CheckoutOptions,
  world: World,
): { paths: ArchivePaths; wanted: string[] } {
  const located = texts.map((text) => locate(text, { world, dir }));
  const [{ paths }] = located;
  const other = located.find((one) => one.paths.dir !== paths.dir);
  if (other !== undefined) {
    throw new UsageError(
      `Cannot restore from two archives at once, "${paths.dir}" and "${other.paths.dir}"`,
    );
  }
  return { paths, wanted: located.map(({ path }) => path) };
}

function preview({ files, modes }: RestorePlan, { output }: CommandContext): string[] {
  for (const file of [...files, ...modes]) {
    const heard = output.json
      ? output.record("checkout", recordOf(file))
      : output.result(`${formatBytes(file.size).padStart(7)}  ${printable(file.path.slice(1))}`);
    if (!heard) break;
  }
  return [];
}

async function restore(
  plan: RestorePlan,
  signal: AbortSignal,
  { world, output }: CommandContext,
): Promise<string[]> {
  const begun = world.clock.monotonic();
  let bytes = 0;
  const tell = (file: RestoredFile, more: number) => {
    if (world.clock.monotonic() - begun < QUIET_MS) return;
    const share = plan.bytes === 0 ? 1 : Math.min(1, (bytes + more) / plan.bytes);
    const figures = `${formatBytes(bytes + more)} of ${formatBytes(plan.bytes)}`;
    output.progress(share, figures, file.path.slice(1));
  };
  return await restoreFiles(plan, {
    signal,
    emit: (event) => output.emit(event),
    onBytes: tell,
    onFile: (file) => {
      bytes += file.size;
      if (output.json) output.record("checkout", recordOf(file));
    },
  });
}

function recordOf({ path, walked, before }: RestoredFile): object {
  const { size, mode, mtime, blocks } = walked.stat;
  return {
    path,
    size,
    mode,
    mtime,
    blocks,
    version: walked.seq,
    replaced: before !== null && before !== undefined,
  };
}

function summarize(
  plan: RestorePlan,
  damaged: readonly string[],
  { dryRun = false, archive }: CheckoutOptions & { archive: Archive },
  { output }: CommandContext,
): void {
  const { view, root, same, modes, refused, local } = plan;
  const bad = new Set(damaged);
  const written = plan.files.filter(({ path }) => !bad.has(path));
  const bytes = written.reduce((sum, { size }) => sum + size, 0);
  const [files, folders, missing] = [written.length, plan.folders.length, plan.missing.length];
  if (output.json) {
    output.record("restored", {
      ...{ version: view.version, dir: root, files, bytes, same, modes: modes.length, folders },
      ...{ refused, missing, damaged: damaged.length, local, dryRun },
    });
    return;
  }
  const parts = [`${count(files, "file")} (${formatBytes(bytes)})`];
  if (modes.length > 0) parts.push(`permissions of ${count(modes.length, "file")}`);
  if (folders > 0) parts.push(count(folders, "folder"));
  if (same > 0) parts.push(`${same} there already`);
  if (missing > 0) parts.push(`${missing} not here`);
  const verb = dryRun ? "Would restore" : "Restored";
  output.say(`${verb}: ${parts.join(", ")} of version ${view.version} in ${printable(root)}`);
  if (local === 0 || dryRun) return;
  const differ = `${count(local, "file")} ${local === 1 ? "differs" : "differ"} from version ` +
    `${archive.version}, the newest`;
  output.say(
    archive.owned
      ? `${differ}: the next share imports ${local === 1 ? "it" : "them"} as a change`
      : `${differ}: the next pull puts that one back`,
  );
}
