import assert from "node:assert/strict";
import { ProofError, TroveError } from "../../../src/base/errors.ts";
import {
  BAN_MS,
  CLOSING_MS,
  FRAME_MS,
  HANDSHAKE_MS,
  KEEPALIVE_MS,
  MIN_ANSWER_BYTES,
  REQUEST_MS,
  RETRY_JITTER,
  RETRY_MS,
  SILENCE_MS,
  TICK_MS,
  WRITE_MS,
} from "../../../src/core/sync/limits.ts";
import { answerFor, CoreDriver, emptyCopy, ownFeed } from "../../support/core_driver.ts";

const PEER = 1;

function failure(driver: CoreDriver, peer = PEER): string {
  const reason = driver.ended.get(peer);
  assert.ok(reason instanceof TroveError, `the link is still there: ${reason}`);
  return reason.message;
}

/** Somebody who waits for the answer to requests for `blocks` blocks. */
function waiting(blocks: number): CoreDriver {
  const source = ownFeed(blocks);
  const driver = new CoreDriver(emptyCopy(source), { follow: true });
  driver.open(PEER);
  driver.have(PEER, 0, blocks);
  return driver;
}

Deno.test("a remote that does not shake hands in time is dropped, and one that does is not", () => {
  const driver = new CoreDriver(ownFeed(1));
  driver.give({ kind: "linked", peer: PEER, address: "slow" });
  driver.name(PEER, 0, 0);
  driver.open(2);
  driver.pass(HANDSHAKE_MS - TICK_MS, PEER, 2);
  assert.equal(driver.ended.size, 0);
  driver.pass(TICK_MS, PEER, 2);
  assert.match(failure(driver), /shake hands/);
  assert.equal(driver.ended.has(2), false);
});

Deno.test("a remote that may be busy first is late with nothing before its first byte", () => {
  const driver = new CoreDriver(ownFeed(1));
  for (const peer of [PEER, 2]) {
    driver.give({ kind: "linked", peer, address: "pipe", primary: 0, patient: true });
  }
  driver.pass(3_600_000);
  assert.equal(driver.ended.size, 0);
  driver.give({ kind: "heard", peer: PEER, partialBytes: 0 });
  driver.pass(HANDSHAKE_MS - TICK_MS);
  assert.equal(driver.ended.size, 0);
  driver.pass(TICK_MS);
  assert.match(failure(driver), /shake hands/);
  assert.equal(driver.ended.has(2), false);
});

Deno.test("a silent peer is dropped, one that only sends keepalives is not", () => {
  const driver = new CoreDriver(ownFeed(1));
  driver.open(PEER);
  driver.open(2);
  driver.pass(SILENCE_MS - TICK_MS, 2);
  assert.equal(driver.ended.size, 0);
  driver.pass(TICK_MS, 2);
  assert.match(failure(driver), /hear/);
  driver.pass(3_600_000, 2);
  assert.equal(driver.ended.has(2), false);
});

Deno.test("something is sent at least every five seconds, and no keepalive beside messages", () => {
  const driver = new CoreDriver(ownFeed(1));
  driver.open(PEER);
  driver.pass(60_000, PEER);
  const idle = driver.keepalives.length;
  assert.ok(idle >= 12, `${idle} in a minute`);
  for (let i = 0; i < 60; i++) {
    driver.ask(PEER, 0);
    driver.pass(Math.floor(KEEPALIVE_MS / 2), PEER);
  }
  assert.equal(driver.keepalives.length, idle);
});

Deno.test("the oldest request must be answered, or the peer is dropped and may be dialled again", () => {
  const driver = waiting(3);
  driver.pass(REQUEST_MS - TICK_MS, PEER);
  assert.equal(driver.ended.size, 0);
  driver.pass(TICK_MS, PEER);
  assert.match(failure(driver), /answer/);
});

Deno.test("each request has its time from when it is the oldest", () => {
  const source = ownFeed(10);
  const copy = emptyCopy(source);
  const driver = new CoreDriver(copy, { follow: true });
  driver.open(PEER);
  driver.have(PEER, 0, 10);
  for (let index = 0; index < 10; index++) {
    driver.pass(REQUEST_MS - TICK_MS, PEER);
    driver.say(PEER, answerFor(source, copy, index));
  }
  assert.deepEqual(driver.ended, new Map(), "slow, but going on");
  assert.equal(copy.blocks.size, 10);
});

