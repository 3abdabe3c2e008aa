/** Comparing a peer's history with our own: what is asked, what is told, and what is concluded. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ForkError, ProofError } from "../../../src/base/errors.ts";
import { toUtf8 } from "../../../src/base/bytes.ts";
import { prove } from "../../../src/core/feed/prove.ts";
import { verifyData } from "../../../src/core/feed/verify.ts";
import { REQUEST_MS, WANT_BLOCKS } from "../../../src/core/sync/limits.ts";
import { BlankFeed, compareHistories, type Comparison } from "../../../src/core/sync/probe.ts";
import { encodeHaveRuns } from "../../../src/core/wire/have_bitfield.ts";
import type { Data } from "../../../src/core/wire/messages.ts";
import { answerFor, CoreDriver, emptyCopy, ownFeed } from "../../support/core_driver.ts";
import { MemoryFeed } from "../../support/memory_feed.ts";
import { Swarm } from "../../support/swarm.ts";

const KEY = 1;

/** A feed of our key with a block for each letter; `/` ends a batch, signed in between or not. */
function history(letters: string, key = KEY): MemoryFeed {
  const feed = MemoryFeed.owned(key);
  for (const batch of letters.split("/")) {
    if (batch !== "") feed.append(...[...batch].map((letter) => toUtf8(letter)));
  }
  return feed;
}

/** What somebody with these blocks would send for the last of them, or for another. */
function proofOf(feed: MemoryFeed, block = feed.length - 1): Data {
  const proof = prove(feed, { block, hashOnly: true, digest: 0 })!;
  return { type: "data", index: block, ...proof };
}

function compare(ours: MemoryFeed, theirs: MemoryFeed, block?: number): Comparison {
  const proof = verifyData(new BlankFeed(theirs.publicKey), proofOf(theirs, block));
  return compareHistories(ours, proof);
}

const COMPARED: readonly [ours: string, theirs: string, Comparison][] = [
  ["abc", "abc", { kind: "same" }],
  ["abc", "ab/c", { kind: "same" }],
  ["abc/d", "abc", { kind: "behind", length: 3 }],
  ["abcdefg", "a", { kind: "behind", length: 1 }],
  ["abcd", "abcdefg", { kind: "ahead", length: 7 }],
  ["", "abc", { kind: "ahead", length: 3 }],
  ["abc", "abd", { kind: "forked", length: 3 }],
  ["abc", "xbc", { kind: "forked", length: 3 }],
  ["abcde", "xbc", { kind: "forked", length: 3 }],
  ["abcd", "abxde", { kind: "forked", length: 5 }],
];

for (const [ours, theirs, expected] of COMPARED) {
  Deno.test(`blocks ${ours || "none"} and the last proof of ${theirs}: ${expected.kind}`, () => {
    assert.deepEqual(compare(history(ours), history(theirs)), expected);
  });
}

Deno.test("a last proof that passes our roots by is unclear, and that of our last block is not", () => {
  const ours = history("abc");
  assert.deepEqual(compare(ours, history("abcdefgh")), { kind: "unclear", length: 8 });
  assert.deepEqual(compare(ours, history("abcdefgh"), 2), { kind: "ahead", length: 8 });
  assert.deepEqual(compare(ours, history("xbcdefgh"), 2), { kind: "forked", length: 8 });
});

Deno.test("the comparison over our last block finds any difference, and nothing else", () => {
  const letters = fc.array(fc.constantFrom("a", "b"), { minLength: 1, maxLength: 40 });
  fc.assert(fc.property(letters, letters, (a, b) => {
    const [ours, theirs] = [history(a.join("")), history(b.join(""))];
    const common = Math.min(a.length, b.length);
    const found = compare(ours, theirs, common - 1);
    const agree = a.slice(0, common).join("") === b.slice(0, common).join("");
    const order = Math.sign(b.length - a.length);
    assert.equal(found.kind, agree ? ["behind", "same", "ahead"][order + 1] : "forked");
  }));
});

Deno.test("damage to our own tree is not taken for another history", () => {
  const ours = history("abcdef");
  ours.nodes.set(1, { ...ours.node(1)!, hash: new Uint8Array(32) });
  assert.deepEqual(compare(ours, history("ab")), { kind: "damaged", node: 1 });
  const unsigned = history("abcdef");
  unsigned.signatures.clear();
  assert.deepEqual(compare(unsigned, history("xbc")).kind, "damaged");
});

Deno.test("nodes that are not here leave it open", () => {
  const ours = history("abcdef");
  ours.nodes.delete(1);
  assert.deepEqual(compare(ours, history("ab")), { kind: "unclear", length: 2 });
});

