/** What the synchronizer knows of one connection, and of each feed that both sides named on it. */
import type { TroveError } from "../../base/errors.ts";
import { Bitfield } from "../../base/bitfield.ts";
import type { BlockRequest } from "../feed/reader.ts";
import { EarlyMessages } from "./early_messages.ts";
import type { FeedId, PeerAddress, PeerId, QuietEnd } from "./inputs.ts";
import { MAX_REMOTE_PAGES } from "./limits.ts";
import type { LinkProbe } from "./probe.ts";

/** One feed on one link. */
export class FeedLink {
  readonly feed: FeedId;
  /** Our number for the feed on this link. */
  readonly channel: number;
  /** The remote named the feed too. */
  open = false;
  /** What the remote says it has. */
  readonly remote = new Bitfield(MAX_REMOTE_PAGES);
  /** One past the last block the remote claims: a hint until a signature proves it. */
  remoteLength = 0;
  /** Since when it owes us a block beyond the signed length, which its claim promised. */
  doubtedSince: number | undefined;
  /** The remote told what it has. */
  answered = false;
  /** The remote sent a Want, so it hears about new blocks. */
  remoteWants = false;
  /** We sent a Have: from then on hypercore before 6.10.3 can be sent a Request. */
  saidHave = false;
  /** The remote announces everything by itself: it answered a Want without a length. */
  compatible = false;
  /** Start of the next Want region to ask for. */
  nextWant = 0;
  unansweredWants = 0;
  /** When a Want for the region that starts there was answered last. */
  readonly wantAnswers = new Map<number, number>();
  /** Blocks asked for, oldest first. */
  readonly inFlight = new Set<number>();
  /** When the oldest of them became the oldest. */
  oldestSince = 0;
  /** The remote may still download. Source: hypercore starts with true. */
  remoteDownloads = true;
  /** We told the remote that we do not download any more. */
  saidFinished = false;
  /** Once the remote's history is being compared with ours. */
  probe?: LinkProbe;

  constructor(feed: FeedId, channel: number) {
    this.feed = feed;
    this.channel = channel;
  }

  /** A block was asked for. */
  expect(block: number, now: number): void {
    if (this.inFlight.size === 0) this.oldestSince = now;
    this.inFlight.add(block);
  }

  /** A request is over, one way or another. Answers whether there was one. */
  settle(block: number, now: number): boolean {
    const [oldest] = this.inFlight;
    if (!this.inFlight.delete(block)) return false;
    if (block === oldest) this.oldestSince = now;
    return true;
  }
}

/** A Request that waits for its turn. */
export interface QueuedRequest {
  readonly link: FeedLink;
  readonly request: BlockRequest;
  /** Byte offset of a seek, 0 for none; kept to match a Cancel. */
  readonly bytes: number;
}

export class PeerState {
  readonly id: PeerId;
  readonly address: PeerAddress;
  linkedAt: number;
  phase: "greeting" | "open" | "closing" = "greeting";
  /** The handshake was finished before the link began to close. */
  wasOpen = false;
  /** Why we ended the link, if we did. */
  reason: TroveError | QuietEnd | undefined;
  /** The feed that opened the link, once known. */
  primary: FeedId | undefined;
  dialled = false;
  /** A block went one way or the other. */
  useful = false;
  /** When it last said anything but a keepalive. */
  usedAt: number;
  /** Link per local feed, and what the remote's channel numbers stand for (undefined: unknown). */
  readonly links = new Map<FeedId, FeedLink>();
  readonly channels = new Map<number, FeedLink | undefined>();
  /** Discovery keys (hex) the remote named that we do not have, with their channel. */
  readonly unknown = new Map<string, number>();
  readonly early = new EarlyMessages();
  nextChannel = 0;

  remoteLive = false;
  /** The remote asked to be told what we stored. */
  remoteAck = false;

  heardAt: number;
  sentAt: number;
  /** When the last bytes were flushed, or the outbox began to fill. */
  flushedAt: number;
  /** When it last answered a request for a block. */
  answeredAt = 0;
  /** First byte of the unfinished frame, if any. */
  partialSince: number | undefined;
  partialBytes = 0;
  closingAt = 0;
  strikes = 0;

  /** Bytes handed to the link and not flushed yet. */
  queuedBytes = 0;
  readonly requests: QueuedRequest[] = [];
  /** A block is being read for this peer. */
  loading = false;
  saidFinished = false;

  constructor(id: PeerId, address: PeerAddress, now: number) {
    this.id = id;
    this.address = address;
    this.linkedAt = now;
    this.usedAt = now;
    this.heardAt = now;
    this.sentAt = now;
    this.flushedAt = now;
  }
}
