/** Peers that discovery names: most of them are not there, and those that are move about. */
import assert from "node:assert/strict";
import { MAX_DIALS, RETRY_JITTER } from "../../../src/core/sync/limits.ts";
import { emptyCopy, ownFeed } from "../../support/core_driver.ts";
import { Swarm } from "../../support/swarm.ts";

const MINUTE_MS = 60_000;

Deno.test("of a hundred named peers of which ninety are dead the others serve, and the dead rest", () => {
  const source = ownFeed(200);
  const swarm = new Swarm("many dead");
  const live = Array.from(
    { length: 10 },
    (_, i) => swarm.add(`live${i}`, { feed: source, live: true, persistent: true }),
  );
  // Half of the dead refuse at once, half let every dial wait for its end.
  const silent = Array.from({ length: 45 }, (_, i) => swarm.add(`silent${i}`, { feed: source }));
  const refused = Array.from({ length: 45 }, (_, i) => `refused${i}`);
  const options = { feed: emptyCopy(source), follow: true, live: true, persistent: true };
  const cloner = swarm.add("cloner", options);
  const parts = new Map([...live, cloner].map(({ name }) => [name, 0]));
  for (const { name } of silent) parts.set(name, 1);
  swarm.part(parts);

  const dials = new Map<string, number[]>();
  let dialling = 0;
  let most = 0;
  swarm.watch = (node, input, effects) => {
    if (node !== cloner) return;
    if (input.kind === "unreachable" || input.kind === "linked" && input.primary === 0) dialling--;
    for (const effect of effects) {
      if (effect.kind !== "dial") continue;
      most = Math.max(most, ++dialling);
      const at = dials.get(effect.address);
      if (at === undefined) dials.set(effect.address, [swarm.now]);
      else at.push(swarm.now);
    }
  };
  // The living are in the middle of the dead.
  const all = [...refused, ...[...live, ...silent].map(({ name }) => name)];
  const name = () => {
    for (const address of all) {
      swarm.give(cloner, { kind: "found", address, primary: 0, discovered: true, rank: 1 });
    }
    swarm.after(15_000, name);
  };
  swarm.give(cloner, { kind: "seek", primary: 0, seeking: true });
  name();
  const isDone = () => cloner.isComplete && cloner.feed.blocks.size === 200;
  assert.ok(swarm.run(MINUTE_MS, isDone), `${cloner.feed.blocks.size} blocks`);
  swarm.run(MINUTE_MS);
  assert.equal(cloner.core.openPeers, 10, "all that live are linked");
  swarm.run(60 * MINUTE_MS);
  assert.ok(most <= MAX_DIALS, `${most} dials at once`);
  assert.equal(dials.size, 100);
  for (const { name } of live) assert.equal(dials.get(name)!.length, 1, name);
  for (const address of [...silent.map(({ name }) => name), ...refused]) {
    const at = dials.get(address)!;
    const waits = [1, 1, 5, 15, 30, 60, 120, 240, 480, 600, 600, 600, 600, 600];
    for (const [i, time] of at.slice(1).entries()) {
      const wait = time - at[i];
      assert.ok(wait >= waits[i] * 1000, `${address} was dialled again after ${wait} ms`);
    }
    // The longest rest, its jitter, a dial that times out, and the next time it is named.
    const most = 600_000 * (1 + RETRY_JITTER) + 5000 + 16_000;
    assert.ok(swarm.now - at.at(-1)! <= most, `${address} was forgotten`);
    assert.ok(at.length <= 14, `${address}: ${at.length} dials in an hour`);
  }
});

Deno.test("a peer that restarts at another address is found there, and its link lives on", () => {
  const source = ownFeed(50);
  const swarm = new Swarm("moving");
  const options = { feed: emptyCopy(source), follow: true, live: true, persistent: true };
  const cloner = swarm.add("cloner", options);
  swarm.give(cloner, { kind: "seek", primary: 0, seeking: true });
  const isDone = () => cloner.isComplete && cloner.feed.length === source.length;
  for (let move = 0; move < 6; move++) {
    const sharer = swarm.add(`at${move}`, { feed: source, live: true, persistent: true });
    swarm.give(cloner, { kind: "found", address: sharer.name, primary: 0, discovered: true });
    assert.ok(swarm.run(5000, isDone), `move ${move}: ${cloner.feed.length} of ${source.length}`);
    swarm.remove(sharer);
    swarm.run(20_000);
    source.append(swarm.random.bytes(100));
  }
  assert.deepEqual(cloner.reports.filter(({ kind }) => kind === "alone"), []);
});

Deno.test("nobody is alone while there is a search, and is when it ends", () => {
  const source = ownFeed(5);
  const swarm = new Swarm("search");
  const cloner = swarm.add("cloner", { feed: emptyCopy(source), follow: true });
  swarm.give(cloner, { kind: "seek", primary: 0, seeking: true });
  swarm.give(cloner, { kind: "found", address: "dead", primary: 0, discovered: true });
  swarm.run(10 * MINUTE_MS);
  assert.equal(cloner.count("alone"), 0);
  swarm.give(cloner, { kind: "seek", primary: 0, seeking: false });
  assert.equal(cloner.count("alone"), 1);
});
