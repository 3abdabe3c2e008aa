/** `docs/commands.md` is true: what it says to type is taken, and so is what dat's users typed before. */
import assert from "node:assert/strict";
import { CommanderError } from "commander";
import { commandsFor } from "../../src/cli/commands.ts";
import { buildProgram } from "../../src/cli/run.ts";
import { withCommand } from "../../src/cli/shortcut.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { TEST_VERSION, TestWorld } from "../support/test_world.ts";

const LINK = `dat://${"ab".repeat(32)}`;

const PAGE = Deno.readTextFileSync(new URL("../../docs/commands.md", import.meta.url));

/** The command lines in the first two columns of the tables. */
const ROWS = PAGE.split("\n")
  .filter((line) => line.startsWith("| `"))
  .map((line) => {
    const [before, now, note] = line.slice(1, -1).split(" | ").map((cell) => cell.trim());
    return { before: spans(before), now: [...spans(now), ...spans(note ?? "")] };
  });

function spans(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, text]) => text);
}

/** Everything that the tools had and that is marked must or should. */
const HAD = {
  dat: [
    ...["<link> [dir]", "<dir>", "help", "--help", "--version", "-v"],
    ...["create [dir]", "create --title T --description D --yes", "init [dir]", "share [dir]"],
    ...["share --no-import", "share --no-watch", "share --no-ignoreHidden", "sync [dir]"],
    ...["sync <link> [dir]", "sync --select a,b", "sync --selectFromFile list"],
    ...["sync --show-key", "sync --no-import --no-watch", "clone <link> [dir]"],
    ...["clone <link> --empty", "clone <link> --no-upload", "clone <link> --no-exit"],
    ...["clone <link> --show-key", "pull [dir]", "pull --exit=30"],
    ...["pull --no-upload --select a,b", "pull --selectFromFile list", "log [dir]"],
    ...["log <link>", "log --live", "status [dir]", "keys", "keys --discovery", "keys export"],
    ...["keys import", "doctor", "doctor <id>", "share --dir photos", "share --port 3282"],
    ...["share --utp", "share --http=8080", "share --up 500kb --down 2mb", "sync --sparse"],
    ...["share --quiet", "share --sources", "share --help"],
  ],
  geniza: [
    ...["clone <address> [dir]", "clone --full", "init [dir]", "status", "log"],
    ...["checkout <path>", "add <path>", "rm <path>", "ls [path] --recursive", "seed", "pull"],
    "pull --forever",
  ],
  "geniza-drive": [
    ...["init", "ls", "cat <file>", "import-file <file> --target p"],
    ...["import-dir <dir> --target p", "export-file <file> --target p"],
    ...["export-dir <dir> --target p", "log", "verify", "dump-entries", "copy <from> <to>"],
    ...["remove <file>", "remove-dir-all <path>"],
  ],
  "geniza-sleep": [
    ...["info <dir> <prefix>", "chunk <dir> <prefix> <index>", "verify <dir> <prefix>"],
    ...["file-info <file>", "file-read-all <file>", "file-chunk <file> <index>"],
  ],
  "geniza-net": [
    ...["connect <host:port> <key>", "discovery-key <key>", "discovery-dns-name <key>"],
    ...["discover-dns <key>", "naive-clone -d dir <host:port> <key>"],
  ],
  drives: [
    ...["mirror <src> <dst>", "ls <src> [path] --recursive", "seed [key]", "download <key>"],
    ...["serve <src>", "put <src> <path> <blob>", "entry <src> <path>", "get <src> <path>"],
    ...["rm <src> <path> --recursive", "info <key>", "purge <key>"],
  ],
  hyp: [
    ...["info [urls]", "seed <urls>", "drive ls <url>", "drive cat <url>", "drive mkdir <url>"],
    ...["drive rmdir <url>", "drive put <url> [content]", "drive rm <url> -r"],
    ...["drive diff <a> <b>", "drive sync <a> [b]", "drive http <url>"],
  ],
  hyperdrive: [
    ...["import [dir] [key]", "export [key] [dir]", "info <path>", "stats [path]", "seed [path]"],
  ],
};

for (const [program, lines] of Object.entries(HAD)) {
  Deno.test(`docs/commands.md says what to type for everything that ${program} had`, () => {
    const told = new Set(ROWS.flatMap(({ before }) => before));
    const missing = lines.map((line) => `${program} ${line}`).filter((line) => !told.has(line));
    assert.deepEqual(missing, []);
  });
}

/** The words of a command line: what may be left out is, and what stands for something is that. */
function wordsOf(line: string): string[] {
  const text = line.replace(/^(trove|dat)\b */, "").replace(/"/g, "").replace(/ ?\[[^\]]+\]/g, "")
    .replace(/<link>|<id>/g, LINK).replace(/<dir or link>/g, "photos")
    .replace(/<dir( with dat\.json)?>/g, "photos")
    .replace(/<[^>]+>/g, "photos/a");
  return text.split(" ").filter((word) => word !== "");
}

/** Understand a command line as far as it goes before anything is done; gives what is wrong with it. */
async function refusal(line: string, temp: TempFolder): Promise<string | undefined> {
  const world = new TestWorld(temp);
  const args = await withCommand(wordsOf(line), world);
  let performed = 0;
  const commands = await commandsFor(args);
  const program = buildProgram(world, TEST_VERSION, commands, () => void performed++);
  try {
    await program.parseAsync([...args], { from: "user" });
    return performed === 1 ? undefined : "nothing was to be done";
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return undefined;
    return (error as Error).message;
  }
}

Deno.test("trove takes every command line that docs/commands.md says to type", async () => {
  using temp = tempFolder();
  temp.folder("photos");
  const lines = new Set(ROWS.flatMap(({ now }) => now).filter((line) => /^trove\b/.test(line)));
  assert.ok(lines.size > 60, `${lines.size} command lines`);
  for (const line of lines) assert.deepEqual([line, await refusal(line, temp)], [line, undefined]);
  for (const { now } of ROWS) assert.match(now[0], /^trove\b/);
});

Deno.test("trove takes every command line that dat took", async () => {
  using temp = tempFolder();
  temp.folder("photos");
  const lines = ROWS.flatMap(({ before }) => before).filter((line) => line.startsWith("dat "));
  assert.ok(lines.length > 40, `${lines.length} command lines`);
  for (const line of lines) assert.deepEqual([line, await refusal(line, temp)], [line, undefined]);
});

Deno.test("what dat took in silence is refused", async () => {
  using temp = tempFolder();
  for (const line of ["share --lifespeed 3", "clone <link> --uptp", "log --versions 3"]) {
    assert.match(await refusal(line, temp) ?? "", /unknown option/);
  }
});
