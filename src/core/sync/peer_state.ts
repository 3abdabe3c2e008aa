/** What the synchronizer knows of one connection, and of each feed that both sides named on it. */
import type { TroveError } from "../../base/errors.ts";
import { Bitfield } from "../../base/bitfield.ts";
import { RangeSet } from "../../base/ranges.ts";
import type { BlockRequest } from "../feed/reader.ts";
import { EarlyMessages } from "./early_messages.ts";
import { Holding } from "./holdings.ts";
import { hostOf } from "./hosts.ts";
import type { FeedId, PeerAddress, PeerId, QuietEnd } from "./inputs.ts";
import {
  CANCEL_MS,
  MAX_CANCELLED,
  MAX_NEWS_RUNS,
  MAX_REMOTE_PAGES,
  MAX_WRONG_PAUSES,
  REQUEST_MS,
  WRONG_MEMORY_MS,
  WRONG_PAUSE_MS,
} from "./limits.ts";
import type { LinkProbe } from "./probe.ts";
import { Outbox } from "./outbox.ts";
import { type Asked, Window } from "./window.ts";

/** A request that was taken back. */
interface Cancelled {
  readonly asked: Asked;
  /** It counts as owed yet. */
  isOwed: boolean;
  /** It may yet be answered, or a later one. */
  isPending: boolean;
  /** A later request was answered. */
  isKept: boolean;
}

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
  /** All that it told of so far is one block. */
  hasHinted = false;
  /** The remote sent a Want, so it hears about new blocks. */
  remoteWants = false;
  /** We sent a Have: from then on hypercore before 6.10.3 can be sent a Request. */
  saidHave = false;
  /** The remote announces everything by itself: it answered a Want without a length. */
  compatible = false;
  /** Start of the next Want region to ask for. */
  nextWant = 0;
  /** When the first of them was asked for. */
  wantedAt = 0;
  unansweredWants = 0;
  /** When a Want for the region that starts there was answered last. */
  readonly wantAnswers = new Map<number, number>();
  /** Blocks asked for, oldest first. */
  readonly inFlight = new Map<number, Asked>();
  /** When the oldest of them became the oldest. */
  oldestSince = 0;
  /** When the latest of those requests was made that were answered; Infinity: no more answers come. */
  answeredUpTo = -Infinity;
  /** Blocks that were cancelled and may come all the same. */
  readonly cancelled = new Map<number, Cancelled>();
  /** How many of them are pending. */
  pendingCancels = 0;
  /** When the last pause began because of a wrong block, and how many there were of late. */
  #pausedAt = -Infinity;
  #pauses = 0;
  /** Where the search for blocks stands: see `pick`. */
  readonly search = new LinkSearch();
  /** When it was last looked for something to race for, and for something to move here, in vain. */
  racedAt = -Infinity;
  movedAt = -Infinity;
  /** The remote may still download. Source: hypercore starts with true. */
  remoteDownloads = true;
  /** We told the remote that we do not download any more. */
  saidFinished = false;
  /** Once the remote's history is being compared with ours. */
  probe?: LinkProbe;

  /** What the peer owes on all of its links. */
  readonly window: Window;

  constructor(feed: FeedId, channel: number, window: Window) {
    this.feed = feed;
    this.channel = channel;
    this.window = window;
  }

  /** A block was asked for. */
  expect(block: number, now: number, cost: number): void {
    if (this.inFlight.size === 0) this.oldestSince = now;
    this.inFlight.set(block, this.window.ask(cost, now));
  }

  /** A request is over without the block. Answers whether there was one. */
  settle(block: number, now: number): boolean {
    const asked = this.#take(block, now);
    if (asked === undefined) return false;
    this.window.drop(asked);
    return true;
  }

  /**
   * The block came; `cost` is what it really costs. Answers whether it was asked for. One that was
   * cancelled meanwhile tells as much of the peer's pace.
   */
  answer(block: number, now: number, cost: number): boolean {
    const cancelled = this.cancelled.get(block);
    const asked = this.#take(block, now) ?? this.#cameAllTheSame(cancelled);
    if (cancelled !== undefined) this.#settleCancelled(cancelled);
    this.cancelled.delete(block);
    if (asked === undefined) return cancelled !== undefined;
    this.window.answered(asked, cost, now);
    this.answeredUpTo = Math.max(this.answeredUpTo, asked.at);
    // Requests are answered about in their order: what was cancelled before this one is through.
    for (const other of this.cancelled.values()) {
      if (other.asked.serial >= asked.serial || !other.isPending) continue;
      this.#settleCancelled(other);
      other.isKept = true;
      this.window.cancels.kept();
    }
    return true;
  }

  /** A block is not waited for any more, though it may come. */
  cancel(block: number, now: number): void {
    const asked = this.#take(block, now);
    if (asked === undefined) return;
    const isOwed = !this.window.cancels.areHeeded;
    if (!isOwed) this.window.drop(asked);
    const before = this.cancelled.get(block);
    if (before !== undefined) this.#settleCancelled(before); // it was asked for again since
    this.pendingCancels++;
    this.cancelled.set(block, { asked, isOwed, isPending: true, isKept: false });
    if (this.cancelled.size <= MAX_CANCELLED) return;
    const [[oldest, cancelled]] = this.cancelled;
    this.#settleCancelled(cancelled);
    this.cancelled.delete(oldest);
  }

  /** A cancelled block was refused. Answers whether there was one. */
  forgive(block: number): boolean {
    const cancelled = this.cancelled.get(block);
    if (cancelled !== undefined) this.#settleCancelled(cancelled);
    return this.cancelled.delete(block);
  }

  /** Time passes: what was cancelled long ago does not come any more. */
  expireCancelled(now: number): void {
    const ms = this.window.cancels.areIgnored ? REQUEST_MS : CANCEL_MS;
    for (const cancelled of this.cancelled.values()) {
      if (cancelled.asked.at <= now - ms) this.#settleCancelled(cancelled);
    }
  }

  /** When the block was asked for, whether or not it was cancelled since. */
  askedAt(block: number): number {
    return this.inFlight.get(block)?.at ?? this.cancelled.get(block)?.asked.at ?? -Infinity;
  }

  /**
   * A block that was asked for at `askedAt` is not what was signed: ask for nothing more for a while.
   * Others that were on their way by then are part of it. Answers whether there were too many pauses.
   */
  pause(askedAt: number, now: number): boolean {
    if (askedAt <= this.#pausedAt) return false;
    this.#pauses = now - this.#pausedAt < WRONG_MEMORY_MS ? this.#pauses + 1 : 1;
    this.#pausedAt = now;
    return this.#pauses > MAX_WRONG_PAUSES;
  }

  /** Whether it is too soon after a wrong block to ask for more. */
  isPaused(now: number): boolean {
    return now - this.#pausedAt < WRONG_PAUSE_MS;
  }

  /** Nothing is waited for any more. */
  forgetRequests(): void {
    for (const asked of this.inFlight.values()) this.window.drop(asked);
    this.inFlight.clear();
    this.answeredUpTo = Infinity;
  }

  /**
   * Whether a block may be asked for here: the remote has it, and it is not on its way. What was
   * cancelled and comes all the same for all that is known is not asked for again, and kept in mind.
   */
  offers(block: number): boolean {
    if (!this.remote.has(block)) return false;
    if (!this.cancelled.get(block)?.isPending || this.window.cancels.areHeeded) return true;
    this.search.deferred.add(block);
    return false;
  }

  /** Whether the remote lacks some block before `told`. */
  isPartial(told: number): boolean {
    const lacking = this.remote.nextClear(this.search.solid, told);
    this.search.solid = lacking === -1 ? Math.max(this.search.solid, told) : lacking;
    return lacking !== -1;
  }

  #take(block: number, now: number): Asked | undefined {
    const asked = this.inFlight.get(block);
    if (asked === undefined) return undefined;
    const [oldest] = this.inFlight.keys();
    this.inFlight.delete(block);
    if (block === oldest) this.oldestSince = now;
    return asked;
  }

  #settleCancelled(cancelled: Cancelled): void {
    if (cancelled.isOwed) this.window.drop(cancelled.asked);
    if (cancelled.isPending) this.pendingCancels--;
    cancelled.isOwed = cancelled.isPending = false;
  }

  /** A block came that was cancelled, and not asked for again. Answers what that says of the pace. */
  #cameAllTheSame(cancelled: Cancelled | undefined): Asked | undefined {
    if (cancelled === undefined) return undefined;
    this.window.cancels.ignored(cancelled.isKept);
    if (!cancelled.isOwed) return undefined;
    cancelled.isOwed = false;
    return cancelled.asked;
  }
}

