/**
 * START HERE. Everything that can happen to the synchronizer, and everything it can do about it.
 *
 * The core is `step(input, now) -> effects`. It opens no socket and no file, reads no clock and
 * draws no random number; what it knows of stored feeds it asks through `FeedReader`.
 */
import type { TroveError } from "../../base/errors.ts";
import type { Range } from "../../base/ranges.ts";
import type { BlockRequest, FeedReader, VerifiedBlock } from "../feed/reader.ts";
import type { Message } from "../wire/messages.ts";
import type { AddressOrigin } from "./addresses.ts";
import type { WatchedFeed } from "./holdings.ts";
import type { Comparison } from "./probe.ts";

/** One live connection. Numbers are never used twice. */
export type PeerId = number;

/** A local feed that takes part, numbered by whoever joined it. */
export type FeedId = number;

/** Where a peer can be dialled: `host:port`, `unix:PATH`, `ws://…`. To the core it is a name. */
export type PeerAddress = string;

/** Why a link ended without anybody's fault. */
export type QuietEnd = "closed" | "done";

/** Blocks that few peers have first, or as they come in the feed. */
export type FetchOrder = "rarest" | "linear";

export type Input =
  /** A feed is open and takes part. `primary` is the feed it is announced beside; itself if none. */
  | { kind: "join"; feed: FeedId; reader: FeedReader; primary: FeedId }
  /** The archive of feed `primary` takes no further part: its feeds, links and addresses go. */
  | { kind: "leave"; primary: FeedId }
  /**
   * Fetch these blocks of a feed, and no others: those on their way that are not among them are
   * cancelled. Without an order, that of the feed while every source is complete, else rarest first.
   */
  | { kind: "want"; feed: FeedId; ranges: readonly Range[]; order?: FetchOrder }
  /** Fetch every block of a feed up to the longest length any peer tells. */
  | { kind: "follow"; feed: FeedId; order?: FetchOrder }
  /** Ask for no more blocks of a feed, or go on. What was asked for before is taken all the same. */
  | { kind: "hold"; feed: FeedId; held: boolean }
  /** Compare what each peer holds of a feed with `against`; fetch nothing. `probed` follows. */
  | { kind: "probe"; feed: FeedId; against: FeedReader }
  /** Tell which peers hold all of these blocks of an archive, in place of others before. */
  | { kind: "watch"; primary: FeedId; feeds: readonly WatchedFeed[] }
  /** A peer for the archive of feed `primary` may be reached there. */
  | { kind: "found"; address: PeerAddress; primary: FeedId } & AddressOrigin
  /** Whether more addresses may be found: while so, the archive is not `alone`. */
  | { kind: "seek"; primary: FeedId; seeking: boolean }
  /** A dial failed. */
  | { kind: "unreachable"; address: PeerAddress; primary: FeedId; reason: string }
  /**
   * A connection is up. `primary` is set on the dialling side. With `patient` the remote may be
   * busy with something else first: it is late with nothing before its first byte.
   */
  | { kind: "linked"; peer: PeerId; address: PeerAddress; primary?: FeedId; patient?: boolean }
  /** A whole message; `channel` is the remote's number for the feed. */
  | { kind: "message"; peer: PeerId; channel: number; message: Message }
  /** Bytes arrived; `partialBytes` of them belong to a frame that is not complete yet. */
  | { kind: "heard"; peer: PeerId; partialBytes: number }
  /** The system took `bytes` of what was sent to this peer. */
  | { kind: "flushed"; peer: PeerId; bytes: number }
  /** A connection is gone. */
  | { kind: "unlinked"; peer: PeerId; reason: TroveError | QuietEnd }
  /** The answer to `load`: the block's bytes, checked against the tree, or undefined. */
  | { kind: "loaded"; peer: PeerId; feed: FeedId; request: BlockRequest; value?: Uint8Array }
  /** The answer to one or more `store`: these blocks are on disk. */
  | { kind: "stored"; feed: FeedId; blocks: readonly number[] }
  /** Blocks of a joined feed are held no more: peers hear of it, and what is wanted is fetched. */
  | { kind: "cleared"; feed: FeedId; ranges: readonly Range[] }
  /** The owner added blocks from `start` on to a joined feed. */
  | { kind: "appended"; feed: FeedId; start: number }
  /** Time passes. */
  | { kind: "tick" }
  /** End all links in good order. */
  | { kind: "stop" };

export type Effect =
  | { kind: "dial"; address: PeerAddress; primary: FeedId }
  /** `channel` is our number for the feed. `bytes` is what `flushed` will count for it. */
  | { kind: "send"; peer: PeerId; channel: number; message: Message; bytes: number }
  | { kind: "keepalive"; peer: PeerId }
  /** End a link: `done` lets what was sent go out first. `unlinked` follows. */
  | { kind: "unlink"; peer: PeerId; reason: TroveError | QuietEnd }
  /** Read a block for a peer. `loaded` follows. */
  | { kind: "load"; peer: PeerId; feed: FeedId; request: BlockRequest }
  /** Keep a verified block. It counts as held when the next input arrives; `stored` follows. */
  | { kind: "store"; feed: FeedId; block: VerifiedBlock }
  | { kind: "report"; report: Report };

/**
 * News for whoever runs the synchronizer. `primary` names the archive that a peer is about; it is
 * left out while a peer that linked to us has not said which one that is.
 */
export type Report =
  /** A peer finished its handshake; `dialled` by us, or it came by itself. */
  | {
    kind: "peer-opened";
    peer: PeerId;
    primary?: FeedId;
    address: PeerAddress;
    dialled: boolean;
  }
  /** A peer that had finished its handshake is gone. */
  | {
    kind: "peer-closed";
    peer: PeerId;
    primary?: FeedId;
    address: PeerAddress;
    reason: TroveError | QuietEnd;
  }
  /** An address did not lead to a peer of this archive. `retryMs` until it is tried again. */
  | {
    kind: "peer-failed";
    primary?: FeedId;
    address: PeerAddress;
    reason: string;
    error?: TroveError;
    retryMs?: number;
    /** Nobody but discovery said that there is a peer. */
    discovered?: boolean;
  }
  /** A block was verified and stored. */
  | { kind: "downloaded"; feed: FeedId; block: number; bytes: number }
  /** A block was handed to a peer's link. */
  | { kind: "uploaded"; peer: PeerId; address: PeerAddress; feed: FeedId; bytes: number }
  /** That peer says it wants nothing more. */
  | { kind: "peer-finished"; peer: PeerId; primary?: FeedId; address: PeerAddress }
  /** By its own word a peer holds all that is watched; `remoteId` names its process, in hex. */
  | {
    kind: "peer-holds";
    peer: PeerId;
    primary: FeedId;
    address: PeerAddress;
    remoteId?: string;
  }
  /** Everything wanted of this feed is held, as far as any peer told. */
  | { kind: "complete"; feed: FeedId }
  /** A block that should be here cannot be read, or does not match the tree. */
  | { kind: "damaged"; feed: FeedId; block: number }
  /** What a peer holds of a feed that is compared; if more than we do, its proof. Once per link. */
  | {
    kind: "probed";
    peer: PeerId;
    address: PeerAddress;
    feed: FeedId;
    found: Comparison;
    proof?: VerifiedBlock;
  }
  /** Two signed histories: the feed takes no further part. */
  | { kind: "forked"; feed: FeedId; error: TroveError }
  /** No peer of that archive is linked, and no address is left to try. */
  | { kind: "alone"; primary: FeedId };
