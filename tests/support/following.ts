/** A core that follows a feed, and what its remotes say. */
import { WANT_BLOCKS } from "../../src/core/sync/limits.ts";
import { encodeHaveRuns } from "../../src/core/wire/have_bitfield.ts";
import type { Data } from "../../src/core/wire/messages.ts";
import { answerFor, CoreDriver, emptyCopy } from "./core_driver.ts";
import type { MemoryFeed } from "./memory_feed.ts";

/** Somebody who follows a feed that others have, and their remotes. */
export class Following extends CoreDriver {
  readonly source: MemoryFeed;
  readonly copy: MemoryFeed;

  constructor(source: MemoryFeed, ...peers: readonly number[]) {
    const copy = emptyCopy(source);
    super(copy, { follow: true });
    this.source = source;
    this.copy = copy;
    for (const peer of peers) this.open(peer);
  }

  /** Answer the Want of the first region: everything that the source has. */
  tellAll(peer: number): void {
    this.tell(peer, [{ start: 0, end: this.source.length }]);
  }

  tell(peer: number, runs: { start: number; end: number }[], start = 0): void {
    const bitfield = encodeHaveRuns(runs, WANT_BLOCKS);
    this.say(peer, { type: "have", start, length: WANT_BLOCKS, bitfield, ack: false });
  }

  /** Answer everything that was asked of a peer and not answered yet. */
  answerAll(peer: number): void {
    for (let asked = this.requested(peer); asked.length > 0; asked = this.requested(peer)) {
      this.news();
      for (const index of asked) this.answer(peer, index);
    }
  }

  answer(peer: number, index: number, change: Partial<Data> = {}): void {
    this.say(peer, { ...answerFor(this.source, this.copy, index), ...change });
  }
}
