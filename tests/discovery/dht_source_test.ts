/** How a DHT source gets into its network, with a node that does what the test says. */
import assert from "node:assert/strict";
import type { DhtNode, PeerVisit, Visit } from "../../src/discovery/dht_node.ts";
import { DhtSource, type DhtSourceOptions } from "../../src/discovery/dht_source.ts";
import { Topic } from "../../src/discovery/topic.ts";
import type { HostPort } from "../../src/io/peer_address.ts";
import { Listener } from "../support/dht.ts";
import { tempFolder } from "../support/temp.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const TOPIC = new Topic(new Uint8Array(32).fill(7));
const LOOKUP = { lookup: true, announce: undefined };
const BOTH = { lookup: true, announce: 3282 };

class ScriptedNode implements DhtNode {
  /** Whether anybody answers. */
  isHeard = false;
  /** A visit lasts until its signal. */
  isSlow = false;
  known: HostPort[] = [];
  readonly entered: string[] = [];
  readonly visited: (number | undefined)[] = [];
  readonly withdrawn: number[] = [];
  closed = 0;

  enter(nodes: readonly HostPort[], { onAnswer }: Visit): Promise<void> {
    this.entered.push(nodes.map(({ host, port }) => `${host}:${port}`).join(" "));
    if (this.isHeard) onAnswer();
    return Promise.resolve();
  }

  visit({ announce, signal, onAnswer, onAddress }: PeerVisit): Promise<void> {
    this.visited.push(announce);
    if (this.isHeard) {
      onAnswer();
      onAddress({ host: "8.8.4.4", port: 3282 }, "8.8.8.8");
    }
    if (!this.isSlow) return Promise.resolve();
    return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
  }

  withdraw(_target: Uint8Array, port: number, { signal }: Visit): Promise<void> {
    this.withdrawn.push(port);
    return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
  }

  nodes(): HostPort[] {
    return this.known;
  }

  close(): Promise<void> {
    this.closed++;
    return Promise.resolve();
  }
}

/** Lets what waits for promises go on, as far as it goes. */
async function settle(): Promise<void> {
  for (let i = 0; i < 40; i++) await Promise.resolve();
}

function setUp(options: Partial<DhtSourceOptions> = {}) {
  const clock = new VirtualClock();
  const heard = new Listener(clock);
  heard.random = () => 0;
  const node = new ScriptedNode();
  const source = new DhtSource({
    name: "dht",
    entries: [{ host: "one.example", port: 6881 }, { host: "two.example", port: 6882 }],
    resolve: (name) => Promise.resolve([name === "one.example" ? "8.8.8.8" : "8.8.4.4"]),
    open: () => Promise.resolve(node),
    targetOf: ({ infoHash }) => infoHash,
    period: { least: 600_000, spread: 300_000 },
    ...options,
  }, heard);
  const runTo = async (time: number) => {
    await settle();
    while (clock.now() < time) {
      clock.runTo(Math.min(time, clock.now() + 500));
      await settle();
    }
  };
  const state = () => {
    const { state, message } = source.stateOf(TOPIC);
    return `${state}: ${message}`;
  };
  return { clock, heard, node, source, runTo, state };
}

Deno.test("A source asks the bootstrap nodes, then for its topics", async () => {
  const { clock, heard, node, source, runTo, state } = setUp();
  node.isHeard = true;
  source.join(TOPIC, BOTH);
  assert.equal(state(), "waiting: asked nobody yet");
  await runTo(1);
  assert.deepEqual(node.entered, ["8.8.8.8:6881 8.8.4.4:6882"]);
  assert.deepEqual(node.visited, [3282]);
  assert.equal(state(), "working: 1 node answered, 1 address");
  assert.deepEqual(heard.told, ["07 8.8.4.4:3282 8.8.8.8"]);
  const closing = source.close();
  assert.deepEqual(node.withdrawn, [3282]);
  await runTo(1501);
  await closing;
  assert.equal(node.closed, 1);
  assert.equal(clock.timers, 0);
});

