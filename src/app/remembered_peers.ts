/**
 * Addresses that worked for an archive, kept in its `.dat/trove.peers` from one run to the next: one a
 * line, the latest first. They are hints, as everything that discovery names.
 */
import { join, resolve } from "node:path";
import { fromUtf8, toUtf8 } from "../base/bytes.ts";
import { TroveError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import type { PeerAddress } from "../core/sync/inputs.ts";
import { formatPeer, parsePeer } from "../io/peer_address.ts";
import { archiveIn, type ArchivePaths, readSmallFile, writeSmallFile } from "./archive_folder.ts";

/** Addresses that are kept: most archives have fewer peers, and one is enough to begin with. */
const MAX_REMEMBERED = 16;

/** Of a file that somebody else wrote. */
const MAX_LINE = 300;

/** What is remembered; nothing if it cannot be read. */
export function rememberedPeers(paths: ArchivePaths): PeerAddress[] {
  let text: string;
  try {
    text = fromUtf8(readSmallFile(placeOf(paths)) ?? new Uint8Array(0));
  } catch {
    return [];
  }
  return text.split("\n").slice(0, MAX_REMEMBERED).filter(isAddress);
}

/** The same of the archive of exactly that folder; nothing if there is none. */
export function rememberedIn(text: string, world: World): PeerAddress[] {
  const paths = archiveIn(resolve(world.cwd(), text));
  return paths === undefined ? [] : rememberedPeers(paths);
}

/** Remember these before those that were. Where that is impossible, nothing is lost but time. */
export function rememberPeers(paths: ArchivePaths, working: readonly PeerAddress[]): void {
  const usable = working.filter(isAddress);
  if (usable.length === 0) return;
  const before = rememberedPeers(paths);
  const all = [...new Set([...usable, ...before])].slice(0, MAX_REMEMBERED);
  // In which order they answered today says little: nothing is written for that.
  const isFirst = new Set(before.slice(0, new Set(usable).size));
  if (usable.every((address) => isFirst.has(address))) return;
  try {
    writeSmallFile(placeOf(paths), toUtf8(`${all.join("\n")}\n`), { mode: 0o600 });
  } catch (error) {
    if (!(error instanceof TroveError)) throw error;
  }
}

function isAddress(text: string): boolean {
  if (text === "" || text.length > MAX_LINE) return false;
  try {
    const target = parsePeer(text);
    // A path means something here alone, and one on standard input and output nothing at all.
    return target.kind !== "unix" && formatPeer(target) === text;
  } catch {
    return false;
  }
}

function placeOf(paths: ArchivePaths): string {
  return join(paths.dat, "trove.peers");
}
