/** From what a person gives as a link to the key it means. */
import { join } from "node:path";
import { fromUtf8 } from "../base/bytes.ts";
import { UsageError } from "../base/errors.ts";
import { type Link, parseLink } from "../crypto/link.ts";
import { archivePaths, readSmallFile } from "./archive_folder.ts";

/**
 * The key of a link, of a folder that holds an archive, or of a `dat.json` (or a folder with one).
 *
 * @throws {UsageError} If none of these is meant.
 */
export function resolveLink(text: string): Link {
  const path = pathMeant(text);
  if (path === undefined) return parseLink(text);
  const key = readSmallFile(archivePaths(path.dir).feed("metadata", "key"));
  if (!path.isFile && key?.length === 32) return { key };
  const manifest = readSmallFile(path.isFile ? text : join(path.dir, "dat.json"));
  if (manifest === undefined) {
    throw new UsageError(`Cannot find a link in the folder "${text}"`, {
      hint: "give a dat:// link, or a folder that holds an archive or a dat.json",
    });
  }
  return parseLink(urlOf(manifest, text));
}

/** What exists under that name; a link never does. */
function pathMeant(text: string): { dir: string; isFile: boolean } | undefined {
  if (/^[0-9a-fA-F]{64}$/.test(text) || /^[a-z]+:\/\//i.test(text)) return undefined;
  try {
    const { isDirectory, isFile } = Deno.statSync(text);
    return isDirectory || isFile ? { dir: text, isFile } : undefined;
  } catch {
    return undefined;
  }
}

function urlOf(manifest: Uint8Array, name: string): string {
  let url: unknown;
  try {
    url = JSON.parse(fromUtf8(manifest)).url;
  } catch (error) {
    throw new UsageError(`Cannot read "${name}" as a dat.json`, { cause: error });
  }
  if (typeof url !== "string") {
    throw new UsageError(`Cannot find a link in "${name}": it has no "url"`);
  }
  return url;
}
