/** What a command leaves for the job that runs it: a report, and what GitHub Actions reads. */
import { appendLines, writeWhole } from "../app/job_files.ts";
import { toHex } from "../base/bytes.ts";
import { TroveError } from "../base/errors.ts";
import { printable } from "../base/format.ts";
import type { World } from "../base/world.ts";
import type { MirrorReport } from "../mod.ts";
import { errorCodeOf, exitCodeOf } from "./exit_codes.ts";
import { isChanged, markdownPage, type MirrorEnd } from "./mirror_lines.ts";

/** How a run ended, as it is reported. */
export function endOf(
  dir: string,
  { report, failure }: { readonly report?: MirrorReport; readonly failure?: unknown },
): MirrorEnd {
  const end = { dir, ...report };
  if (failure === undefined) return { ...end, exitCode: 0 };
  const message = failure instanceof Error ? failure.message : String(failure);
  const hint = failure instanceof TroveError ? failure.hint : undefined;
  const error = { code: errorCodeOf(failure), message, hint };
  return { ...end, exitCode: exitCodeOf(failure), error };
}

/**
 * Write the report to its file, and the outputs and the page of a GitHub Actions job to theirs, as
 * far as these are asked for.
 *
 * @throws {StorageError} If one of them cannot be written; the others are.
 */
export function writeJobFiles(end: MirrorEnd, file: string | undefined, world: World): void {
  const writes: (() => void)[] = [];
  if (file !== undefined) {
    const time = new Date(world.clock.wall()).toISOString();
    // The escapes mean the same to a parser, and do no harm where a person looks at the lines.
    const text = JSON.stringify({ ...end, time }, undefined, 2).split("\n").map(printable);
    writes.push(() => writeWhole(file, `${text.join("\n")}\n`, world));
  }
  const outputs = world.env("GITHUB_OUTPUT") ?? "";
  if (outputs !== "" && end.error === undefined) {
    writes.push(() => appendLines(outputs, outputsOf(end, world), world));
  }
  const page = world.env("GITHUB_STEP_SUMMARY") ?? "";
  if (page !== "") writes.push(() => appendLines(page, markdownPage(end), world));
  let failure: unknown;
  for (const write of writes) {
    try {
      write();
    } catch (error) {
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
}

/** Source: the workflow commands of GitHub Actions, "multiline strings". */
function outputsOf(end: MirrorEnd, world: World): string {
  const { link = "", version = "", files = "", bytes = "", changed } = end;
  const paths = changed?.list.map(({ path }) => path.slice(1)) ?? [];
  const values = {
    link,
    version,
    files,
    bytes,
    changed: isChanged(end),
    "changed-files": printable(JSON.stringify(paths)),
  };
  return Object.entries(values).map(([name, value]) => {
    // A name that somebody chose for a file cannot be the end that nobody knew beforehand.
    const mark = `end-${toHex(world.randomBytes(16))}`;
    return `${name}<<${mark}\n${value}\n${mark}\n`;
  }).join("");
}
