/** What a running command tells: the lines of `--json`, and what people see is made from them. */

import type { PeerFigures } from "./link_meters.ts";
import type { MirrorReport } from "./mirror_tally.ts";

/**
 * Numbers of blocks and bytes; rates in bytes per second; times in seconds. Where one process works
 * on many archives, `link` says which one an event is about.
 */
export type TroveEvent = OneEvent & { readonly link?: string };

type OneEvent =
  | {
    event: "archive";
    link: string;
    discoveryKey: string;
    dir: string;
    writable: boolean;
    version: number;
  }
  /** A feed by itself is open; it has so many blocks as far as is known here. */
  | { event: "feed"; key: string; discoveryKey: string; dir: string; blocks: number }
  | {
    event: "imported";
    put: number;
    deleted: number;
    same: number;
    skipped: number;
    bytes: number;
    seconds: number;
    version: number;
  }
  /** TCP where it is not said. On a Unix socket `host` is `unix:PATH` and `port` 0. */
  | { event: "listening"; host: string; port: number; transport?: "ws" | "unix" }
  /**
   * A way of finding peers began to work, or to fail. `called` is what people call it, `found` how many
   * addresses it named so far.
   */
  | {
    event: "discovery";
    source: string;
    called: string;
    state: "waiting" | "working" | "failed";
    message: string;
    found: number;
  }
  /** Files are shown over HTTP at that address. */
  | { event: "http"; url: string }
  /** The router at `host`, where that is known, passes its `port` on to ours. */
  | { event: "mapped"; protocol: string; host?: string; port: number }
  /** A peer may be there; the source that named it. */
  | { event: "found"; address: string; source: string; called: string }
  | {
    event: "peer";
    state: "connected" | "disconnected";
    address: string;
    reason?: string;
  }
  | {
    event: "progress";
    blocks: number;
    blocksTotal: number;
    bytes: number;
    bytesTotal: number;
    peers: number;
    downRate: number;
    upRate: number;
    /** How many archives the figures are the sum of, where there are many. */
    archives?: number;
  }
  /** Once a second: the links that are open, and how fast they are. For people who watch. */
  | ({ event: "peers" } & PeerFigures)
  /** A name leads to the archive of that link, and may be taken to for so many seconds. */
  | {
    event: "resolved";
    name: string;
    link: string;
    from: "dns" | "file" | "cache" | "old";
    ttl: number;
  }
  /** What to publish for a name: either the text of a TXT record, or a file at /.well-known/dat. */
  | { event: "name"; name: string; txt: string; file: string }
  /** An archive is not served any more. */
  | { event: "removed"; link: string; dir: string }
  /** An import appended an entry; commands do not print it. */
  | { event: "entry"; type: "put" | "del"; path: string; size: number }
  /** How far an import has come; only told to people. */
  | { event: "importing"; files: number; bytes: number; path: string }
  | {
    event: "synced";
    version: number;
    files: number;
    bytes: number;
    downloadedBytes: number;
    seconds: number;
    /** Files that the user changed or deleted and that were left so. */
    kept?: number;
    /** Where every version is kept: content blocks of older versions that no peer has. */
    missingBlocks?: number;
    /** Of a feed by itself, which has no files: its blocks. `version` is the same then. */
    blocks?: number;
  }
  /** A mirror is as its origin was, and verified. */
  | ({ event: "mirrored" } & MirrorReport)
  /** With `--dry-run`: a file that would be fetched or deleted, and how many there are. */
  | { event: "change"; type: "put" | "del"; path: string; size: number }
  | { event: "planned"; put: number; deleted: number; bytes: number; version: number }
  /** A block came and was verified; commands do not print it. `feed` is the synchronizer's number. */
  | { event: "block"; feed: number; block: number; bytes: number }
  | { event: "uploaded"; peer: string; version: number }
  /** With `--until-synced`: that peer holds everything, as `peers` of those that are `wanted`. */
  | { event: "confirmed"; peer: string; version: number; peers: number; wanted: number }
  /** `minor`: it is in the nature of things, and people who did not ask need not see it. */
  | { event: "warning"; code: string; message: string; minor?: boolean };

export type Emit = (event: TroveEvent) => void;

/** Events of one kind at most so often. */
export const PROGRESS_MS = 500;