Deno.test("Eight seconds without an answer are a failure, and no reason to give up", async () => {
  const { clock, node, source, runTo, state } = setUp();
  source.join(TOPIC, LOOKUP);
  await runTo(7_500);
  assert.equal(state(), "waiting: asked 2 nodes");
  await runTo(8_000);
  assert.equal(state(), "failed: none of 2 bootstrap nodes answered");
  // At 0, 2, 6, 14, 30, 62, 126, 254 and 510 seconds, then every five minutes.
  await runTo(1_110_000);
  assert.equal(node.entered.length, 11);
  assert.deepEqual(node.visited, []);
  node.isHeard = true;
  await runTo(1_410_000);
  assert.equal(state(), "working: 1 node answered, 1 address");
  await source.close();
  assert.equal(clock.timers, 0);
});

Deno.test("Names without an address are told at once, and asked for again", async () => {
  let isThere = false;
  const { node, source, runTo, state } = setUp({
    resolve: () => isThere ? Promise.resolve(["8.8.8.8"]) : Promise.reject(new Error("no such")),
  });
  source.join(TOPIC, LOOKUP);
  await runTo(1);
  assert.equal(state(), "failed: cannot resolve one.example and two.example");
  [isThere, node.isHeard] = [true, true];
  await runTo(2_000);
  assert.equal(state(), "working: 1 node answered, 1 address");
  await source.close();
});

Deno.test("A name server that says nothing holds up nothing but its name", async () => {
  const { node, source, runTo } = setUp({
    resolve: (name) =>
      name === "one.example" ? new Promise<never>(() => {}) : Promise.resolve(["8.8.4.4"]),
  });
  node.isHeard = true;
  source.join(TOPIC, LOOKUP);
  await runTo(5_000);
  assert.deepEqual(node.entered, ["8.8.4.4:6882"]);
  await source.close();
});

Deno.test("Without a node there is a reason, and another attempt", async () => {
  let isThere = false;
  const node = new ScriptedNode();
  node.isHeard = true;
  const { source, runTo, state } = setUp({
    open: () =>
      isThere
        ? Promise.resolve(node)
        : Promise.reject(new Error("cannot open a UDP port: bind EMFILE")),
  });
  source.join(TOPIC, LOOKUP);
  await runTo(1);
  assert.equal(state(), "failed: cannot open a UDP port: bind EMFILE");
  isThere = true;
  await runTo(2_000);
  assert.equal(state(), "working: 1 node answered, 1 address");
  await source.close();
});

Deno.test("When nobody answers any more the network is entered again", async () => {
  const { node, source, runTo, state } = setUp();
  node.isHeard = true;
  source.join(TOPIC, LOOKUP);
  await runTo(1);
  node.isHeard = false;
  await runTo(60_000); // the second round
  assert.equal(node.entered.length, 2);
  await runTo(68_000);
  assert.equal(state(), "failed: none of 2 bootstrap nodes answered");
  node.isHeard = true;
  await runTo(80_000);
  assert.equal(state(), "working: 1 node answered, 1 address");
  await source.close();
});

Deno.test("Nodes that answered are kept for the next run", async () => {
  using temp = tempFolder();
  const first = setUp({ folder: temp.path });
  first.node.isHeard = true;
  first.node.known = [{ host: "8.8.1.1", port: 7 }];
  first.source.join(TOPIC, LOOKUP);
  await first.runTo(1);
  await first.source.close();
  const second = setUp({ folder: temp.path, entries: [] });
  second.source.join(TOPIC, LOOKUP);
  await second.runTo(8_000);
  assert.equal(second.node.entered[0], "8.8.1.1:7");
  assert.equal(second.state(), "failed: the one node did not answer");
  await second.source.close();
});

Deno.test("A source can be closed at any moment, also before anything began", async () => {
  const { source, node } = setUp();
  await source.close();
  source.join(TOPIC, BOTH);
  assert.deepEqual(node.entered, []);
  for (const time of [0, 1, 3_000]) {
    const { clock, source, node, runTo } = setUp();
    node.isSlow = true;
    node.isHeard = time > 0;
    source.join(TOPIC, LOOKUP);
    if (time > 0) await runTo(time);
    await source.close();
    assert.equal(clock.timers, 0);
  }
});

Deno.test("A topic that is left is withdrawn", async () => {
  const { node, source, runTo } = setUp();
  node.isHeard = true;
  source.join(TOPIC, BOTH);
  await runTo(1);
  source.leave(TOPIC);
  assert.deepEqual(node.withdrawn, [3282]);
  await runTo(1_501);
  await source.close();
  assert.deepEqual(node.withdrawn, [3282]);
});
