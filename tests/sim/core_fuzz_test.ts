/**
 * Remotes that say anything that looks like a message, in any order, while links come and go: the
 * core never throws, takes nothing unproven, answers no more than it was asked, and goes on.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { answerFor, CoreDriver, emptyCopy, ownFeed } from "../support/core_driver.ts";
import { messageOfType } from "../support/messages.ts";
import { fuzzCore } from "./core_fuzz.ts";
import { assertSameBytes } from "../support/same_bytes.ts";

/** Peers with much to claim and nothing of what is rare made much work here once. */
const ONCE_BAD = [53, 109];

for (const seed of [...Array(16).keys(), ...ONCE_BAD]) {
  Deno.test(`remotes that say anything do no harm (seed ${seed})`, () => {
    const { steps } = fuzzCore(`${seed}`, 1500);
    assert.ok(steps > 1500);
  });
}

Deno.test("the same seed makes the same sequence", () => {
  assert.deepEqual(fuzzCore("again", 500), fuzzCore("again", 500));
});

Deno.test("any messages in any order leave the core able to fetch and to serve", () => {
  const types = [
    "info",
    "have",
    "unhave",
    "want",
    "unwant",
    "request",
    "cancel",
    "data",
    "extension",
    "handshake",
    "feed",
  ] as const;
  const message = fc.oneof(...types.map((type) => messageOfType(type)));
  const said = fc.array(fc.tuple(fc.nat(3), message), { maxLength: 60 });
  const source = ownFeed(12);
  fc.assert(
    fc.property(said, (messages) => {
      const copy = emptyCopy(source);
      const driver = new CoreDriver(copy, { follow: true });
      driver.open(1);
      for (const [channel, message] of messages) driver.say(1, message, channel);
      driver.open(2);
      driver.have(2, 0, 12);
      driver.unlinked(1);
      for (let asked = driver.requested(2); asked.length > 0; asked = driver.requested(2)) {
        driver.news();
        for (const index of asked) driver.say(2, answerFor(source, copy, index));
      }
      assert.equal(copy.blocks.size, 12);
      driver.ask(2, 5);
      assertSameBytes(driver.newsOf(2, "data")[0].value, source.block(5));
    }),
    { seed: 5, numRuns: 400 },
  );
});
