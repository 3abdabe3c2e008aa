/** From what a person gives as a link to the key it means. */
import { join, resolve } from "node:path";
import { fromUtf8 } from "../base/bytes.ts";
import { UsageError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import { hasKey, type Link, parseLink } from "../crypto/link.ts";
import { PUBLIC_KEY_BYTES } from "../crypto/sign.ts";
import { isName } from "../discovery/name_text.ts";
import { archiveIn, readSmallFile } from "./archive_folder.ts";
import { lookUpName, type LookUpOptions } from "./names.ts";

/**
 * The key of a link, of a folder that holds an archive, or of a `dat.json` (or a folder with one).
 *
 * @throws {UsageError} If none of these is meant.
 * @throws {StorageError} If it cannot be read.
 */
export function resolveLink(text: string, world: World): Link {
  const path = pathMeant(text, world);
  if (path === undefined) {
    if (!hasKey(text) && isName(text)) {
      throw new UsageError(
        `Cannot take the name "${text}" for a link: only clone and doctor look them up`,
        {
          hint: "give the link's 64 hex digits",
        },
      );
    }
    return parseLink(text);
  }
  if (!path.isFile) {
    const archive = archiveIn(path.place);
    const key = archive && readSmallFile(archive.feed("metadata", "key"));
    if (key?.length === PUBLIC_KEY_BYTES) return { key };
  }
  const manifest = readSmallFile(path.isFile ? path.place : join(path.place, "dat.json"));
  if (manifest === undefined) {
    throw new UsageError(`Cannot find a link in the folder "${text}"`, {
      hint: "give a dat:// link, or a folder that holds an archive or a dat.json",
    });
  }
  return parseLink(urlOf(manifest, text));
}

/**
 * The same for a name that leads to an archive, too: `example.org`, `dat://example.org/path`. What
 * has a key in it is never looked up, and neither is what is in the current folder.
 *
 * @throws {UsageError} If nothing of that is meant, or the name is not looked up.
 * @throws {NotFoundError} If there is no archive of that name.
 * @throws {TroveError} If the name could not be looked up.
 */
export async function resolveLinkOrName(
  text: string,
  options: LookUpOptions,
  signal?: AbortSignal,
): Promise<Link> {
  const isLocal = hasKey(text) || !isName(text) || pathMeant(text, options.world) !== undefined;
  if (isLocal) return resolveLink(text, options.world);
  return await lookUpName(text, options, signal);
}

/** What exists under that name; a link never does. */
function pathMeant(text: string, world: World): { place: string; isFile: boolean } | undefined {
  if (/^[0-9a-fA-F]{64}$/.test(text) || /^[a-z]+:\/\//i.test(text)) return undefined;
  const place = resolve(world.cwd(), text);
  try {
    const { isDirectory, isFile } = Deno.statSync(place);
    return isDirectory || isFile ? { place, isFile } : undefined;
  } catch {
    return undefined;
  }
}

function urlOf(manifest: Uint8Array, name: string): string {
  let url: unknown;
  try {
    url = JSON.parse(fromUtf8(manifest).replace(/^\ufeff/, "")).url;
  } catch (error) {
    throw new UsageError(`Cannot read "${name}" as a dat.json`, { cause: error });
  }
  if (typeof url !== "string") {
    throw new UsageError(`Cannot find a link in "${name}": it has no "url"`);
  }
  return url;
}
