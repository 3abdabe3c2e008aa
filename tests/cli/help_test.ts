/** The help of every command fits a screen, and nothing is missing where all is asked for. */
import assert from "node:assert/strict";
import { allCommands, commandTree } from "../../src/cli/command_tree.ts";
import { textWidth } from "../../src/cli/text_width.ts";
import { tempFolder } from "../support/temp.ts";
import { runIn, TestWorld } from "../support/test_world.ts";

/** Of the smallest terminal that people have. */
const [COLUMNS, ROWS] = [80, 24];

async function tree() {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  return await commandTree({ world, perform: () => {} });
}

for (const { path, options, examples, summary, about } of allCommands(await tree())) {
  const name = ["trove", ...path].join(" ");
  Deno.test(`${name} --help fits a screen, names every option and gives an example`, async () => {
    using temp = tempFolder();
    const { code, stdout, stderr } = await runIn(new TestWorld(temp), ...path, "--help");
    assert.deepEqual([code, stderr], [0, ""]);
    const lines = stdout.trimEnd().split("\n");
    assert.ok(lines.length <= ROWS, `${lines.length} lines`);
    for (const line of lines) assert.ok(textWidth(line) <= COLUMNS, line);
    for (const { names } of options) assert.ok(stdout.includes(names.at(-1)!), names.at(-1));
    assert.match(stdout, new RegExp(`\\n\\nExamples?:\\n  ${name}`));
  });

  Deno.test(`${name} --help-all explains every option and gives all examples`, async () => {
    using temp = tempFolder();
    const { code, stdout } = await runIn(new TestWorld(temp), ...path, "--help-all");
    assert.equal(code, 0);
    for (const line of stdout.split("\n")) assert.ok(textWidth(line) <= COLUMNS, line);
    const words = stdout.replace(/\s+/g, " ");
    const texts = [summary.slice(1), ...about, ...examples.map((line) => `trove ${line}`)];
    for (const { term, text, names } of options) {
      if (!names.includes("--help-all")) texts.push(`${term} ${text}`);
    }
    for (const text of texts) assert.ok(words.includes(text.replace(/\s+/g, " ")), text);
  });
}

Deno.test("every command is in the program's help", async () => {
  using temp = tempFolder();
  const all = await tree();
  for (const flag of ["--help", "--help-all"]) {
    const { stdout } = await runIn(new TestWorld(temp), flag);
    for (const { names } of all.commands) assert.match(stdout, new RegExp(`\\b${names[0]}\\b`));
  }
});

Deno.test("on a narrow terminal nothing but names and examples is wider than it", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  world.stdout.columns = 70;
  const { stdout } = await runIn(world, "clone", "--help-all");
  for (const line of stdout.split("\n")) {
    assert.ok(line.startsWith("  trove ") || textWidth(line) <= 70, line);
  }
});

const MISTAKES: readonly (readonly [readonly string[], message: RegExp])[] = [
  [["shear"], /'shear' \(Did you mean share\?\); see trove --help$/],
  [["clone", "--pear", "1"], /'--pear' \(Did you mean --peer\?\); see trove clone --help$/],
  [["share", "a", "b"], /got 2: a, b; see trove share --help$/],
  [["mirror", "x"], /argument 'dir'; see trove mirror --help$/],
  [["help", "nothing"], /Unknown command 'nothing'; see trove --help$/],
  [["completions", "tcsh"], /bash, zsh, fish, powershell; see trove completions --help$/],
  [["status", "nowhere"], /no such folder; check the path$/],
  [["keys", "import", "--no-input"], /name a folder/],
];

for (const [args, message] of MISTAKES) {
  Deno.test(`trove ${args.join(" ")} says in one line what to try`, async () => {
    using temp = tempFolder();
    const { code, stderr } = await runIn(new TestWorld(temp), ...args);
    assert.ok(code === 2 || code === 9);
    const last = stderr.trimEnd().split("\n").at(-1)!;
    assert.match(last, /^error: /);
    assert.match(last, message);
  });
}
