/** The pages that show sessions are right: every command is run, and its output compared. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { toHex } from "../../src/base/bytes.ts";
import { startHttps, TEST_CERT_PATH } from "../support/https_server.ts";
import { denoDirectory, QUIET, troveCommand } from "../support/processes.ts";
import { assertShown, readSteps, ShellSession } from "../support/shell_session.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** What the pages take for granted, by page. */
const PAGES = ["ci.md", "keeping.md", "recovering.md"];

/** A port that was free a moment ago. */
function freePort(): string {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return String(listener.addr.port);
}

/** Type everything that a page shows. */
async function tryPage(name: string, temp: TempFolder, env: Record<string, string> = {}) {
  const program = join(temp.folder("bin"), "trove");
  const command = troveCommand().join(" ");
  Deno.writeTextFileSync(program, `#!/bin/sh\nexec ${command} "$@"\n`, { mode: 0o755 });
  const port = freePort();
  const page = Deno.readTextFileSync(join(ROOT, "docs", name)).replaceAll("3282", port);
  const steps = readSteps(page);
  assert.ok(steps.length > 5, "the page shows something");
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
    assert.equal(exitCode, step.exitCode, `docs/${name}:${step.line}: ${step.command}\n${output}`);
    assertShown(step, `docs/${name}`, output);
  }
}

for (const name of PAGES) {
  Deno.test(`every session in docs/${name} is as it says`, async () => {
    using temp = tempFolder();
    await tryPage(name, temp);
  });
}

Deno.test("every session in docs/names.md is as it says", async () => {
  using temp = tempFolder();
  // Whoever is asked for a record names the archive that the page has made by then.
  await using server = startHttps(() => {
    const key = toHex(Deno.readFileSync(temp.join("work/photos/.dat/metadata.key")));
    return Response.json({ Status: 0, Answer: [{ type: 16, TTL: 60, data: `"datkey=${key}"` }] });
  });
  await tryPage("names.md", temp, { TROVE_DOH: server.origin, DENO_CERT: TEST_CERT_PATH });
});
