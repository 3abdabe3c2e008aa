import assert from "node:assert/strict";
import fc from "fast-check";
import { FeedState } from "../../../src/core/sync/feed_state.ts";
import { MAX_NEWS_RUNS, MAX_RETURNED } from "../../../src/core/sync/limits.ts";
import { FeedLink } from "../../../src/core/sync/peer_state.ts";
import { pick } from "../../../src/core/sync/picker.ts";
import { Window } from "../../../src/core/sync/window.ts";
import { emptyCopy, ownFeed } from "../../support/core_driver.ts";
import type { MemoryFeed } from "../../support/memory_feed.ts";

const HUGE = 2 ** 32;

function stateOf(feed: MemoryFeed): FeedState {
  return new FeedState(0, feed, 0);
}

/** A link to somebody who has these blocks. */
function claims(...ranges: readonly [number, number][]): FeedLink {
  const link = new FeedLink(0, 0, new Window());
  for (const [start, end] of ranges) link.remote.add(start, end);
  return link;
}

/** Ask for block after block, as a scheduler does. */
function takeAll(state: FeedState, link: FeedLink, end: number, limit = 1000): number[] {
  const taken: number[] = [];
  while (taken.length < limit) {
    const block = pick(state, link, { end });
    if (block === -1) return taken;
    state.reserve(block, 1);
    taken.push(block);
  }
  return taken;
}

Deno.test("FeedState gives wanted blocks that a peer has and we lack, in order", () => {
  const source = ownFeed(20);
  const feed = emptyCopy(source);
  for (const block of [3, 4, 12]) feed.blocks.set(block, source.block(block)!);
  const state = stateOf(feed);
  state.want([{ start: 2, end: 6 }, { start: 10, end: 15 }]);
  assert.deepEqual(takeAll(state, claims([0, 14]), 0), [2, 5, 10, 11, 13]);
});

Deno.test("FeedState wants nothing unless told to, and everything when following", () => {
  const state = stateOf(emptyCopy(ownFeed(3)));
  assert.equal(state.downloads, false);
  assert.deepEqual(takeAll(state, claims([0, 3]), 3), []);
  state.follows = true;
  assert.deepEqual(takeAll(state, claims([0, 3]), 2), [0, 1], "as far as the length told");
  state.forked = true;
  assert.equal(state.downloads, false);
});

Deno.test("FeedState gives no block twice, be it on its way or being stored", () => {
  const state = stateOf(emptyCopy(ownFeed(6)));
  state.follows = true;
  state.reserve(1, 7);
  state.sources.set(2, 7);
  assert.deepEqual(takeAll(state, claims([0, 5]), 6), [0, 3, 4]);
});

Deno.test("FeedState goes back for released blocks, but only for their own peer's sake", () => {
  const state = stateOf(emptyCopy(ownFeed(5)));
  state.follows = true;
  const remote = claims([0, 5]);
  assert.deepEqual(takeAll(state, remote, 5), [0, 1, 2, 3, 4]);
  state.release(2, 99);
  assert.deepEqual(takeAll(state, remote, 5), [], "peer 99 never owed it");
  state.release(2, 1);
  state.release(4, 1);
  assert.deepEqual(takeAll(state, remote, 5), [2, 4]);
});

Deno.test("FeedState finds what one peer has though another's blocks moved the search on", () => {
  const state = stateOf(emptyCopy(ownFeed(50)));
  state.follows = true;
  assert.deepEqual(takeAll(state, claims([40, 50]), 50).length, 10);
  assert.deepEqual(takeAll(state, claims([3, 5]), 50), [3, 4]);
});

Deno.test("what a peer gets after it was passed over is found, and nothing else is looked at", () => {
  const feed = emptyCopy(ownFeed(5));
  const state = stateOf(feed);
  state.follows = true;
  const link = claims([0, 2], [600, 602]);
  const gain = (start: number, end: number) => {
    link.remote.add(start, end);
    link.search.gained(start, end);
  };
  assert.deepEqual(takeAll(state, link, 1000), [0, 1, 600, 601]);
  let looks = 0;
  const { nextMissing } = feed;
  feed.nextMissing = function (from, to) {
    looks++;
    assert.ok(to - from <= 2, `${from} to ${to}`);
    return nextMissing.call(this, from, to);
  };
  for (let block = 2; block < 600; block += 2) {
    gain(block, block + 1);
    assert.deepEqual(takeAll(state, link, 1000), [block]);
  }
  assert.ok(looks < 1000, `${looks}`);
});

Deno.test("more news than are kept in mind only send the search back", () => {
  const state = stateOf(emptyCopy(ownFeed(5)));
  state.follows = true;
  const link = claims();
  assert.deepEqual(takeAll(state, link, 10_000), []);
  const gained = Array.from({ length: MAX_NEWS_RUNS + 10 }, (_, i) => 7 + 2 * i);
  for (const block of gained) {
    link.remote.add(block, block + 1);
    link.search.gained(block, block + 1);
  }
  assert.deepEqual(takeAll(state, link, 10_000), gained);
});