Deno.test("an answer on its way is waited for, a few bytes of something are not an answer", () => {
  for (const [bytes, patient] of [[MIN_ANSWER_BYTES, true], [10, false]] as const) {
    const driver = waiting(3);
    for (let total = bytes; driver.now < FRAME_MS - TICK_MS; total += patient ? 2000 : 1) {
      driver.give({ kind: "heard", peer: PEER, partialBytes: total });
      driver.pass(TICK_MS);
    }
    assert.equal(driver.ended.has(PEER), !patient, `${bytes} bytes`);
  }
});

Deno.test("a frame that trickles is given up, one that arrives steadily is not", () => {
  for (const [bytesPerSecond, patient] of [[900, false], [2000, true]] as const) {
    const driver = new CoreDriver(ownFeed(1));
    driver.open(PEER);
    for (let total = 1; driver.now < 5 * FRAME_MS; total += bytesPerSecond) {
      driver.give({ kind: "heard", peer: PEER, partialBytes: total });
      driver.pass(TICK_MS);
    }
    assert.equal(driver.ended.has(PEER), !patient);
    if (!patient) assert.match(failure(driver), /frame/);
  }
});

Deno.test("frame after frame is no trickle, though a part of the next is always there", () => {
  const source = ownFeed(1);
  const driver = new CoreDriver(source);
  driver.open(PEER);
  for (let i = 0; i < 5 * FRAME_MS / TICK_MS; i++) {
    driver.give({
      kind: "message",
      peer: PEER,
      channel: 0,
      message: { type: "info", uploading: true, downloading: true },
    });
    driver.give({ kind: "heard", peer: PEER, partialBytes: 10 });
    driver.pass(TICK_MS);
  }
  assert.equal(driver.ended.size, 0);
});

Deno.test("a peer that takes nothing is dropped, one that takes a little at a time is not", () => {
  const driver = new CoreDriver(ownFeed(1), { stuck: true });
  for (const peer of [1, 2]) driver.open(peer);
  while (driver.now < 3 * WRITE_MS) {
    driver.give({ kind: "flushed", peer: 2, bytes: 1 });
    driver.pass(TICK_MS, 1, 2);
    if (driver.now < WRITE_MS) assert.equal(driver.ended.size, 0);
  }
  assert.match(failure(driver), /send/);
  assert.equal(driver.ended.has(2), false);
});

Deno.test("what goes out and what is taken add up, so that an idle peer is never late", () => {
  const feed = ownFeed(20);
  const driver = new CoreDriver(feed);
  driver.open(PEER);
  for (let i = 0; i < 200; i++) driver.ask(PEER, i % 20);
  driver.say(PEER, { type: "want", start: 0, length: 8192 });
  driver.say(PEER, { type: "request", index: 99, bytes: 0, hash: false, nodes: 0 });
  driver.pass(3 * WRITE_MS, PEER);
  assert.equal(driver.ended.size, 0);
});

Deno.test("after a gap nobody is to blame for the time that is missing", () => {
  for (const gap of [4000, 25_000, 7 * 3_600_000]) {
    const driver = waiting(3);
    driver.give({ kind: "linked", peer: 2, address: "greeting" });
    driver.pass(3000, PEER);
    driver.now += gap;
    driver.give({ kind: "tick" });
    assert.deepEqual(driver.ended, new Map(), `${gap} ms`);
    driver.pass(SILENCE_MS);
    assert.deepEqual([...driver.ended.keys()].sort(), [1, 2], "but what is late is late");
  }
});

Deno.test("a machine that is always late still notices who is gone", () => {
  const driver = waiting(3);
  for (let tick = 0; tick < 25; tick++) {
    driver.now += 10_000;
    driver.give({ kind: "tick" });
  }
  assert.equal(driver.ended.has(PEER), true);
});

Deno.test("a link that does not end by itself is cut", () => {
  const driver = new CoreDriver(ownFeed(1));
  driver.open(PEER);
  driver.give({ kind: "stop" });
  assert.equal(driver.ended.get(PEER), "done");
  driver.now += CLOSING_MS;
  const effects = driver.give({ kind: "tick" });
  assert.deepEqual(effects, [{ kind: "unlink", peer: PEER, reason: "closed" }]);
});

Deno.test("the first reason for an end is the one that is told", () => {
  const driver = waiting(3);
  driver.say(PEER, { type: "data", index: 0, value: new Uint8Array(9), nodes: [] });
  driver.give({
    kind: "unlinked",
    peer: PEER,
    reason: new TroveError("Cannot keep the connection"),
  });
  const [{ reason }] = driver.reportsOf("peer-closed");
  assert.ok(reason instanceof ProofError);
});

