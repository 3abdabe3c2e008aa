/** What peers see of a feed that grows: nothing that is not published, and proofs that hold. */
import assert from "node:assert/strict";
import { PublishedFeed } from "../../src/app/published_feed.ts";
import { prove } from "../../src/core/feed/prove.ts";
import { requestDigest } from "../../src/core/feed/digest.ts";
import { verifyData } from "../../src/core/feed/verify.ts";
import { emptyCopy, ownFeed } from "../support/core_driver.ts";

Deno.test("a feed is seen as it was when it was published last, with proofs for that", () => {
  const feed = ownFeed(1);
  const published = new PublishedFeed(feed);
  assert.equal(published.length, 0);
  assert.equal(published.hasBlock(0), false);
  for (let length = 1; length <= 20; length++) {
    const byteLength = feed.byteLength;
    assert.equal(feed.length, length);
    published.publish();
    feed.append(Uint8Array.of(length, 1), Uint8Array.of(length, 2));
    assert.deepEqual([published.length, published.byteLength], [length, byteLength]);
    assert.equal(published.hasBlock(length), false);
    assert.equal(published.hasNode(2 * length), false);
    assert.equal(published.signature(length + 2), undefined);
    assert.equal(published.nextHeld(length, length + 2), -1);
    assert.equal(published.nextMissing(0, length), -1);
    assert.equal(published.nextMissing(0, length + 2), length);
    assert.equal(published.nextMissing(length + 1, length + 2), length + 1);
    assert.equal(published.countHeld(0, length + 2), length);
    const copy = emptyCopy(feed);
    for (let block = 0; block < length; block++) {
      const digest = requestDigest(copy, block);
      const proof = prove(published, { block, hashOnly: false, digest });
      assert.ok(proof !== undefined, `block ${block} of ${length}`);
      const value = feed.block(block)!;
      copy.store(verifyData(copy, { type: "data", index: block, value, ...proof } as never));
      assert.equal(copy.length, length);
    }
    length++; // two were appended, and the last is published in the next round
  }
});
