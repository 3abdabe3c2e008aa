/**
 * What a request is about, and whether it is from where it seems to be. Source: spec of serving,
 * sections 2.6, 3.3 and 3.7.
 */
import { isIP } from "node:net";

/** Bytes of a request's path and query. */
const MAX_TARGET_BYTES = 8192;

/** A path in an archive that was asked for, and how. */
export interface Target {
  /** Names from the root on, decoded. */
  readonly names: readonly string[];
  /** It ends in a slash: a folder is meant. */
  readonly isFolder: boolean;
  readonly query: URLSearchParams;
}

/** The path of a request; undefined if it makes no sense or leads anywhere else. */
export function readTarget(url: URL): Target | undefined {
  if (url.pathname.length + url.search.length > MAX_TARGET_BYTES) return undefined;
  const parts = url.pathname.split("/").slice(1);
  const isFolder = parts.at(-1) === "";
  const names: string[] = [];
  for (const part of isFolder ? parts.slice(0, -1) : parts) {
    let name: string;
    try {
      name = decodeURIComponent(part);
    } catch {
      return undefined;
    }
    if (name === "" || name === "." || name === ".." || /[/\\\0]/.test(name)) return undefined;
    names.push(name);
  }
  return { names, isFolder, query: url.searchParams };
}

/** As it stands in a URL, with one slash before it. */
export function encodePath(names: readonly string[], isFolder: boolean): string {
  const path = names.map((name) => `/${encodeURIComponent(name)}`).join("");
  return isFolder ? `${path}/` : path;
}

/**
 * Whether a request may be answered: its Host is this machine, or was named. A page elsewhere can have
 * its own name lead here, and only the Host shows it; an address is no such name.
 *
 * @param port Ours.
 * @param names Other names that we go by.
 */
export function isOurHost(host: string | null, port: number, names: readonly string[]): boolean {
  const match = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::(\d+))?$/i.exec(host ?? "");
  if (match === null) return false;
  const [, written, digits] = match;
  const name = written.toLowerCase().replace(/\.$/, "").replace(/^\[|\]$/g, "");
  if (names.includes(name)) return true; // whatever port a proxy in front of us has
  if (name !== "localhost" && isIP(name) === 0) return false;
  return digits === undefined ? port === 80 : Number(digits) === port;
}