Deno.test("more blocks given back than are kept in mind only begin the search anew", () => {
  const state = stateOf(emptyCopy(ownFeed(5)));
  state.follows = true;
  const blocks = 2 * MAX_RETURNED;
  const link = claims([0, blocks]);
  assert.equal(takeAll(state, link, blocks, blocks).length, blocks);
  for (let block = 0; block < blocks; block++) state.release(block, 1);
  assert.equal(takeAll(state, link, blocks, blocks).length, blocks);
  assert.deepEqual(takeAll(state, link, blocks), []);
});

Deno.test("FeedState searches claims of 4 billion blocks without walking through them", () => {
  const source = ownFeed(100);
  const state = stateOf(source);
  state.follows = true;
  assert.equal(pick(state, claims([0, HUGE]), { end: HUGE }), 100);
  assert.equal(state.firstMissing(HUGE), 100);
  assert.equal(pick(state, claims([HUGE - 1, HUGE]), { end: HUGE }), HUGE - 1);
});

Deno.test("FeedState.firstMissing() looks at wanted blocks only", () => {
  const source = ownFeed(20);
  const feed = emptyCopy(source);
  const state = stateOf(feed);
  state.want([{ start: 5, end: 7 }, { start: 9, end: 10 }]);
  const hold = (block: number) => feed.blocks.set(block, source.block(block)!);
  assert.equal(state.firstMissing(0), 5);
  hold(5);
  hold(9);
  assert.equal(state.firstMissing(0), 6);
  hold(6);
  assert.equal(state.firstMissing(0), -1);
  state.want([{ start: 0, end: 1 }, { start: 6, end: 7 }]);
  assert.equal(state.firstMissing(0), 0, "wanted later, and earlier in the feed");
  assert.equal(state.isWanted(9), false, "a new want takes the place of the one before");
  hold(0);
  assert.equal(state.firstMissing(0), -1);
  feed.clear(6);
  state.completed = true;
  state.recheck();
  assert.equal(state.completed, false);
  assert.equal(state.firstMissing(0), 6, "lost again");
});

Deno.test("FeedState agrees with a plain search for any wants, holdings and claims", () => {
  const range = fc.tuple(fc.nat(60), fc.nat(60)).map(([a, b]) => ({
    start: Math.min(a, b),
    end: Math.max(a, b),
  }));
  fc.assert(
    fc.property(
      fc.array(range, { maxLength: 4 }),
      fc.uniqueArray(fc.nat(59), { maxLength: 40 }),
      fc.array(range, { maxLength: 4 }),
      (wanted, held, claimed) => {
        const feed = emptyCopy(ownFeed(0));
        for (const block of held) feed.blocks.set(block, new Uint8Array(1));
        const state = stateOf(feed);
        state.want(wanted);
        const inside = (block: number, ranges: { start: number; end: number }[]) =>
          ranges.some(({ start, end }) => block >= start && block < end);
        const all = Array.from({ length: 60 }, (_, block) => block);
        const missing = all.filter((block) => inside(block, wanted) && !held.includes(block));
        const expected = missing.filter((block) => inside(block, claimed));
        const remote = claims(...claimed.map(({ start, end }): [number, number] => [start, end]));
        assert.equal(state.firstMissing(0), missing[0] ?? -1);
        assert.deepEqual(takeAll(state, remote, 0), expected);
      },
    ),
    { seed: 11, numRuns: 300 },
  );
});

Deno.test("a race counts as a block that comes twice until its loser has answered something later", () => {
  const state = stateOf(emptyCopy(ownFeed(60)));
  const [slow, fast] = [claims([0, 60]), claims([0, 60])];
  for (let block = 0; block < 50; block++) {
    state.reserve(block, 1);
    slow.expect(block, 0, state.cost);
  }
  let races = 0;
  for (; state.mayRace(); races++) {
    state.reserve(races, 2);
    fast.expect(races, 100, state.cost);
    // The faster one answers at once, the other is sent a Cancel, and may not hear it in time.
    state.settle(races);
    state.mayComeLate(races, slow, slow.inFlight.get(races)!.at);
    slow.cancel(races, 100);
    state.received(races, 100, false);
  }
  assert.equal(races, 2, "one in twenty-five of 50 blocks");
  slow.expect(50, 200, state.cost);
  slow.answer(50, 300, state.cost);
  assert.ok(
    state.mayRace(),
    "what was cancelled before the request answered does not come any more",
  );
  state.received(0, 100, true);
  state.received(1, 100, true);
  assert.ok(!state.mayRace(), "these came all the same");
  assert.ok(state.caution > 2);
});
