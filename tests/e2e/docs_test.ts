/** The pages that show sessions are right: every command is run, and its output compared. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, CommanderError } from "commander";
import { toHex } from "../../src/base/bytes.ts";
import { COMMANDS, commandsFor } from "../../src/cli/commands.ts";
import { borrowArchive } from "../support/archives.ts";
import { startHttps, TEST_CERT_PATH } from "../support/https_server.ts";
import { denoDirectory, QUIET } from "../support/processes.ts";
import { troveCommand } from "../support/trove_command.ts";
import { assertShown, readSteps, ShellSession } from "../support/shell_session.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { TestWorld } from "../support/test_world.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Every page that shows commands, by its path from the project. */
const PAGES: ReadonlyMap<string, string> = new Map(
  ["README.md", "SECURITY.md", ...readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`)]
    .map((path) => [path, Deno.readTextFileSync(join(ROOT, path))]),
);

/** Pages whose sessions need more than a shell, and have tests of their own below. */
const WITH_FIXTURES = ["docs/names.md", "docs/moving-from-dat.md"];

/** Blocks of commands that no test can run: they install, compile, or ask the whole network. */
const MOST_NOT_RUN = 5;

/** A port that was free a moment ago. */
function freePort(): string {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return String(listener.addr.port);
}

/** Type everything that a page shows. */
async function tryPage(path: string, temp: TempFolder, env: Record<string, string> = {}) {
  const program = join(temp.folder("bin"), "trove");
  const command = troveCommand().join(" ");
  Deno.writeTextFileSync(program, `#!/bin/sh\nexec ${command} "$@"\n`, { mode: 0o755 });
  const steps = readSteps(PAGES.get(path)!.replaceAll("3282", freePort()));
  assert.ok(steps.length > 0, "the page shows something");
  await using shell = new ShellSession({
    cwd: temp.folder("work"),
    env: {
      HOME: temp.folder("home"),
      PATH: `${temp.join("bin")}:${Deno.env.get("PATH") ?? ""}`,
      ...QUIET,
      DENO_DIR: await denoDirectory(),
      NO_COLOR: "1",
      ...env,
    },
  });
  for (const step of steps) {
    const { exitCode, output } = await shell.type(step.command);
    assert.equal(exitCode, step.exitCode, `${path}:${step.line}: ${step.command}\n${output}`);
    assertShown(step, path, output);
  }
}

for (const [path, page] of PAGES) {
  if (readSteps(page).length === 0 || WITH_FIXTURES.includes(path)) continue;
  Deno.test(`every session in ${path} is as it says`, async () => {
    using temp = tempFolder();
    await tryPage(path, temp);
  });
}

Deno.test("every session in docs/moving-from-dat.md is as it says", async () => {
  using temp = tempFolder();
  const { dir, expected } = borrowArchive("basic-hd916", temp, new TestWorld(temp));
  Deno.renameSync(dir, join(temp.folder("work"), "old"));
  Deno.writeTextFileSync(temp.join("work/link.txt"), `dat://${expected.key}\n`);
  await tryPage("docs/moving-from-dat.md", temp);
});

Deno.test("every session in docs/names.md is as it says", async () => {
  using temp = tempFolder();
  // Whoever is asked for a record names the archive that the page has made by then.
  await using server = startHttps(() => {
    const key = toHex(Deno.readFileSync(temp.join("work/photos/.dat/metadata.key")));
    return Response.json({ Status: 0, Answer: [{ type: 16, TTL: 60, data: `"datkey=${key}"` }] });
  });
  await tryPage("docs/names.md", temp, { TROVE_DOH: server.origin, DENO_CERT: TEST_CERT_PATH });
});

Deno.test("commands that are not run are marked so with the reason, and are few", () => {
  const marked: string[] = [];
  for (const [path, page] of PAGES) {
    for (const [, before] of page.matchAll(/(.*)\n\n```(?:sh|bash|shell)\n/g)) {
      assert.match(before, /^<!-- not run: .+ -->$/, `a block of commands in ${path}`);
      marked.push(path);
    }
    // What is shown as a session is run, whatever it is.
    assert.ok(!/-->\n\n```console/.test(page), path);
  }
  assert.ok(marked.length <= MOST_NOT_RUN, marked.join());
});

/** Command lines in the text, in tables, and in blocks of other languages. */
function mentioned(page: string): string[] {
  const blocks = [...page.matchAll(/^```(\w*)\n(.*?)^```$/gms)]
    .filter(([, language]) => language !== "console").map(([, , text]) => text).join("");
  const prose = page.replace(/^```\w*\n.*?^```$/gms, "");
  const spans = [...prose.matchAll(/`(trove [^`]+)`/g)].map(([, line]) => line);
  const lines = blocks.matchAll(/^(?:.*run: |ExecStart=\S+\/|[\d* ]*)(trove .*)$/gm)
    .map(([, line]) => line.replace(/\s*#.*$|\s*>.*$/, ""));
  return [...spans, ...lines].map((line) => line.replace(/\s+/g, " "));
}

/** What stands for something that a reader puts in. */
const STAND_INS: readonly [RegExp, string][] = [
  [/dat:\/\/…|\bLINK\b|<link>|\bKEY\b/g, `dat://${"ab".repeat(32)}`],
  [/\bHOST:PORT\b/g, "127.0.0.1:3282"],
  [/\bPATH\b|\bNAME\b/g, "name"],
  [/\bN\b|\bA\b|\bB\b/g, "1"],
  [/--peer …/g, "--peer 127.0.0.1:3282"],
];

Deno.test("every command line that a page mentions is one that trove takes", async () => {
  using temp = tempFolder();
  const wrong: string[] = [];
  let count = 0;
  for (const [path, page] of PAGES) {
    if (path === "docs/commands.md") continue; // tests/cli/parity_test.ts reads it
    for (const line of mentioned(page)) {
      const filled = STAND_INS.reduce((text, [from, to]) => text.replaceAll(from, to), line);
      const args = filled.split(" ").slice(1).map((word) => word.replace(/^['"]|['"]$/g, ""));
      count++;
      const refused = await refusal(args, temp);
      if (refused !== undefined) wrong.push(`${path}: ${line}: ${refused}`);
    }
  }
  assert.ok(count > 50, `${count} command lines`);
  assert.deepEqual(wrong, []);
});

/** What is wrong with a command line, as the parser of the command line sees it. */
async function refusal(args: readonly string[], temp: TempFolder): Promise<string | undefined> {
  // To name a command is not to use it.
  if (args.length === 1 && COMMANDS.has(args[0])) return undefined;
  const program = new Command("trove").version("").exitOverride().enablePositionalOptions()
    .configureOutput({ writeErr: () => {}, writeOut: () => {} });
  const world = new TestWorld(temp, { env: { TROVE_DISCOVERY: "" } });
  for (const add of await commandsFor(args)) add({ program, world, perform: () => {} });
  try {
    await program.parseAsync([...args], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return undefined;
    return error instanceof Error ? error.message : String(error);
  }
}
