/** What the synchronizer knows of one local feed: what is wanted, and what is on its way. */
import { type Range, RangeSet } from "../../base/ranges.ts";
import { toHex } from "../../base/bytes.ts";
import type { FeedReader } from "../feed/reader.ts";
import type { FeedId, FetchOrder, PeerId } from "./inputs.ts";
import {
  CONTENT_BLOCK_BYTES,
  ENTRY_BLOCK_BYTES,
  MAX_MOVE_WASTE_SHARE,
  MAX_RETURNED,
  MAX_SMALL_WASTE_SHARE,
  MAX_WASTE,
  MAX_WASTE_SHARE,
  MOVE_RISK,
  REQUEST_COST,
} from "./limits.ts";
import type { FeedLink } from "./peer_state.ts";
import { Rarity } from "./rarity.ts";

/** The expected cost of a request is a mean of about so many blocks, the last ones. */
const COST_BLOCKS = 8;

/** An answer that is not needed any more and may come all the same. */
interface LateAnswer {
  readonly link: FeedLink;
  readonly askedAt: number;
}

export class FeedState {
  readonly id: FeedId;
  readonly reader: FeedReader;
  readonly primary: FeedId;
  /** The discovery key in hex, for maps. */
  readonly name: string;
  /** Blocks asked of a peer, and of which (the last one, where several race). */
  readonly reserved = new Map<number, PeerId>();
  /** Those among them that two peers owe. */
  readonly raced = new Set<number>();
  /** Blocks that a peer did not bring, to be asked of another before all else. */
  readonly returned = new Set<number>();
  /** Blocks handed to the store and not confirmed yet, and the peer each came from. */
  readonly sources = new Map<number, PeerId>();
  /** Fetch all blocks up to the longest length told. */
  follows = false;
  forked = false;
  /** Nothing more is asked for. */
  onHold = false;
  /** The feed of ours that peers are compared with, if that is what the links are for. */
  against?: FeedReader;
  /** `complete` was reported and nothing new was wanted since. */
  completed = false;
  /** In which order blocks are asked for; undefined: as their sources suggest. */
  order: FetchOrder | undefined;
  /** Blocks by how many peers have them, while that is the order. */
  readonly rarity: Rarity;
  /** Changes when what was passed over in a search may be of interest again. */
  epoch = 1;
  /** What a request is expected to cost: the usual block and the fixed part. */
  cost: number;
  /** How many blocks that follows from. */
  #costsKnown = 0;
  /** Blocks that came, and those among them that were here already. */
  #received = 0;
  #wasted = 0;
  /** Blocks that may come from two peers: one of them is not waited for any more. */
  readonly #late = new Map<number, LateAnswer>();
  #wanted = new RangeSet();
  /** Everything wanted before this block is held. */
  #heldUpTo = 0;

  constructor(id: FeedId, reader: FeedReader, primary: FeedId) {
    this.id = id;
    this.reader = reader;
    this.primary = primary;
    this.name = toHex(reader.discoveryKey);
    const bytes = id === primary ? ENTRY_BLOCK_BYTES : CONTENT_BLOCK_BYTES;
    const { length, byteLength } = reader;
    if (length > 0) this.#costsKnown = COST_BLOCKS;
    this.cost = REQUEST_COST + (length > 0 ? byteLength / length : bytes);
    this.rarity = new Rarity(id);
  }

