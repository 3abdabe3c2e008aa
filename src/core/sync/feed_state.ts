/** What the synchronizer knows of one local feed: what is wanted, and what is on its way. */
import { type Range, RangeSet } from "../../base/ranges.ts";
import { toHex } from "../../base/bytes.ts";
import type { FeedReader } from "../feed/reader.ts";
import type { FeedId, PeerId } from "./inputs.ts";

export class FeedState {
  readonly id: FeedId;
  readonly reader: FeedReader;
  readonly primary: FeedId;
  /** The discovery key in hex, for maps. */
  readonly name: string;
  /** Blocks asked of a peer, and of which. */
  readonly reserved = new Map<number, PeerId>();
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
  readonly #wanted = new RangeSet();
  /** Where the search for the next block goes on. */
  #cursor = 0;
  /** Everything wanted before this block is held. */
  #heldUpTo = 0;

  constructor(id: FeedId, reader: FeedReader, primary: FeedId) {
    this.id = id;
    this.reader = reader;
    this.primary = primary;
    this.name = toHex(reader.discoveryKey);
  }

  /** Whether we fetch from this feed at all. */
  get downloads(): boolean {
    return !this.forked && (this.follows || !this.#wanted.isEmpty);
  }

  /** Fetch these blocks and no others. */
  want(ranges: readonly Range[]): void {
    this.#wanted.clear();
    for (const { start, end } of ranges) this.#wanted.add(start, end);
    this.#cursor = 0;
    this.recheck();
  }

  /** A block that was held is not any more, or more blocks are wanted. */
  recheck(): void {
    this.#heldUpTo = 0;
    this.completed = false;
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

  /**
   * The next block to ask of a peer that has `remote`, in feed order from the cursor on and then
   * from the start once more; -1 if that peer has nothing for us.
   */
  nextFor(remote: { nextSet(from: number, to: number): number }, told: number): number {
    const found = this.#search(remote, this.#cursor, told);
    if (found !== -1) {
      this.#cursor = found + 1;
      return found;
    }
    if (this.#cursor === 0) return -1;
    const again = this.#search(remote, 0, told);
    if (again !== -1) this.#cursor = again + 1;
    return again;
  }

  /** A peer does not owe the block any more; it may be asked of others, unless it was already. */
  release(block: number, peer: PeerId): void {
    if (this.reserved.get(block) !== peer) return;
    this.reserved.delete(block);
    this.#cursor = Math.min(this.#cursor, block);
  }

  #search(
    remote: { nextSet(from: number, to: number): number },
    from: number,
    told: number,
  ): number {
    let at = from;
    for (let run = this.wantedFrom(at, told); run; run = this.wantedFrom(at, told)) {
      at = run.start;
      while (at < run.end) {
        const missing = this.reader.nextMissing(at, run.end);
        if (missing === -1) break;
        const there = remote.nextSet(missing, run.end);
        if (there === -1) break;
        const taken = this.reserved.has(missing) || this.sources.has(missing);
        if (there === missing && !taken) return missing;
        // Either the peer's next block lies further on (perhaps held), or this one is taken.
        at = there === missing ? missing + 1 : there;
      }
      at = run.end;
    }
    return -1;
  }
}
