/** What on a command line is a link, and not the path of a file or folder. */
import { toHex } from "../base/bytes.ts";
import { hasKey, parseLink } from "../crypto/link.ts";

const BARE = /^[0-9a-f]{64}(\+\d+)?(\/.*)?$/i;

/** A link with its key, and not a folder whose name happens to have a key in it. */
export function isLink(text: string): boolean {
  return hasKey(text) && (BARE.test(text) || /^[a-z]+:\/\//i.test(text));
}

/** The same, or `dat://` and a name. A bare name may be a folder's, and is not taken for one here. */
export function isLinkOrName(text: string): boolean {
  return isLink(text) || /^(dat|hyper):\/\/[^/]/i.test(text);
}

/** The folder for an archive that none was named for: the key's 64 digits, as in dat, or the name. */
export function folderOf(link: string): string {
  if (hasKey(link)) return toHex(parseLink(link).key);
  return link.replace(/^[a-z]+:\/\//i, "").replace(/[/+?#].*$/, "");
}

/** A link without the path in it: alike for all that means the same version of an archive. */
export function archiveIn(link: string): string {
  return /^(?:[a-z]+:\/\/)?[^/?#]+/i.exec(link)?.[0] ?? link;
}

/** The path in the archive that is behind a link, with a slash before it; `/` if there is none. */
export function pathIn(link: string): string {
  const [, path = "/"] = /^(?:[a-z]+:\/\/)?[^/?#]+(\/[^?#]*)?/i.exec(link) ?? [];
  try {
    return decodeURIComponent(path);
  } catch {
    return path; // not encoded, and with a percent sign in it
  }
}