/** Where the search for blocks to ask of one link stands. */
export class LinkSearch {
  /** The state of the feed's wants that all this is about. */
  epoch = 0;
  /** The link has nothing to ask for before this block, but for its news. */
  cursor = 0;
  /** What the remote told of since, before the cursor. */
  readonly news = new RangeSet();
  /** The remote has all blocks before this one. */
  solid = 0;
  /** Blocks that were passed over because a request for them was taken back and may be answered yet. */
  readonly deferred = new Set<number>();
  /** The order by rarity, and how far it was gone through. */
  rarityRound = 0;
  rarityAt = 0;

  /** The remote has [start, end) as well. */
  gained(start: number, end: number): void {
    if (start >= this.cursor) return;
    this.news.add(start, Math.min(end, this.cursor));
    if (this.news.runs <= MAX_NEWS_RUNS) return;
    this.cursor = this.news.next(0);
    this.news.clear();
  }

  /** The remote may lack blocks from `start` on. */
  lost(start: number): void {
    this.solid = Math.min(this.solid, start);
  }

  /** Begin anew, for other wants. */
  restart(epoch: number): void {
    this.epoch = epoch;
    this.cursor = 0;
    this.rarityAt = 0;
    this.news.clear();
    this.deferred.clear();
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
  /** See `hostOf`. */
  readonly host: string;
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
  /** It brought a block that was not here. */
  brings = false;
  /** When it last said anything but a keepalive. */
  usedAt: number;
  /** Link per local feed, and what the remote's channel numbers stand for (undefined: unknown). */
  readonly links = new Map<FeedId, FeedLink>();
  readonly channels = new Map<number, FeedLink | undefined>();
  /** Discovery keys (hex) the remote named that we do not have, with their channel. */
  readonly unknown = new Map<string, number>();
  readonly early = new EarlyMessages();
  nextChannel = 0;
  /** How much may be asked of it. */
  readonly window = new Window();
  /** It lets everything wait: it is asked for nothing more until it answers. */
  stalled = false;
  /** The name its process goes by, in hex. */
  remoteId: string | undefined;
  /** Why the link ended: another one leads to the same peer. */
  duplicate = false;
  /** When this link last took the place of another to the same peer. */
  replacedAt = -Infinity;

  remoteLive = false;
  /** The remote asked to be told what we stored. */
  remoteAck = false;

  heardAt: number;
  sentAt: number;
  /** What it is known to hold of what is watched. */
  holding = new Holding();
  /** When a block was last sent to it. */
  uploadedAt = -Infinity;
  /** When it last answered a request for a block. */
  answeredAt = 0;
  /** When more of an unfinished frame came last. */
  progressAt = 0;
  /** First byte of the unfinished frame, if any. */
  partialSince: number | undefined;
  partialBytes = 0;
  closingAt = 0;
  strikes = 0;

  /** What was handed to the link and not flushed yet. */
  readonly outbox: Outbox;
  readonly requests: QueuedRequest[] = [];
  /** A block is being read for this peer. */
  loading = false;
  saidFinished = false;

  constructor(id: PeerId, address: PeerAddress, now: number) {
    this.id = id;
    this.address = address;
    this.host = hostOf(address);
    this.linkedAt = now;
    this.usedAt = now;
    this.heardAt = now;
    this.sentAt = now;
    this.outbox = new Outbox(now);
  }
}
