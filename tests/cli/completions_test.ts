/** Completions, as the shells that are here have them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { allCommands, commandTree } from "../../src/cli/command_tree.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { runIn, TestWorld } from "../support/test_world.ts";

async function script(temp: TempFolder, shell: string): Promise<string> {
  const { code, stdout, stderr } = await runIn(new TestWorld(temp), "completions", shell);
  assert.deepEqual([code, stderr], [0, ""]);
  const path = temp.join(`completions.${shell}`);
  Deno.writeTextFileSync(path, stdout);
  return path;
}

function isHere(shell: string): boolean {
  try {
    return new Deno.Command(shell, { args: ["--version"] }).outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function runShell(shell: string, args: readonly string[], cwd: string): Promise<string> {
  const command = new Deno.Command(shell, { args: [...args], cwd });
  const { success, stdout, stderr } = await command.output();
  const [text, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert.ok(success && errors === "", errors);
  return text;
}

/** Folders and files that can be completed. */
function fill(temp: TempFolder): string {
  const dir = temp.folder("here");
  for (const name of ["photos", "old photos"]) Deno.mkdirSync(join(dir, name));
  Deno.writeTextFileSync(join(dir, "photos.key"), "");
  return dir;
}

/** What is typed, the last word being completed; all that is offered, or some of it. */
const TYPED: readonly (readonly [readonly string[], offered: readonly string[], all?: boolean])[] =
  [
    [["sh"], ["share"], true],
    [["ini"], ["init"], true],
    [["--v"], ["--version"], true],
    [["clone", "--pe"], ["--peer"], true],
    [["clone", "--help"], ["--help", "--help-all"], true],
    [["clone", "link", "ph"], ["photos"], true],
    [["clone", "--color", ""], ["auto", "always", "never"], true],
    [["clone", "--peer", ""], [], true],
    [["share", "--key-file", "ph"], ["photos", "photos.key"], true],
    [["share", "old"], ["old photos"], true],
    [["keys", ""], ["export", "import", "photos", "old photos"], true],
    [["keys", "im"], ["import"], true],
    [["keys", "import", "--f"], ["--file"], true],
    [["inspect", "b"], ["block"], true],
    [["completions", ""], ["bash", "zsh", "fish", "powershell"], true],
    [["convert", "--to", "h"], ["history"], true],
  ];

Deno.test("bash completes commands, options, their values, files and folders", async () => {
  using temp = tempFolder();
  const dir = fill(temp);
  const file = await script(temp, "bash");
  const lines = [`source '${file}'`];
  const words = [...TYPED.map(([typed]) => typed), ["clone", "--color", "=", "ne"]];
  for (const typed of words) {
    lines.push(`COMP_WORDS=(trove ${typed.map((word) => `'${word}'`).join(" ")})`);
    lines.push(`COMP_CWORD=${typed.length}; _trove; printf '%s|' "\${COMPREPLY[@]}"; echo`);
  }
  const text = await runShell("bash", ["--norc", "-c", lines.join("\n")], dir);
  const offered = text.trimEnd().split("\n").map((line) => line.split("|").filter(Boolean).sort());
  assert.deepEqual(offered, [...TYPED.map(([, offered]) => [...offered].sort()), ["never"]]);
});

Deno.test({
  name: "fish completes the same",
  ignore: !isHere("fish"),
  async fn() {
    using temp = tempFolder();
    const dir = fill(temp);
    const file = await script(temp, "fish");
    const lines = [`source ${file}`];
    for (const [typed] of TYPED) lines.push(`complete -C 'trove ${typed.join(" ")}'`, "echo =");
    const text = await runShell("fish", ["--no-config", "-c", lines.join("\n")], dir);
    const offered = text.split("=\n").slice(0, -1).map((part) =>
      part.trimEnd().split("\n").map((line) => line.split("\t")[0].replace(/\/$/, ""))
        .filter((word) => word !== "").sort()
    );
    assert.deepEqual(offered, TYPED.map(([, offered]) => [...offered].sort()));
  },
});

Deno.test({
  name: "zsh reads its completions",
  ignore: !isHere("zsh"),
  async fn() {
    using temp = tempFolder();
    const file = await script(temp, "zsh");
    await runShell("zsh", ["-f", "-n", file], temp.path);
    const load = `compdef() { print -r -- "$@"; }; source '${file}'; whence -w _trove_keys_import`;
    const text = await runShell("zsh", ["-f", "-c", load], temp.path);
    assert.equal(text, "_trove trove\n_trove_keys_import: function\n");
  },
});

for (const shell of ["bash", "zsh", "fish", "powershell"]) {
  Deno.test(`completions for ${shell} name every command and every option`, async () => {
    using temp = tempFolder();
    const world = new TestWorld(temp);
    const text = Deno.readTextFileSync(await script(temp, shell));
    for (const { names, options } of allCommands(await commandTree({ world, perform: () => {} }))) {
      for (const name of names) assert.ok(text.includes(name), name);
      for (const name of options.flatMap(({ names }) => names)) {
        const shown = shell === "fish" ? name.replace(/^--?/, "") : name;
        assert.ok(text.includes(shown), name);
      }
    }
  });
}

Deno.test("completions for PowerShell are tables of commands, words and choices", async () => {
  using temp = tempFolder();
  const text = Deno.readTextFileSync(await script(temp, "powershell"));
  assert.match(text, /^Register-ArgumentCompleter -Native -CommandName trove -ScriptBlock \{$/m);
  assert.match(text, /^ {4}':share' = 'share'$/m);
  assert.match(text, /^ {4}'keys:export' = 'keys export'$/m);
  assert.match(text, /^ {4}'keys' = @\(,@\('export', 'print the secret key: /m);
  assert.match(text, /^ {4}'convert:--to' = @\(,@\('history', 'history'\); ,@\('latest', /m);
  assert.ok(text.includes("'keep every version''s bytes, or the newest one''s only'"));
  // Every quote is closed on its line, and every bracket somewhere.
  for (const line of text.split("\n")) assert.equal(line.split("'").length % 2, 1, line);
  const code = text.replace(/'(?:''|[^'])*'/g, "");
  for (const [open, close] of ["()", "{}", "[]"]) {
    assert.equal(code.split(open).length, code.split(close).length, open);
  }
});
