/** What a folder of an archive looks like over HTTP. Source: spec of serving, sections 2.2 and 2.6. */
import { count, formatBytes, formatTime, printable } from "../../base/format.ts";
import { kindOfMode } from "../../core/archive/entry.ts";
import type { FolderItem } from "../../core/archive/lookup.ts";

export interface Listing {
  /** 64 hex digits. */
  readonly key: string;
  readonly version: number;
  /** In the archive, without a slash at its end; `/` for the root. */
  readonly path: string;
  readonly items: readonly ListedItem[];
}

export interface ListedItem {
  readonly name: string;
  readonly type: "file" | "folder";
  readonly size?: number;
  /** Milliseconds since 1970. */
  readonly mtime?: number;
  readonly blocks?: number;
}

export type ListingFormat = "html" | "json" | "text";

/** Folders first, then by the code points of the names. */
export function sortedItems(items: readonly FolderItem[]): ListedItem[] {
  const listed = items.map(({ name, stat }): ListedItem => {
    // What is a file and has something below it is opened as a file.
    if (stat === undefined || kindOfMode(stat.mode) === "directory") {
      return { name, type: "folder" };
    }
    return { name, type: "file", size: stat.size, mtime: stat.mtime, blocks: stat.blocks };
  });
  const rank = ({ type, name }: ListedItem) => `${type === "folder" ? 0 : 1}${name}`;
  return listed.sort((a, b) => rank(a) < rank(b) ? -1 : 1);
}

/** What is asked for, and its media type. Source: RFC 9110, section 12.5.1, without weights. */
export function chooseFormat(accept: string | null): ListingFormat {
  const types = (accept ?? "").toLowerCase();
  if (types.includes("text/html") || types === "") return "html";
  if (types.includes("application/json")) return "json";
  return types.includes("text/plain") ? "text" : "html";
}

export const LISTING_TYPES: Readonly<Record<ListingFormat, string>> = {
  html: "text/html; charset=utf-8",
  json: "application/json; charset=utf-8",
  text: "text/plain; charset=utf-8",
};

export function formatListing(listing: Listing, format: ListingFormat): string {
  if (format === "json") {
    const { items: entries, ...rest } = listing;
    return `${JSON.stringify({ ...rest, entries })}\n`;
  }
  const named = (item: ListedItem) => item.type === "folder" ? `${item.name}/` : item.name;
  if (format === "text") {
    return listing.items.map((item) => `${printable(named(item))}\n`).join("");
  }
  const rows = listing.items.map((item) => {
    const href = `./${encodeURIComponent(item.name)}${item.type === "folder" ? "/" : ""}`;
    const size = item.size === undefined ? "" : formatBytes(item.size);
    const time = item.mtime === undefined ? "" : formatTime(item.mtime);
    return `<tr><td><a href="${escapeHtml(href)}">${escapeHtml(printable(named(item)))}</a></td>` +
      `<td>${size}</td><td>${time}</td></tr>`;
  });
  if (listing.path !== "/") {
    rows.unshift('<tr><td><a href="../">../</a></td><td></td><td></td></tr>');
  }
  const about = `${count(listing.items.length, "name")}, version ${listing.version}`;
  return page(`Index of ${listing.path}`, `<table>\n${rows.join("\n")}\n</table>\n<p>${about}</p>`);
}

/** The archives of a server that has several, at the folders of their keys. */
export function formatIndex(keys: readonly string[]): string {
  const rows = keys.map((key) => `<li><a href="./${key}/">dat://${key}</a></li>`);
  return page("Archives", `<ul>\n${rows.join("\n")}\n</ul>`);
}

/** @param body HTML: what is from an archive has been escaped. */
function page(title: string, body: string): string {
  const text = escapeHtml(printable(title));
  return `<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>${text}</title>` +
    `</head>\n<body>\n<h1>${text}</h1>\n${body}\n</body>\n</html>\n`;
}

/** For text and for attributes in double quotes. */
export function escapeHtml(text: string): string {
  const names: Record<string, string> = { "&": "amp", "<": "lt", ">": "gt", '"': "quot" };
  return text.replace(/[&<>"]/g, (char) => `&${names[char]};`).replaceAll("'", "&#39;");
}
