/** The program of docs/library.md: type checked, run, and compared with what the page says. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startProgram } from "../support/processes.ts";
import { tempFolder } from "../support/temp.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** The blocks of a page in one language, put together. */
function blocksOf(page: string, language: string): string {
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, "gms"))]
    .map(([, block]) => block).join("");
}

Deno.test("the program in docs/library.md prints what the page says", async () => {
  using temp = tempFolder();
  const page = Deno.readTextFileSync(join(ROOT, "docs/library.md"));
  const program = temp.join("program.ts");
  const mod = new URL("../../src/mod.ts", import.meta.url).href;
  Deno.writeTextFileSync(program, blocksOf(page, "ts").replace("trove/mod.ts", mod));
  const flags = ["--check", "--no-prompt", "--quiet", "--config", join(ROOT, "deno.json")];
  const allowed = ["--allow-read", "--allow-write", "--allow-net", "--allow-env=HOME,USERPROFILE"];
  const command = [Deno.execPath(), "run", ...flags, ...allowed, program];
  const options = { home: temp.folder("home"), cwd: temp.folder("work"), stdin: "null" } as const;
  await using process = await startProgram("docs/library.md", command, options);
  const { stdout } = await process.ended();
  assert.equal(stdout, blocksOf(page, "text"));
});
