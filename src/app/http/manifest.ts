/**
 * What an archive's `dat.json` says about how it is to be seen on the web. Source: spec of the command
 * lines, "HTTP view"; of serving, section 2.6.
 */
import { fromUtf8 } from "../../base/bytes.ts";
import { kindOfMode } from "../../core/archive/entry.ts";
import type { BlockOrder } from "../archive_source.ts";
import type { ArchiveView } from "../archive_view.ts";
import { DAT_JSON } from "../dat_json.ts";
import { fileBytes } from "../file_bytes.ts";

/** Nobody needs more, and everybody who looks reads all of it. */
const MAX_BYTES = 65_536;

export interface WebManifest {
  /** The folder that the web sees as the root. */
  readonly root: readonly string[];
  /** Shown where nothing is; in the archive. */
  readonly fallback?: readonly string[];
}

const NONE: WebManifest = { root: [] };

/** What cannot be read or understood says nothing. @throws {TroveError} If it cannot be had. */
export async function readManifest(view: ArchiveView, order: BlockOrder): Promise<WebManifest> {
  const file = view.find(`/${DAT_JSON}`);
  if (file === undefined || kindOfMode(file.stat.mode) !== "file") return NONE;
  if (file.stat.size > MAX_BYTES) return NONE;
  let text = "";
  for await (const bytes of fileBytes(view, file, order)) text += fromUtf8(bytes);
  try {
    const { web_root: root, fallback_page: fallback } = JSON.parse(text);
    return { root: namesIn(root) ?? [], fallback: namesIn(fallback) };
  } catch {
    return NONE;
  }
}

/** A path without anything in it that leads elsewhere. */
function namesIn(path: unknown): readonly string[] | undefined {
  if (typeof path !== "string") return undefined;
  const names = path.split("/").filter((name) => name !== "" && name !== ".");
  return names.includes("..") ? undefined : names;
}
