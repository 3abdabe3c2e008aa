/**
 * Entity tags: another one whenever the bytes are others, and the same in a whole copy and a sparse
 * one. A file's is made of its place in the content feed, of which a block is signed once and for all.
 *
 * Source: spec of serving, section 3.6, the second form; RFC 9110, sections 8.8 and 13.
 */
import { createHash } from "node:crypto";
import type { Stat } from "../../core/archive/entry.ts";

export function fileTag(contentKey: Uint8Array, { offset, blocks, size }: Stat): string {
  // Files without blocks are alike, wherever the feed was when they were put.
  const place = blocks === 0 ? [0, 0, 0] : [offset, blocks, size];
  return `"${digest("trove-etag-2", contentKey, place.join(" "))}"`;
}

/** Of a folder's list, which has as many forms as there are formats: a weak one. */
export function listingTag(key: Uint8Array, version: number, about: string): string {
  return `W/"${digest("trove-etag-3", key, `${version} ${about}`)}"`;
}

function digest(kind: string, key: Uint8Array, text: string): string {
  return createHash("sha256").update(kind).update(key).update(text).digest("hex").slice(0, 32);
}

/** Whether one of the tags in a header is this one; `*` is any. */
export function matchesTag(header: string, tag: string, options: { weak: boolean }): boolean {
  if (header.trim() === "*") return true;
  const isWeak = (text: string) => text.startsWith("W/");
  return [...header.matchAll(/(?:W\/)?"[^"]*"/g)].some(([given]) => {
    if (!options.weak && (isWeak(given) || isWeak(tag))) return false;
    return given.replace(/^W\//, "") === tag.replace(/^W\//, "");
  });
}
