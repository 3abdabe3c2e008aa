/** Swarms that are drawn at random: whatever their shape, everybody gets everything, once. */
import assert from "node:assert/strict";
import { emptyCopy, ownFeed } from "../../support/core_driver.ts";
import type { MemoryFeed } from "../../support/memory_feed.ts";
import { type Node, Swarm } from "../../support/swarm.ts";

const MINUTES = 60_000;

interface Drawn {
  readonly swarm: Swarm;
  readonly source: MemoryFeed;
  readonly nodes: Node[];
}

/** 2 to 12 nodes; each but the first is linked to one before it, and to a few more. */
function draw(seed: string, options: { partial?: boolean } = {}): Drawn {
  const swarm = new Swarm(seed);
  const { random } = swarm;
  const source = ownFeed(1 + random.below(300), 1 + random.below(200));
  const nodes = [swarm.add("owner", { feed: source, live: true })];
  const count = 2 + random.below(11);
  for (let n = 1; n < count; n++) {
    const feed = emptyCopy(source);
    if (options.partial) fillPartly(feed, source, swarm);
    const node = swarm.add(`node ${n}`, { feed, live: true, follow: true });
    const linked = nodes[random.below(nodes.length)];
    swarm.connect(node, linked);
    for (const other of nodes) {
      if (random.below(4) === 0 && other !== linked) swarm.connect(node, other);
    }
    nodes.push(node);
  }
  return { swarm, source, nodes };
}

/** Some blocks of an earlier session, with their proofs. */
function fillPartly(feed: MemoryFeed, source: MemoryFeed, { random }: Swarm): void {
  const share = random.below(100);
  const blocks = [...source.blocks.keys()].filter(() => random.below(100) < share);
  if (blocks.length === 0) return;
  for (const node of source.nodes.values()) feed.nodes.set(node.index, node);
  feed.store({
    block: blocks[0],
    value: source.block(blocks[0]),
    nodes: [],
    signed: {
      length: source.length,
      byteLength: source.byteLength,
      signature: source.signature(source.length)!,
    },
  });
  for (const block of blocks) feed.blocks.set(block, source.block(block)!);
}

function isSame(node: Node, source: MemoryFeed): boolean {
  return node.feed.length === source.length && node.feed.blocks.size === source.blocks.size;
}

function assertAllSame({ nodes, source }: Drawn): void {
  for (const node of nodes) {
    assert.ok(isSame(node, source), `${node.name}: ${node.feed.blocks.size} of ${source.length}`);
    for (const [block, value] of source.blocks) assert.deepEqual(node.feed.block(block), value);
  }
}

for (let seed = 0; seed < 24; seed++) {
  Deno.test(`random swarm ${seed}: everybody gets each block once, and no more than that moves`, () => {
    const drawn = draw(`random ${seed}`);
    const { swarm, source, nodes } = drawn;
    assert.ok(swarm.run(10 * MINUTES, () => nodes.every((node) => isSame(node, source))));
    assertAllSame(drawn);
    for (const node of nodes.slice(1)) {
      assert.equal(node.count("downloaded"), source.length, node.name);
      assert.equal(node.sentOf("request"), source.length, node.name);
      assert.equal(node.count("peer-closed"), 0);
    }
    const uploaded = nodes.reduce((sum, node) => sum + node.count("uploaded"), 0);
    assert.equal(uploaded, source.length * (nodes.length - 1));
    // Besides blocks and requests: a handful for each link, and news of each block at most once.
    for (const node of nodes) {
      const links = node.count("peer-opened");
      assert.ok(node.sentOf("want") <= 2 * links);
      assert.ok(node.sentOf("have") <= links * (source.length + 3), `${node.sentOf("have")}`);
      assert.equal(node.sentOf("unhave"), 0);
    }
    swarm.run(5000);
    const messages = nodes.map(({ sent }) => sent.length);
    swarm.run(10 * MINUTES);
    assert.deepEqual(nodes.map(({ sent }) => sent.length), messages, "nothing but keepalives");
  });
}

for (let seed = 0; seed < 12; seed++) {
  Deno.test(`random swarm ${seed} that begins with parts of the feed fetches only the rest`, () => {
    const drawn = draw(`partial ${seed}`, { partial: true });
    const { swarm, source, nodes } = drawn;
    const held = nodes.map(({ feed }) => feed.blocks.size);
    assert.ok(swarm.run(10 * MINUTES, () => nodes.every((node) => isSame(node, source))));
    assertAllSame(drawn);
    for (const [n, node] of nodes.entries()) {
      assert.equal(node.count("downloaded"), source.length - held[n], node.name);
    }
  });

  Deno.test(`random swarm ${seed} whose owner goes on appending stays up to date`, () => {
    const drawn = draw(`appending ${seed}`);
    const { swarm, source, nodes } = drawn;
    const { random } = swarm;
    for (let i = 0; i < 10; i++) {
      swarm.after(random.below(20_000), () => {
        const start = source.length;
        source.append(...Array.from({ length: 1 + random.below(20) }, () => random.bytes(5)));
        swarm.give(nodes[0], { kind: "appended", feed: 0, start });
      });
    }
    swarm.run(20_000);
    assert.ok(swarm.run(10 * MINUTES, () => nodes.every((node) => isSame(node, source))));
    assertAllSame(drawn);
    for (const node of nodes.slice(1)) {
      assert.equal(node.count("downloaded"), source.length, node.name);
      assert.ok(node.isComplete);
    }
  });
}

Deno.test("two feeds travel on one link, the second joined while connected, on either side", () => {
  for (const sharerJoinsLate of [false, true]) {
    const swarm = new Swarm(`two feeds ${sharerJoinsLate}`);
    const [metadata, content] = [ownFeed(30, 1), ownFeed(200, 2)];
    const sharer = swarm.add("sharer", {
      feed: metadata,
      content: sharerJoinsLate ? undefined : content,
      live: true,
    });
    const cloner = swarm.add("cloner", { feed: emptyCopy(metadata), live: true, follow: true });
    const other = swarm.add("other", { feed: emptyCopy(metadata), live: true, follow: true });
    const copies = [cloner, other].map((node) => ({ node, copy: emptyCopy(content) }));
    swarm.connect(cloner, sharer, 20);
    swarm.connect(other, cloner, 20);
    assert.ok(swarm.run(MINUTES, () => cloner.isComplete && other.isComplete));
    for (const { node, copy } of copies) {
      swarm.join(node, 1, copy);
      swarm.give(node, { kind: "want", feed: 1, ranges: [{ start: 10, end: 190 }] });
      swarm.run(1000);
    }
    if (sharerJoinsLate) swarm.join(sharer, 1, content);
    const done = () => copies.every(({ copy }) => copy.blocks.size === 180);
    assert.ok(swarm.run(MINUTES, done), `${copies.map(({ copy }) => copy.blocks.size)}`);
    swarm.run(100);
    for (const { node, copy } of copies) {
      for (let block = 10; block < 190; block++) {
        assert.deepEqual(copy.block(block), content.block(block));
      }
      assert.equal(node.count("downloaded"), 30 + 180);
      assert.equal(node.count("peer-closed"), 0);
      const complete = node.reports.filter((report) => report.kind === "complete");
      assert.deepEqual(complete.at(-1), { kind: "complete", feed: 1 });
    }
  }
});