/** A core that compares `ours` with a remote that is another core; gives what was found. */
function swarmComparison(ours: MemoryFeed, theirs: MemoryFeed): Comparison[] {
  const swarm = new Swarm("probe");
  const blank = new MemoryFeed(ours.publicKey);
  const prober = swarm.add("prober", { feed: blank });
  const remote = swarm.add("remote", { feed: theirs, live: true });
  swarm.give(prober, { kind: "probe", feed: 0, against: ours });
  swarm.connect(prober, remote);
  const found = () => prober.reports.flatMap((report) => report.kind === "probed" ? report : []);
  swarm.run(10_000, () => found().length > 0);
  assert.equal(remote.count("peer-finished"), 0);
  assert.equal(blank.length, 0, "nothing was taken in");
  swarm.give(prober, { kind: "stop" });
  swarm.run(5000);
  assert.equal(remote.count("peer-finished"), 0, "nobody is told that a download is done");
  assert.equal(prober.count("peer-closed"), 1);
  return found().map(({ found }) => found);
}

const OVER_A_LINK: readonly [ours: string, theirs: string, Comparison][] = [
  ["abc", "", { kind: "nothing" }],
  ["abc", "abc", { kind: "same" }],
  ["abcd", "abc", { kind: "behind", length: 3 }],
  ["abc", "abcdefgh", { kind: "ahead", length: 8 }],
  ["abcd", "abcde", { kind: "ahead", length: 5 }],
  ["abc", "xbcdefgh", { kind: "forked", length: 8 }],
  ["abc", "abd", { kind: "forked", length: 3 }],
  ["abcdefgh", "xbc", { kind: "forked", length: 3 }],
];

for (const [ours, theirs, expected] of OVER_A_LINK) {
  Deno.test(`a peer with ${theirs || "nothing"} is found ${expected.kind} by one with ${ours}`, () => {
    assert.deepEqual(swarmComparison(history(ours), history(theirs)), [expected]);
  });
}

Deno.test("a copy with holes that lacks our last block leaves it unclear", () => {
  const ours = history("abc");
  const sparse = emptyCopy(ours);
  const owner = history("abcdefgh");
  sparse.store(verifyData(sparse, answerFor(owner, sparse, 7)));
  assert.deepEqual(swarmComparison(ours, sparse), [{ kind: "unclear", length: 8 }]);
});

/** A core that compares `ours`, and a scripted remote that shook hands. */
function probing(ours: MemoryFeed): CoreDriver {
  const driver = new CoreDriver(emptyCopy(ours), { live: false });
  driver.give({ kind: "probe", feed: 0, against: ours });
  driver.dial(1);
  return driver;
}

/** The remote tells that it holds the first `length` blocks. */
function tell(driver: CoreDriver, length: number): void {
  driver.have(1, length - 1);
  const bitfield = encodeHaveRuns([{ start: 0, end: length }], WANT_BLOCKS);
  driver.say(1, { type: "have", start: 0, length: WANT_BLOCKS, bitfield, ack: false });
}

function found(driver: CoreDriver): Comparison[] {
  return driver.reportsOf("probed").map(({ found }) => found);
}

Deno.test("a peer is asked for hashes alone, with nothing taken for granted, and told nothing", () => {
  const ours = history("abc");
  const driver = probing(ours);
  driver.news();
  driver.say(1, { type: "want", start: 0, length: WANT_BLOCKS });
  driver.have(1, 2);
  assert.deepEqual(driver.newsOf(1, "request"), [], "not before the peer told all it has");
  const bitfield = new Uint8Array(0); // what it said before was wrong
  driver.say(1, { type: "have", start: 0, length: WANT_BLOCKS, bitfield, ack: false });
  assert.deepEqual(found(driver), [{ kind: "nothing" }]);
  const haves = driver.newsOf(1, "have");
  assert.ok(haves.length > 0 && haves.every((have) => have.bitfield?.length === 0));

  const another = probing(ours);
  tell(another, 3);
  assert.deepEqual(another.newsOf(1, "request"), [
    { type: "request", index: 2, bytes: 0, hash: true, nodes: 0 },
  ]);
  another.say(1, proofOf(history("abc")));
  assert.deepEqual(found(another), [{ kind: "same" }]);
  another.have(1, 9);
  another.pass(5000, 1);
  assert.equal(another.newsOf(1, "request").length, 1, "once is enough");
});

const GARBAGE: readonly [string, (good: Data, ours: MemoryFeed) => Data][] = [
  ["another signature", (good) => ({ ...good, signature: new Uint8Array(64).fill(7) })],
  ["no signature", (good) => ({ ...good, signature: undefined })],
  ["no nodes", (good) => ({ ...good, nodes: [] })],
  [
    "a changed hash",
    (good) => ({
      ...good,
      nodes: good.nodes.map((node, i) => i === 1 ? { ...node, hash: new Uint8Array(32) } : node),
    }),
  ],
  ["a feed of another key", () => proofOf(history("abc", 2))],
  // What we hold ourselves must not fill the gaps of a forgery.
  ["only what we have besides", (_, ours) => ({ ...proofOf(ours), nodes: [ours.node(4)!] })],
];

for (const [what, forge] of GARBAGE) {
  Deno.test(`a peer that proves its last block with ${what} is dropped, and no fork is seen`, () => {
    const ours = history("abc");
    const driver = probing(ours);
    tell(driver, 3);
    driver.say(1, forge(proofOf(history("xbc")), ours));
    assert.deepEqual(found(driver), []);
    assert.ok(driver.ended.get(1) instanceof ProofError);
    assert.deepEqual(driver.reportsOf("forked"), []);
  });
}

