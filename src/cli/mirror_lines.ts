/** What a mirror run comes to, in words: the table that people see, and the page of a CI job. */
import { count, formatBytes, formatSeconds, printable } from "../base/format.ts";
import type { MirrorChanges, MirrorReport } from "../mod.ts";

/** A run that ended, or could not even begin, with the exit code of the command. */
export interface MirrorEnd extends Partial<Omit<MirrorReport, "dir">> {
  readonly dir: string;
  readonly exitCode: number;
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string };
}

/** Paths that a page shows at most. */
const MAX_SHOWN = 100;

/** Names and values of a table, of what is known. */
export function rowsOf(report: Partial<MirrorReport>): (readonly [name: string, value: string])[] {
  const { link, version, versionBefore, files, bytes, seconds = 0, verifiedBlocks } = report;
  const { repaired = 0, kept = 0, missingBlocks = 0, downloadedBytes = 0, peers = 0 } = report;
  const rows: [string, string][] = [];
  if (link !== undefined) rows.push(["Link", link]);
  if (version !== undefined) {
    const isNew = versionBefore !== undefined && versionBefore !== version;
    rows.push(["Version", isNew ? `${version}, before: ${versionBefore}` : String(version)]);
  }
  if (files !== undefined) rows.push(["Files", `${files} (${formatBytes(bytes ?? 0)})`]);
  if (report.changed !== undefined) rows.push(["Changed", changesText(report.changed)]);
  if (report.planned !== undefined) rows.push(["To be changed", changesText(report.planned)]);
  if (kept > 0) rows.push(["Left as changed", count(kept, "file")]);
  if (missingBlocks > 0) {
    rows.push(["Not to be had", `${count(missingBlocks, "block")} of older versions`]);
  }
  if (repaired > 0) rows.push(["Repaired", `${repaired} damaged`]);
  rows.push(["Downloaded", `${formatBytes(downloadedBytes)} from ${count(peers, "peer")}`]);
  if (verifiedBlocks !== undefined) rows.push(["Verified", count(verifiedBlocks, "block")]);
  rows.push(["Time", formatSeconds(seconds)]);
  return rows;
}

function changesText({ added, changed, deleted }: MirrorChanges): string {
  if (added + changed + deleted === 0) return "nothing";
  return `${added} added, ${changed} changed, ${deleted} deleted`;
}

/** Whether anything in the folder is another than before the run. */
export function isChanged({ changed, repaired = 0 }: Partial<MirrorReport>): boolean {
  if (repaired > 0) return true;
  return changed !== undefined && changed.added + changed.changed + changed.deleted > 0;
}

/** A page in Markdown. What comes from strangers stands in blocks that nothing in it can end. */
export function markdownPage(end: MirrorEnd): string {
  const { error, exitCode } = end;
  const title = error === undefined ? "Mirrored a Dat archive" : "Could not mirror a Dat archive";
  const lines = [`### ${title}`, "", "| | |", "| --- | --- |"];
  for (const [name, value] of rowsOf(end)) lines.push(`| ${name} | ${value} |`);
  lines.push("");
  if (error !== undefined) {
    const text = error.hint === undefined ? error.message : `${error.message}; ${error.hint}`;
    lines.push(`Exit code ${exitCode} (${error.code})`, "", ...block([text]), "");
  }
  const changes = end.changed ?? end.planned;
  if (changes !== undefined && changes.list.length > 0) {
    const shown = changes.list.slice(0, MAX_SHOWN);
    const all = changes.added + changes.changed + changes.deleted;
    const texts = shown.map(({ type, path }) => `${MARKS[type]} ${path.slice(1)}`);
    if (all > shown.length) texts.push(`... and ${all - shown.length} more`);
    lines.push("<details><summary>Files</summary>", "", ...block(texts), "", "</details>", "");
  }
  return `${lines.join("\n")}\n`;
}

const MARKS = { added: "+", changed: "~", deleted: "-" } as const;

/** Nothing in a `<pre>` is read as Markdown, and its end cannot be in an escaped line. */
function block(texts: readonly string[]): string[] {
  const escaped = texts.map((text) =>
    printable(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)
  );
  return [`<pre>${escaped[0]}`, ...escaped.slice(1), "</pre>"];
}