/** Dial an address, and let every link or dial come to the same end. */
function redial(
  driver: CoreDriver,
  end: (peer: number) => void,
  seconds = 200,
): { dials: number; alone: number } {
  driver.give({ kind: "found", address: "there", primary: 0 });
  let dials = 0;
  for (let peer = 10; driver.now < seconds * 1000;) {
    for (; dials < driver.dials.length; dials++) end(peer++);
    driver.pass(TICK_MS);
  }
  return { dials, alone: driver.reportsOf("alone").length };
}

Deno.test("an address that fails is dialled again after each wait, then we are alone", () => {
  const driver = new CoreDriver(ownFeed(1));
  const refused = () =>
    driver.give({ kind: "unreachable", address: "there", primary: 0, reason: "refused" });
  assert.deepEqual(redial(driver, refused), { dials: 1 + RETRY_MS.length, alone: 1 });
  const waits = driver.reportsOf("peer-failed").map(({ retryMs }) => retryMs);
  assert.equal(waits.pop(), undefined);
  for (const [i, wait] of RETRY_MS.entries()) {
    const longest = wait * (1 + RETRY_JITTER);
    assert.ok(
      waits[i]! >= wait && waits[i]! <= longest,
      `${waits[i]}: so that not all come at once`,
    );
  }
  assert.ok(waits.some((wait, i) => wait !== RETRY_MS[i]));
});

Deno.test("one that hangs up before the handshake is asked less often, after it as often", () => {
  const greeting = new CoreDriver(ownFeed(1));
  const { dials } = redial(greeting, (peer) => {
    greeting.give({ kind: "linked", peer, address: "there", primary: 0 });
    greeting.unlinked(peer);
  });
  assert.ok(dials < 1 + RETRY_MS.length, `${dials}`);
  const open = new CoreDriver(ownFeed(1));
  const result = redial(open, (peer) => {
    open.dial(peer, { address: "there" });
    open.unlinked(peer);
  });
  assert.deepEqual(result, { dials: 1 + RETRY_MS.length, alone: 1 }, "not for ever");
});

Deno.test("one that was of use is dialled again as if it had never failed", () => {
  const driver = new CoreDriver(ownFeed(3));
  const { dials } = redial(driver, (peer) => {
    driver.dial(peer, { address: "there" });
    driver.ask(peer, 1);
    driver.unlinked(peer);
  });
  assert.ok(dials > 50, `${dials}`);
});

Deno.test("one that breaks the protocol is not dialled again, and neither is one that is done", () => {
  const breaking = new CoreDriver(ownFeed(1), { persistent: true, live: false });
  const broken = redial(breaking, (peer) => {
    breaking.dial(peer, { address: "there" });
    breaking.have(peer, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
    for (let i = 0; i < 40; i++) breaking.ask(peer, 7);
    breaking.unlinked(peer);
  });
  assert.deepEqual(broken, { dials: 1, alone: 1 });
  const finishing = new CoreDriver(ownFeed(1));
  const finished = redial(finishing, (peer) => {
    finishing.dial(peer, { address: "there", live: false });
    finishing.say(peer, { type: "info", uploading: true, downloading: false });
    finishing.unlinked(peer);
  });
  assert.deepEqual(finished, { dials: 1, alone: 1 });
});

Deno.test("who stays for ever asks again where somebody broke the protocol, or was done", () => {
  const breaking = new CoreDriver(ownFeed(1), { persistent: true });
  const at: number[] = [];
  const broken = redial(breaking, (peer) => {
    at.push(breaking.now);
    breaking.dial(peer, { address: "there" });
    for (let i = 0; i < 40; i++) breaking.ask(peer, 7);
    breaking.unlinked(peer);
  });
  assert.equal(broken.alone, 0);
  assert.ok(at.length > 1 && at.slice(1).every((time, i) => time - at[i] >= BAN_MS), `${at}`);
  const finishing = new CoreDriver(ownFeed(1), { persistent: true });
  const finished = redial(finishing, (peer) => {
    finishing.dial(peer, { address: "there", live: false });
    finishing.say(peer, { type: "info", uploading: true, downloading: false });
    finishing.unlinked(peer);
  });
  assert.equal(finished.alone, 0);
  assert.ok(finished.dials > RETRY_MS.length, `${finished.dials}`);
});

Deno.test("nobody is dialled after stop", () => {
  const driver = new CoreDriver(ownFeed(1), { persistent: true });
  driver.give({ kind: "stop" });
  driver.give({ kind: "found", address: "there", primary: 0 });
  driver.give({ kind: "unreachable", address: "there", primary: 0, reason: "refused" });
  driver.pass(60_000);
  assert.deepEqual(driver.dials, []);
  assert.deepEqual(driver.reportsOf("alone"), []);
});
