/** What a core must still be able to do, whatever it was told before. */
import assert from "node:assert/strict";
import { type FuzzWorld, type Remote, say } from "./fuzz_world.ts";

/** The feeds that are fetched, by number. */
const FETCHED = [0, 1];

/** How often the honest peer answers at most: each time, all that it was asked for. */
const MAX_ROUNDS = 500;

/** With all others gone, one honest peer is enough to get everything. */
export function recover(world: FuzzWorld): void {
  for (const peer of [...world.remotes.keys()]) world.unlink(peer);
  storeAll(world);
  for (const feed of FETCHED) world.give({ kind: "follow", feed });
  const remote = world.link("192.0.2.1:3282", 0, false);
  const { peer } = remote;
  for (const feed of FETCHED) {
    const { discoveryKey, length } = world.archives.get(feed)!.source;
    say(world, peer, feed, { type: "feed", discoveryKey });
    if (feed === 0) {
      const id = world.random.bytes(32);
      say(world, peer, 0, { type: "handshake", id, live: true, extensions: [], ack: false });
    }
    say(world, peer, feed, { type: "have", start: 0, length, ack: false });
  }
  for (let rounds = 0; rounds < MAX_ROUNDS && serveAll(world, remote); rounds++);
  for (const feed of FETCHED) {
    // Two histories of one owner end a feed for good.
    if (world.forked.has(feed)) continue;
    const { source, copy } = world.archives.get(feed)!;
    const missing = copy.nextMissing(0, source.length);
    assert.equal(missing, -1, `block ${missing} of feed ${feed} is still missing`);
  }
}

/** It comes to its end, and then holds nothing. */
export function stop(world: FuzzWorld): void {
  world.give({ kind: "stop" });
  for (const peer of [...world.remotes.keys()]) world.unlink(peer);
  world.give({ kind: "tick" });
  assert.ok(world.core.finished, "the core does not come to its end");
  const { inFlight, reserved, queuedRequests, queuedBytes, peers } = world.core.sizes();
  assert.deepEqual({ inFlight, reserved, queuedRequests, queuedBytes, peers }, {
    inFlight: 0,
    reserved: 0,
    queuedRequests: 0,
    queuedBytes: 0,
    peers: 0,
  });
}

/** Answer all that was asked. Answers whether there was anything. */
function serveAll(world: FuzzWorld, remote: Remote): boolean {
  const bytes = remote.waitingBytes;
  remote.waiting.length = 0;
  remote.waitingBytes = 0;
  world.give({ kind: "flushed", peer: remote.peer, bytes });
  const asked = remote.asked.splice(0);
  for (const one of asked) {
    const answer = world.answer(one, world.archives.get(one.feed)!.source);
    const refusal = { type: "unhave", start: one.block, length: 1 } as const;
    say(world, remote.peer, one.feed, answer ?? refusal);
  }
  storeAll(world);
  return asked.length > 0;
}

function storeAll(world: FuzzWorld): void {
  for (const { feed, block } of world.stores.splice(0)) {
    world.give({ kind: "stored", feed, blocks: [block] });
  }
}
