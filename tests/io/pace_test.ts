/** How fast bytes may go, under virtual time; and connections that keep to it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Pace } from "../../src/io/pace.ts";
import { PacedConnection } from "../../src/io/paced_connection.ts";
import { writeAll } from "../../src/io/connection.ts";
import { memoryPair } from "../support/connections.ts";
import { Random } from "../support/random.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

/** Somebody who always has more to move. */
class Mover {
  moved = 0;
  constructor(readonly pace: Pace, readonly wanted: number) {
    this.ask();
  }
  ask(): void {
    this.pace.ask(this.wanted, (bytes) => {
      assert.ok(Number.isInteger(bytes) && bytes >= 1 && bytes <= this.wanted, `${bytes}`);
      this.moved += bytes;
      this.ask();
    });
  }
}

const rates = fc.integer({ min: 2048, max: 50_000_000 });

Deno.test("a rate is kept within 5% from the first second on, however late timers come", () => {
  fc.assert(fc.property(
    rates,
    fc.integer({ min: 1, max: 40 }),
    fc.integer({ min: 0, max: 30 }),
    fc.integer({ min: 0, max: 20_000 }),
    fc.string(),
    (rate, count, late, idle, seed) => {
      const random = new Random(seed);
      const clock = new VirtualClock(() => random.below(late + 1));
      const pace = new Pace(rate, clock);
      clock.runTo(idle); // what nobody used is not there for later
      const movers = Array.from({ length: count }, () => new Mover(pace, 256 * 1024));
      for (const seconds of [1, 2, 3, 5]) {
        clock.runTo(idle + 1000 * seconds);
        const moved = movers.reduce((sum, mover) => sum + mover.moved, 0);
        const wanted = rate * seconds;
        assert.ok(moved <= wanted * 1.05 + pace.partBytes, `${moved} in ${seconds} s at ${rate}`);
        assert.ok(moved >= wanted * 0.95 - pace.partBytes, `${moved} in ${seconds} s at ${rate}`);
      }
    },
  ));
});

Deno.test("all who wait get the same share, whether they ask for much or little at a time", () => {
  fc.assert(fc.property(rates, fc.integer({ min: 2, max: 20 }), (rate, count) => {
    const clock = new VirtualClock();
    const pace = new Pace(rate, clock);
    const movers = Array.from({ length: count }, (_, n) => {
      return new Mover(pace, n % 2 === 0 ? pace.partBytes : 1_000_000);
    });
    clock.runTo(10_000);
    const moved = movers.map((mover) => mover.moved);
    // What a late or early turn is worth: a part, and what a timer's rounding makes of it.
    const slack = 2 * pace.partBytes + rate / 1000;
    assert.ok(Math.max(...moved) - Math.min(...moved) <= slack, `${moved} at ${rate}`);
  }));
});

Deno.test("a loop that stood still makes up for a little of it, and no more", () => {
  let stalled = false;
  const clock = new VirtualClock(() => stalled ? 10_000 : 0);
  const mover = new Mover(new Pace(100_000, clock), 1_000_000);
  clock.runTo(980);
  stalled = true;
  clock.runTo(1010);
  stalled = false;
  clock.runTo(12_000);
  assert.ok(mover.moved > 100_000 * 2, `${mover.moved}`);
  assert.ok(mover.moved < 100_000 * (2 + 0.6), `${mover.moved} although it stood still for 10 s`);
});

Deno.test("whoever leaves the line gets nothing, and no timer goes on for nobody", () => {
  const clock = new VirtualClock();
  const pace = new Pace(10_000, clock);
  const given: string[] = [];
  pace.ask(1000, () => given.push("first"));
  const leaveA = pace.ask(1000, () => given.push("a"));
  const leaveB = pace.ask(1000, () => given.push("b"));
  assert.deepEqual([given, clock.timers], [["first"], 1]);
  leaveA();
  leaveA();
  assert.equal(clock.timers, 1);
  leaveB();
  assert.equal(clock.timers, 0);
  clock.runTo(1000);
  assert.deepEqual(given, ["first"]);
});

Deno.test("bytes that were given back can be given again", () => {
  const clock = new VirtualClock();
  const pace = new Pace(10_000, clock);
  pace.ask(200, () => {});
  pace.giveBack(200);
  let given = 0;
  pace.ask(200, (bytes) => given = bytes);
  assert.equal(given, 200);
});

/** A clock on which every wait is over at the next turn of the loop. */
function hurried() {
  let now = 0;
  return {
    now: () => now,
    after(ms: number, wake: () => void) {
      const timer = setTimeout(() => {
        now += ms;
        wake();
      }, 0);
      return () => clearTimeout(timer);
    },
  };
}

for (const direction of ["up", "down"] as const) {
  Deno.test(`a paced connection moves all bytes in order and takes its time (${direction})`, async () => {
    const clock = hurried();
    const pace = new Pace(100_000, clock);
    const ends = memoryPair({ capacity: 5000 });
    using a = direction === "up" ? new PacedConnection(ends[0], { up: pace }) : ends[0];
    using b = direction === "down" ? new PacedConnection(ends[1], { down: pace }) : ends[1];
    const sent = new Random(direction).bytes(200_000).slice();
    const writing = writeAll(a, sent).then(() => a.closeWrite());
    const received = new Uint8Array(sent.length);
    let at = 0;
    for (;;) {
      const count = await b.read(received.subarray(at, at + 3000));
      if (count === null || at === sent.length) break;
      at += count;
    }
    await writing;
    assert.deepEqual(received, sent);
    assert.ok(clock.now() > 1900 && clock.now() < 2100, `${clock.now()} ms for 2 s of bytes`);
  });
}

Deno.test("closing a paced connection lets go whoever waits for a turn", async () => {
  const clock = new VirtualClock();
  const pace = new Pace(10_000, clock);
  const [a, b] = memoryPair();
  const paced = new PacedConnection(a, { up: pace, down: pace });
  pace.ask(100_000, () => {}); // somebody was faster
  const writing = assert.rejects(paced.write(new Uint8Array(100)));
  await b.write(new Uint8Array(100));
  const reading = assert.rejects(paced.read(new Uint8Array(100)));
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal(clock.timers, 1);
  paced.close();
  await Promise.all([writing, reading]);
  assert.equal(clock.timers, 0);
  await assert.rejects(paced.write(new Uint8Array(1)));
  b.close();
});
