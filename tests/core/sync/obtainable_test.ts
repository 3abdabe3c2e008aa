import assert from "node:assert/strict";
import { WANT_BLOCKS } from "../../../src/core/sync/limits.ts";
import { encodeHaveRuns } from "../../../src/core/wire/have_bitfield.ts";
import { answerFor, CoreDriver, emptyCopy, ownFeed } from "../../support/core_driver.ts";

const PEER = 1;

/** Somebody who follows a feed of ten blocks, of which a peer tells that it has some. */
class Following extends CoreDriver {
  readonly #source = ownFeed(10);

  constructor() {
    super(emptyCopy(ownFeed(10)), { follow: true });
  }

  get obtainable(): boolean {
    return this.core.obtainable(0);
  }

  tell(runs: { start: number; end: number }[]): void {
    const bitfield = encodeHaveRuns(runs, WANT_BLOCKS);
    this.say(PEER, { type: "have", start: 0, length: WANT_BLOCKS, bitfield, ack: false });
  }

  answerAll(): void {
    for (const index of this.requested(PEER)) {
      this.say(PEER, answerFor(this.#source, this.feeds.get(0)!, index));
    }
  }
}

Deno.test("nothing is obtainable where nobody is", () => {
  assert.equal(new Following().obtainable, false);
});

Deno.test("a peer that did not tell what it has may have something", () => {
  const driver = new Following();
  driver.open(PEER);
  assert.equal(driver.obtainable, true);
  driver.tell([]);
  assert.equal(driver.obtainable, false);
});

Deno.test("blocks are obtainable until they are here, and not those that nobody has", () => {
  const driver = new Following();
  driver.open(PEER);
  driver.tell([{ start: 2, end: 5 }, { start: 9, end: 10 }]);
  assert.equal(driver.obtainable, true);
  driver.answerAll();
  assert.equal(driver.feeds.get(0)!.countHeld(0, 10), 4);
  assert.equal(driver.obtainable, false);
  driver.say(PEER, { type: "have", start: 7, length: 1, ack: false });
  assert.equal(driver.obtainable, true);
  driver.say(PEER, { type: "unhave", start: 7, length: 1 });
  assert.equal(driver.obtainable, false);
});

Deno.test("a feed that does not take part has nothing obtainable", () => {
  const driver = new Following();
  driver.open(PEER);
  assert.equal(driver.core.obtainable(7), false);
});