Deno.test("a peer that withdraws what it claimed is asked for less, and not without end", () => {
  const driver = probing(history("abc"));
  tell(driver, 12);
  for (let block = 11; found(driver).length === 0; block--) {
    assert.equal(driver.newsOf(1, "request").at(-1)?.index, block);
    driver.say(1, { type: "unhave", start: block, length: 1 });
  }
  assert.deepEqual(found(driver), [{ kind: "unproven" }]);
  assert.equal(driver.newsOf(1, "request").length, 5);
  assert.equal(driver.ended.size, 0);
});

Deno.test("a longer history counts, even if the peer takes our last block back", () => {
  const driver = probing(history("abc"));
  tell(driver, 8);
  driver.say(1, proofOf(history("abcdefgh")));
  assert.equal(driver.newsOf(1, "request").at(-1)?.index, 2);
  driver.say(1, { type: "unhave", start: 2, length: 1 });
  assert.deepEqual(found(driver), [{ kind: "unclear", length: 8 }]);
});

Deno.test("a peer that does not answer is given up", () => {
  const driver = probing(history("abc"));
  tell(driver, 3);
  driver.pass(REQUEST_MS + 1000, 1);
  assert.ok(driver.ended.has(1));
  assert.deepEqual(found(driver), []);
});

Deno.test("an unasked proof is no answer", () => {
  const driver = probing(history("abc"));
  driver.say(1, proofOf(history("xbc")));
  assert.deepEqual(found(driver), []);
  assert.equal(driver.ended.size, 0);
});

// While sharing: only who claims more than the owner has is asked for a proof.

/** The owner's core, serving, and a remote that says it holds so many blocks. */
function serving(ours: MemoryFeed, claimed: number): CoreDriver {
  const driver = new CoreDriver(ours);
  driver.open(1);
  driver.news();
  driver.have(1, 0, claimed);
  return driver;
}

const MET_BY_OWNER = [["abcdef", /2 newer blocks/], ["xbcdef", /another history/]] as const;

for (const [theirs, words] of MET_BY_OWNER) {
  Deno.test(`an owner who meets a peer with ${theirs} takes no further part`, () => {
    const driver = serving(history("abcd"), 6);
    assert.deepEqual(driver.newsOf(1, "request"), [
      { type: "request", index: 5, bytes: 0, hash: true, nodes: 0 },
    ]);
    driver.say(1, proofOf(history(theirs)));
    const [{ error }] = driver.reportsOf("forked");
    assert.ok(error instanceof ForkError);
    assert.equal(error.code, "fork");
    assert.match(error.message, words);
    assert.match(error.message, /peer 1 has/);
    assert.ok(error.hint);
  });
}

Deno.test("an owner asks no peer for a proof that claims as much as there is, or less", () => {
  for (const claimed of [1, 2, 3]) {
    const driver = serving(history("abc"), claimed);
    driver.pass(5000, 1);
    assert.deepEqual(driver.newsOf(1, "request"), []);
  }
});

Deno.test("an owner drops who claims more and proves it badly, and goes on", () => {
  const driver = serving(history("abc"), 5);
  driver.say(1, { ...proofOf(history("abcde")), signature: new Uint8Array(64) });
  assert.ok(driver.ended.get(1) instanceof ProofError);
  assert.deepEqual(driver.reportsOf("forked"), []);
  driver.open(2);
  driver.ask(2, 1);
  assert.equal(driver.newsOf(2, "data").length, 1);
});

Deno.test("an owner asks a peer that takes its claims back a few times and then lets it be", () => {
  const driver = serving(history("abc"), 40);
  for (let round = 0; round < 20; round++) {
    const last = driver.newsOf(1, "request").at(-1)!.index;
    driver.say(1, { type: "unhave", start: last, length: 1 });
  }
  assert.equal(driver.newsOf(1, "request").length, 5);
  assert.equal(driver.ended.size, 0);
});

Deno.test("an owner that was added to meanwhile sees no fork in its own blocks", () => {
  const ours = history("abc");
  const driver = serving(ours, 4);
  ours.append(toUtf8("d"));
  driver.say(1, proofOf(history("abc/d")));
  assert.deepEqual(driver.reportsOf("forked"), []);
  assert.equal(driver.ended.size, 0);
});

Deno.test("an owner asks each peer once what it has of the primary feed, and of no other", () => {
  const driver = new CoreDriver(history("abc"));
  driver.join(1, history("xyz", 2), 0);
  driver.open(1);
  driver.name(1, 1, 1);
  driver.have(1, 0, 3);
  driver.pass(10_000, 1);
  const wants = driver.sent.filter(({ message }) => message.type === "want");
  assert.deepEqual(wants, [
    { peer: 1, channel: 0, message: { type: "want", start: 0, length: WANT_BLOCKS } },
  ]);
});

Deno.test("who does not own the feed asks nobody to justify what he claims", () => {
  const copy = emptyCopy(ownFeed(3));
  const driver = serving(copy, 5);
  assert.deepEqual(driver.newsOf(1, "request"), []);
});
