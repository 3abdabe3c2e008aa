import assert from "node:assert/strict";
import { allCommands, commandTree } from "../../src/cli/command_tree.ts";
import { tempFolder } from "../support/temp.ts";
import { runIn, TestWorld } from "../support/test_world.ts";

/** The page as text: without macros and escapes. */
function plain(page: string): string {
  return page.replace(/^\.(?:SS|SH|B|I|PP|TP|EX|EE|TH)\b ?/gm, "").replaceAll("\\-", "-");
}

Deno.test("the manual page names every command, every option and every variable", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const { code, stdout } = await runIn(world, "man");
  assert.equal(code, 0);
  const text = plain(stdout);
  for (const command of allCommands(await commandTree({ world, perform: () => {} }))) {
    const { path, usage, options, examples } = command;
    if (path.length > 0) assert.ok(text.includes(`\n${usage}\n`), usage);
    for (const example of examples) assert.ok(text.includes(`trove ${example}`), example);
    for (const { term, names } of options) {
      assert.ok(names.includes("--help") || text.includes(`\n${term}\n`), term);
    }
  }
  const { tasks } = JSON.parse(
    Deno.readTextFileSync(new URL("../../deno.json", import.meta.url)),
  );
  const [, variables] = /--allow-env=(\S+)/.exec(tasks.trove)!;
  const named = variables.split(",").filter((name) => name.startsWith("TROVE_"));
  assert.ok(named.length > 10);
  for (const name of named) assert.ok(text.includes(`\n${name}\n`), name);
});

Deno.test("no line of the manual page is taken for a macro that there is not", async () => {
  using temp = tempFolder();
  const { stdout } = await runIn(new TestWorld(temp), "man");
  for (const line of stdout.split("\n")) {
    if (!/^[.']/.test(line)) continue;
    assert.match(line, /^\.(TH|SH|SS|B|I|PP|TP|EX|EE)( |$)/);
  }
});

function hasGroff(): boolean {
  try {
    return new Deno.Command("groff", { args: ["--version"] }).outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

Deno.test({
  name: "groff sets the manual page without a warning",
  ignore: !hasGroff(),
  async fn() {
    using temp = tempFolder();
    const { stdout } = await runIn(new TestWorld(temp), "man");
    const path = temp.join("trove.1");
    Deno.writeTextFileSync(path, stdout);
    const args = ["-man", "-Tutf8", "-ww", "-K", "utf8", "-P-c", path];
    const { stdout: set, stderr } = await new Deno.Command("groff", { args }).output();
    assert.equal(new TextDecoder().decode(stderr), "");
    // Bold is struck twice.
    // deno-lint-ignore no-control-regex -- a backspace
    const text = new TextDecoder().decode(set).replace(/.\u0008/gu, "");
    assert.match(text, /trove clone \[link\] \[dir\]/);
    assert.match(text, /\n {7}--peer <address>\n/);
  },
});
