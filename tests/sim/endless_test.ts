/** What must come to an end, or get its turn, although others go on for ever. */
import assert from "node:assert/strict";
import { MAX_ADDRESSES, WANT_BLOCKS } from "../../src/core/sync/limits.ts";
import { encodeHaveRuns } from "../../src/core/wire/have_bitfield.ts";
import type { Message } from "../../src/core/wire/messages.ts";
import { CoreDriver, emptyCopy, ownFeed } from "../support/core_driver.ts";
import { Swarm } from "../support/swarm.ts";

const MINUTE = 60_000;

Deno.test("a peer that claims blocks far beyond the end cannot keep a clone from its end", () => {
  const source = ownFeed(60);
  const swarm = new Swarm("far claims");
  const bitfield = encodeHaveRuns([{ start: 500, end: 600 }], WANT_BLOCKS);
  const tamper = (message: Message): Message =>
    message.type === "have" ? { ...message, start: 0, length: WANT_BLOCKS, bitfield } : message;
  const liar = swarm.add("liar", { feed: emptyCopy(source), live: true, tamper });
  const honest = swarm.add("honest", { feed: source, live: true });
  const cloner = swarm.add("cloner", { feed: emptyCopy(source), follow: true });
  swarm.connect(cloner, honest, { delayMs: 50, bytesPerSecond: 2000 });
  assert.ok(swarm.run(MINUTE, () => cloner.feed.length > 0));
  swarm.connect(cloner, liar, 1);
  assert.ok(swarm.run(10 * MINUTE, () => cloner.isComplete), `${cloner.feed.blocks.size} of 60`);
});

for (const dead of [300, MAX_ADDRESSES]) {
  Deno.test(`${dead} addresses that lead nowhere do not keep a new one from being dialled`, () => {
    const source = ownFeed(3);
    const swarm = new Swarm(`${dead} dead addresses`);
    const options = { live: true, persistent: true, follow: true, forgetful: true };
    const node = swarm.add("node", { feed: emptyCopy(source), ...options });
    for (let n = 0; n < dead; n++) {
      const address = `10.1.${n >> 8}.${n & 255}:3282`;
      swarm.give(node, { kind: "found", address, primary: 0 });
    }
    swarm.run(60 * MINUTE);
    const address = "10.9.9.9:3282";
    swarm.add("newcomer", { feed: source, live: true, address });
    for (let minute = 0; minute < 5; minute++) {
      swarm.give(node, { kind: "found", address, primary: 0 });
      swarm.run(MINUTE);
    }
    assert.equal(node.feed.blocks.size, source.length);
  });
}

Deno.test("who follows a feed after some of it was wanted fetches the rest as well", () => {
  const source = ownFeed(20);
  const driver = new CoreDriver(emptyCopy(source));
  driver.give({ kind: "want", feed: 0, ranges: [{ start: 10, end: 20 }] });
  driver.open(1);
  driver.have(1, 10, 10);
  driver.give({ kind: "follow", feed: 0 });
  driver.unlinked(1);
  driver.open(2);
  driver.have(2, 0, 20);
  const asked = driver.sent.flatMap(({ message }) =>
    message.type === "request" ? [message.index] : []
  );
  assert.ok(asked.some((block) => block < 10), `asked for ${asked}`);
});
