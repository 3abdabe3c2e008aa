/** `trove keys [export|import] [dir]` */
import { resolve } from "node:path";
import { locateArchive } from "../app/locate.ts";
import { type KeyReport, reportKeys, reportLink } from "../app/keys.ts";
import { exportKey, writeKeyFile } from "../app/keys_export.ts";
import { importKey, MAX_KEY_INPUT_BYTES, parseSecretKey, readKeyFile } from "../app/keys_import.ts";
import { toUtf8 } from "../base/bytes.ts";
import { UsageError } from "../base/errors.ts";
import { printable } from "../base/format.ts";
import { parseLink } from "../crypto/link.ts";
import { addCommand, type CommandLine } from "./command_line.ts";
import type { CommandContext, CommonOptions } from "./context.ts";
import { isLink } from "./links.ts";
import { addDirOption, chosenFolder } from "./options.ts";

interface KeysOptions extends CommonOptions {
  readonly dir?: string;
  readonly discovery?: boolean;
  readonly dnsName?: boolean;
}

interface ExportOptions extends CommonOptions {
  readonly dir?: string;
  readonly output?: string;
  readonly overwrite?: boolean;
}

interface ImportOptions extends CommonOptions {
  readonly dir?: string;
  readonly file?: string;
}

export function addKeys({ program, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "keys [dir]",
    summary: "show the link and where the secret key is, or carry that to another machine",
    examples: [
      "keys photos",
      "keys --discovery dat://…      # the name under which peers look for it",
      "keys export photos --output ~/photos.key",
      "keys import photos < photos.key",
    ],
  }).helpCommand(false);
  addDirOption(command)
    .option("--discovery", "print the discovery key alone; also of a bare link")
    .option("--dns-name", "print the name under which multicast DNS has it")
    .action((dir: string | undefined, options: KeysOptions) =>
      perform(options, (context) => show(chosenFolder(dir, options), options, context))
    );

  const exporting = addCommand(command, {
    usage: "export [dir]",
    summary: "print the secret key: whoever has it can change the archive",
    examples: ["keys export photos --output ~/photos.key"],
  });
  addDirOption(exporting)
    .option("-o, --output <file>", "write it to a file that only you can read")
    .option("--overwrite", "replace the file if it exists")
    .action((dir: string | undefined, options: ExportOptions) =>
      perform(options, (context) => exportTo(chosenFolder(dir, options), options, context))
    );

  const importing = addCommand(command, {
    usage: "import [dir]",
    summary: "take the secret key of an archive that you own: asked for, or from stdin or a file",
    examples: ["keys import photos", "keys import photos --file ~/photos.key"],
  });
  addDirOption(importing)
    .option("--file <file>", "read it from a file")
    .action((dir: string | undefined, options: ImportOptions) =>
      perform(options, (context) => importFrom(chosenFolder(dir, options), options, context))
    );
}

function show(
  what: string | undefined,
  { discovery, dnsName }: KeysOptions,
  { world, output }: CommandContext,
): void {
  const report = what !== undefined && isLink(what)
    ? reportLink(parseLink(what).key, world)
    : reportKeys(locateArchive(what, world), world);
  if (output.json) {
    output.record("keys", report);
  } else if (discovery || dnsName) {
    if (discovery) output.result(report.discoveryKey);
    if (dnsName) output.result(report.dnsName);
  } else {
    for (const [name, value] of linesOf(report)) {
      output.result(`${output.paint("dim", name.padEnd(13))}  ${printable(value)}`);
    }
  }
}

function linesOf(report: KeyReport): [string, string][] {
  const { link, discoveryKey, dir, writable, secretKey, readableByOthers, problem } = report;
  const lines: [string, string][] = [["link", link], ["discovery key", discoveryKey]];
  if (dir !== undefined) lines.push(["folder", dir]);
  lines.push(["secret key", secretKey ?? "not here"]);
  if (dir !== undefined) {
    lines.push(["changes", writable ? "yours to make" : `none: ${problem ?? "others own it"}`]);
  }
  if (readableByOthers) {
    lines.push(["caution", `others can read the secret key; run: chmod 600 "${secretKey}"`]);
  }
  return lines;
}

function exportTo(
  dir: string | undefined,
  { output: file, overwrite }: ExportOptions,
  { world, output }: CommandContext,
): void {
  const paths = locateArchive(dir, world);
  const { link, discoveryKey } = reportKeys(paths, world);
  const hex = exportKey(paths, world);
  const action = "export";
  if (file === undefined) {
    if (output.json) output.record("keys", { action, link, discoveryKey, hex });
    else output.result(hex);
  } else {
    const path = resolve(world.cwd(), file);
    writeKeyFile(path, hex, { world, overwrite: overwrite === true });
    if (output.json) output.record("keys", { action, link, discoveryKey, file: path });
    else output.say(`The secret key of ${link} is in ${printable(path)}`);
  }
  output.say("Whoever has it can change the archive for everybody: keep it to yourself");
}

async function importFrom(
  dir: string | undefined,
  options: ImportOptions,
  context: CommandContext,
): Promise<void> {
  const { world, output } = context;
  const paths = locateArchive(dir, world);
  const secretKey = parseSecretKey(await readInput(options, context));
  const { already, path, warnings } = importKey(paths, secretKey, world);
  const report = reportKeys(paths, world);
  if (output.json) output.record("keys", { action: "import", already, ...report });
  for (const message of warnings) output.emit({ event: "warning", code: "secret-key", message });
  if (already) {
    output.say(`This key is here already: ${printable(path)}`);
    return;
  }
  output.say(`The key fits and is kept in ${printable(path)}`);
  output.say("Before you share, bring the folder up to date with its peers: trove pull");
}

/** From the file that is named, from a person who types or pastes it, or from another program. */
async function readInput(
  { file, input }: ImportOptions,
  { world }: CommandContext,
): Promise<Uint8Array> {
  if (file !== undefined) return readKeyFile(file, world);
  if (!world.stdin.isTerminal) return await world.stdin.readAll(MAX_KEY_INPUT_BYTES);
  const hint = "give it with --file, or through stdin";
  if (input === false) {
    throw new UsageError("Cannot ask for the secret key with --no-input", { hint });
  }
  const typed = await world.stdin.readHidden("Secret key (128 hex digits, not shown): ");
  if (typed === undefined) {
    throw new UsageError("Cannot import a secret key: none was given", { hint });
  }
  return toUtf8(typed);
}