  /** Whether we fetch from this feed at all. */
  get downloads(): boolean {
    return !this.forked && (this.follows || !this.#wanted.isEmpty);
  }

  /** Fetch everything: what was passed over before is looked at again. */
  follow(): void {
    if (this.follows) return;
    this.follows = true;
    this.recheck();
  }

  /** Fetch these blocks and no others. */
  want(ranges: readonly Range[]): void {
    const wanted = new RangeSet(ranges);
    // Whoever makes up the wants again and again finds the same ones most of the time.
    if (isSame(wanted, this.#wanted)) {
      this.completed = false;
      return;
    }
    this.#wanted = wanted;
    this.recheck();
  }

  /** A block that was held is not any more, or others are wanted. */
  recheck(): void {
    this.#heldUpTo = 0;
    this.completed = false;
    this.restart();
  }

  /** Search for blocks from the start again, on every link. */
  restart(): void {
    this.epoch++;
    this.returned.clear();
  }

  /** The wanted run that holds `block` or follows it, up to `told` (the longest length told). */
  wantedFrom(block: number, told: number): Range | undefined {
    if (this.follows) return block < told ? { start: block, end: told } : undefined;
    const run = this.#wanted.runFrom(block);
    return run === undefined ? undefined : { start: Math.max(run.start, block), end: run.end };
  }

  isWanted(block: number): boolean {
    return this.follows || this.#wanted.has(block);
  }

  /** One past the last wanted block. */
  wantedEnd(told: number): number {
    return this.follows ? told : this.#wanted.end;
  }

  /** The first wanted block that is not held, or -1. */
  firstMissing(told: number): number {
    let at = this.#heldUpTo;
    for (let run = this.wantedFrom(at, told); run; run = this.wantedFrom(at, told)) {
      const missing = this.reader.nextMissing(run.start, run.end);
      at = missing === -1 ? run.end : missing;
      // There may be as many runs as files: those that are done are not looked at again.
      this.#heldUpTo = at;
      if (missing !== -1) return missing;
    }
    return -1;
  }

  /** Everything wanted before this block is held: at most as far as `firstMissing` found. */
  get heldUpTo(): number {
    return this.#heldUpTo;
  }

  /** A block was asked of a peer. */
  reserve(block: number, peer: PeerId): void {
    if (this.reserved.has(block)) this.raced.add(block);
    this.reserved.set(block, peer);
    this.returned.delete(block);
  }

  /** A peer does not owe the block any more; it may be asked of others, unless it was already. */
  release(block: number, peer: PeerId): void {
    if (this.reserved.get(block) !== peer) return;
    this.reserved.delete(block);
    this.giveBack(block);
  }

  /** A block should be asked of somebody else. */
  giveBack(block: number): void {
    this.returned.add(block);
    if (this.returned.size > MAX_RETURNED) this.restart();
  }

  /** The block is here, or nobody wants it. */
  settle(block: number): void {
    this.reserved.delete(block);
    this.returned.delete(block);
    this.raced.delete(block);
    this.#late.delete(block);
  }

  /** A block is not waited for any more on this link, but no Cancel is sure to be in time. */
  mayComeLate(block: number, link: FeedLink, askedAt: number): void {
    this.#late.set(block, { link, askedAt });
  }

  /** Nobody is waited for any more. */
  forgetRequests(): void {
    this.reserved.clear();
    this.raced.clear();
    this.#late.clear();
    this.restart();
  }

  /** Whether a block is on its way, or on its way to the disk. */
  isTaken(block: number): boolean {
    return this.reserved.has(block) || this.sources.has(block);
  }

  /** Block `block` of so many bytes came; `wasted` if it was here already. */
  received(block: number, bytes: number, wasted: boolean): void {
    this.#received++;
    if (wasted) {
      this.#wasted++;
      this.#late.delete(block);
    }
    if (this.#costsKnown < COST_BLOCKS) this.#costsKnown++;
    this.cost += (REQUEST_COST + bytes - this.cost) / this.#costsKnown;
  }

  /**
   * Whether few enough blocks came twice, or may yet, to ask for one more of another peer. Fewer where
   * the one that owes it heeds a Cancel: what waits there was moved, and this one is about to come.
   */
  mayRace(isHeeded = false): boolean {
    const twice = this.#twice;
    if (twice >= MAX_WASTE + this.#received * MAX_WASTE_SHARE) return false;
    // In a small feed a few blocks are a large part.
    const share = isHeeded ? MAX_MOVE_WASTE_SHARE : MAX_SMALL_WASTE_SHARE;
    return twice + this.raced.size + 1 <= this.#blocks * share;
  }

  /**
   * Whether so few came twice that blocks are moved between peers that heed a Cancel, while so many
   * were of which it is not known yet.
   */
  mayMove(pending: number): boolean {
    return this.#wasted + pending * MOVE_RISK <= 1 + this.#blocks * MAX_MOVE_WASTE_SHARE;
  }

  /**
   * How many times as long as usual an answer is waited for: blocks that came twice show that the
   * usual time is too short for the peers at hand.
   */
  get caution(): number {
    return 1 + this.#wasted / Math.max(1, this.#blocks * MAX_WASTE_SHARE);
  }

  get #twice(): number {
    for (const [block, { link, askedAt }] of this.#late) {
      // Answers come about in the order of the requests: that one was dropped.
      if (link.answeredUpTo > askedAt) this.#late.delete(block);
    }
    return this.#wasted + this.#late.size;
  }

  get #blocks(): number {
    return this.#received + this.reserved.size;
  }
}

function isSame(a: RangeSet, b: RangeSet): boolean {
  if (a.runs !== b.runs) return false;
  const others = b[Symbol.iterator]();
  for (const { start, end } of a) {
    const other = others.next().value as Range;
    if (other.start !== start || other.end !== end) return false;
  }
  return true;
}
