/**
 * Compile trove for every system it is released for, into `dist/`, with `dist/SHA256SUMS` beside them.
 *
 *     deno task compile:all [--out FOLDER] [NAME]...
 *
 * `NAME` is one of those below; without, all of them. The flags are those of the task `compile`. Deno
 * fetches its base runtimes, one for each target, unless `DENORT_BIN` names one.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** What Deno calls a target, by what the file is called. */
export const TARGETS: Readonly<Record<string, string>> = {
  "trove-linux-x64": "x86_64-unknown-linux-gnu",
  "trove-linux-arm64": "aarch64-unknown-linux-gnu",
  "trove-macos-x64": "x86_64-apple-darwin",
  "trove-macos-arm64": "aarch64-apple-darwin",
  "trove-windows-x64.exe": "x86_64-pc-windows-msvc",
};

/** The flags of the task `compile`: permissions and all, but for where the result goes. */
export function compileFlags(): string[] {
  const { tasks } = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json")));
  const words: string[] = tasks.compile.split(/\s+/);
  return words.slice(2, words.indexOf("--output"));
}

/** Compile for one target. @throws {Error} If Deno cannot. */
export async function compile(target: string, output: string): Promise<void> {
  // Types are no business of a target: they are checked once, by `deno task check`.
  const args = ["compile", "--no-check", ...compileFlags(), "--target", target, "--output", output];
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args, join(ROOT, "main.ts")],
    cwd: ROOT,
    stdout: "null",
    stderr: "piped",
  }).output();
  if (success) return;
  throw new Error(`Cannot compile for ${target}: ${new TextDecoder().decode(stderr).trim()}`);
}

/** A line of a file of sums, as `sha256sum --check` reads it. */
export function sumLine(folder: string, name: string): string {
  const sum = createHash("sha256").update(Deno.readFileSync(join(folder, name))).digest("hex");
  return `${sum}  ${name}\n`;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    args: Deno.args,
    options: { out: { type: "string", default: join(ROOT, "dist") } },
    allowPositionals: true,
  });
  const unknown = positionals.find((name) => !(name in TARGETS));
  if (unknown !== undefined) {
    throw new Error(`Cannot compile "${unknown}": try ${Object.keys(TARGETS).join(", ")}`);
  }
  const names = positionals.length > 0 ? positionals : Object.keys(TARGETS);
  Deno.mkdirSync(values.out, { recursive: true });
  for (const name of names) {
    await compile(TARGETS[name], join(values.out, name));
    const { size } = Deno.statSync(join(values.out, name));
    console.log(`${name}: ${(size / 1e6).toFixed(1)} MB`);
  }
  const sums = names.map((name) => sumLine(values.out, name)).join("");
  Deno.writeTextFileSync(join(values.out, "SHA256SUMS"), sums);
}

if (import.meta.main) await main();
