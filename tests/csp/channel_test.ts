import assert from "node:assert/strict";
import { Channel } from "../../src/csp/channel.ts";
import { select, trySelect } from "../../src/csp/select.ts";
import { Ticker } from "../../src/csp/ticker.ts";

Deno.test("Channel makes the sender wait at its capacity and keeps the order", async () => {
  const channel = new Channel<number>(2);
  assert.equal(channel.trySend(1), true);
  assert.equal(channel.trySend(2), true);
  assert.equal(channel.trySend(3), false);
  let sent = false;
  const sending = channel.send(3).then((ok) => sent = ok);
  await Promise.resolve();
  assert.equal(sent, false);
  assert.deepEqual(await channel.receive(), { done: false, value: 1 });
  await sending;
  assert.equal(sent, true);
  assert.deepEqual(await channel.receive(), { done: false, value: 2 });
  assert.deepEqual(await channel.receive(), { done: false, value: 3 });
});

Deno.test("Channel.close() lets what is inside out and then says done to everyone", async () => {
  const channel = new Channel<number>(1);
  channel.trySend(1);
  const blocked = channel.send(2);
  channel.close();
  assert.equal(await blocked, false);
  assert.equal(await channel.send(3), false);
  assert.deepEqual(await channel.receive(), { done: false, value: 1 });
  assert.deepEqual(await channel.receive(), { done: true });
  const empty = new Channel<number>(1);
  const waiting = empty.receive();
  empty.close();
  assert.deepEqual(await waiting, { done: true });
});

Deno.test("Channel stays in order over thousands of values", async () => {
  const channel = new Channel<number>(7);
  const sending = (async () => {
    for (let i = 0; i < 5000; i++) await channel.send(i);
    channel.close();
  })();
  const got: number[] = [];
  for (let next = await channel.receive(); !next.done; next = await channel.receive()) {
    got.push(next.value);
  }
  await sending;
  assert.deepEqual(got, Array.from({ length: 5000 }, (_, i) => i));
});

Deno.test("Channel serves many waiting senders, each in its turn and none twice", async () => {
  const channel = new Channel<number>(3);
  const sending = Array.from({ length: 50 }, async (_, sender) => {
    for (let n = 0; n < 20; n++) await channel.send(sender * 100 + n);
  });
  const got: number[] = [];
  while (got.length < 1000) {
    const next = await channel.receive();
    assert.ok(!next.done);
    got.push(next.value);
    assert.ok(channel.size <= 3);
    // Sometimes several places become free before any sender has its turn.
    for (let more = got.length % 4; more > 0 && got.length < 1000; more--) {
      const ready = channel.tryReceive();
      if (ready !== undefined && !ready.done) got.push(ready.value);
    }
  }
  await Promise.all(sending);
  assert.equal(new Set(got).size, 1000);
  for (let sender = 0; sender < 50; sender++) {
    const own = got.filter((value) => Math.floor(value / 100) === sender);
    assert.deepEqual(own, own.toSorted((a, b) => a - b), `sender ${sender}`);
  }
});

Deno.test("Channel wakes every receiver that could take a value", async () => {
  const shared = new Channel<string>(1);
  const other = new Channel<string>(1);
  const selecting = select({ other, shared });
  const waiting = shared.receive();
  // The select was woken for the shared channel, and finds something better meanwhile.
  shared.trySend("for whoever comes");
  other.trySend("better");
  assert.deepEqual(await selecting, { arm: "other", received: { done: false, value: "better" } });
  assert.deepEqual(await waiting, { done: false, value: "for whoever comes" });
});

Deno.test("Channel keeps no waiter after it was called or taken back", async () => {
  const channel = new Channel<number>(1);
  let woken = 0;
  const takeBack = channel.whenReady(() => woken++);
  takeBack();
  takeBack();
  channel.whenReady(() => woken++);
  channel.trySend(1);
  channel.tryReceive();
  channel.trySend(2);
  assert.equal(woken, 1);
  channel.whenReady(() => woken++);
  assert.equal(woken, 2, "called at once when something is there");
  assert.deepEqual(await channel.receive(), { done: false, value: 2 });
});

Deno.test("select() prefers the earlier arm and leaves the loser its value", async () => {
  const first = new Channel<string>(1);
  const second = new Channel<number>(1);
  first.trySend("a");
  second.trySend(1);
  assert.deepEqual(await select({ first, second }), {
    arm: "first",
    received: { done: false, value: "a" },
  });
  assert.equal(second.size, 1);
  assert.deepEqual(await select({ first, second }), {
    arm: "second",
    received: { done: false, value: 1 },
  });
});

Deno.test("select() wakes for whichever arm comes first and withdraws from the others", async () => {
  const quiet = new Channel<string>(1);
  const busy = new Channel<number>(1);
  for (let i = 0; i < 1000; i++) {
    const selecting = select({ quiet, busy });
    busy.trySend(i);
    const ready = await selecting;
    assert.deepEqual(ready, { arm: "busy", received: { done: false, value: i } });
  }
  // Had a waiter stayed behind on the quiet arm, it would swallow this wake-up.
  const selecting = select({ quiet, busy });
  quiet.trySend("at last");
  assert.equal((await selecting).arm, "quiet");
});

Deno.test("select() reports a closed arm and trySelect() never waits", async () => {
  const arm = new Channel<number>(1);
  assert.equal(trySelect({ arm }), undefined);
  arm.close();
  assert.deepEqual(await select({ arm }), { arm: "arm", received: { done: true } });
});

Deno.test("select() hears each value once when several arms are busy at the same time", async () => {
  const arms = { a: new Channel<number>(1), b: new Channel<number>(2), c: new Channel<number>(5) };
  const sending = Object.values(arms).map(async (channel) => {
    for (let n = 0; n < 200; n++) await channel.send(n);
    channel.close();
  });
  const got: Record<string, number[]> = { a: [], b: [], c: [] };
  const open = new Map(Object.entries(arms));
  while (open.size > 0) {
    const { arm, received } = await select(Object.fromEntries(open));
    if (received.done) open.delete(arm);
    else got[arm].push(received.value);
  }
  await Promise.all(sending);
  const all = Array.from({ length: 200 }, (_, n) => n);
  assert.deepEqual(got, { a: all, b: all, c: all });
});

Deno.test("Ticker keeps at most one tick waiting and stops when disposed", async () => {
  using ticker = new Ticker(1);
  const first = await ticker.ticks.receive();
  assert.deepEqual(first, { done: false, value: "tick" });
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.notEqual(ticker.ticks.tryReceive(), undefined);
  assert.equal(ticker.ticks.tryReceive(), undefined);
});
