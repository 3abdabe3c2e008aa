import assert from "node:assert/strict";
import { MAX_QUEUED_BYTES, SMALL_MESSAGE_BYTES } from "../../../src/core/sync/limits.ts";
import { Outbox } from "../../../src/core/sync/outbox.ts";

const BLOCK = 65_600;

/** Fill an outbox as far as it has room. Answers how many blocks that took. */
function fill(outbox: Outbox, now: number): number {
  let blocks = 0;
  for (; outbox.hasRoom; blocks++) outbox.add(BLOCK, now);
  return blocks;
}

/** An outbox of a link that takes a block in so many milliseconds, after some time. */
function paced(msPerBlock: number): Outbox {
  const outbox = new Outbox(0);
  for (let block = 0; block < 40; block++) {
    outbox.add(BLOCK, block * msPerBlock);
    outbox.flush(BLOCK, (block + 1) * msPerBlock);
  }
  return outbox;
}

Deno.test("an outbox takes one block until it is known how fast the link is", () => {
  const outbox = new Outbox(0);
  assert.equal(fill(outbox, 0), 1);
  outbox.flush(0, 100); // a part of it
  assert.equal(outbox.hasRoom, false);
  outbox.flush(BLOCK, 200);
  assert.equal(outbox.bytes, 0);
  assert.equal(outbox.hasRoom, true);
});

Deno.test("an outbox holds what its link takes in a tenth of a second, one block at least", () => {
  assert.equal(fill(paced(500), 1e6), 1);
  assert.equal(fill(paced(10), 1e6), 10);
  assert.equal(
    fill(paced(0), 1e6),
    Math.ceil(MAX_QUEUED_BYTES / BLOCK),
    "and no more than the most",
  );
});

Deno.test("small messages keep no block out of a fast link's outbox, and make no slow link fast", () => {
  const [fast, slow] = [paced(1), paced(500)];
  for (const outbox of [fast, slow]) {
    for (let n = 0; n < 100; n++) {
      outbox.add(SMALL_MESSAGE_BYTES, 1e6 + n);
      outbox.flush(SMALL_MESSAGE_BYTES, 1e6 + n);
    }
  }
  assert.ok(fill(fast, 1e6) >= 10);
  assert.equal(fill(slow, 1e6), 1);
});

Deno.test("time in which the machine slept is no time of the link's", () => {
  const outbox = paced(10);
  outbox.add(BLOCK, 1e6);
  outbox.postpone(60_000, 1e6 + 60_010);
  outbox.flush(BLOCK, 1e6 + 60_010);
  assert.ok(fill(outbox, 2e6) >= 9);
});
