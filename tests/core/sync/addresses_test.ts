import assert from "node:assert/strict";
import { AddressBook } from "../../../src/core/sync/addresses.ts";
import {
  MAX_ADDRESSES,
  MAX_DIALS,
  PROVEN_TRIES,
  REST_MS,
  RETRY_JITTER,
  RETRY_MS,
} from "../../../src/core/sync/limits.ts";

function addressesOf(due: { address: string }[]): string[] {
  return due.map(({ address }) => address);
}

Deno.test("AddressBook gives each address once, however often it is found", () => {
  const book = new AddressBook({ persistent: false });
  book.add("a:1", 0, 0);
  book.add("a:1", 0, 0);
  book.add("b:1", 5, 0);
  assert.deepEqual(book.due(0).map(({ address, primary }) => [address, primary]), [
    ["a:1", 0],
    ["b:1", 5],
  ]);
  assert.deepEqual(book.due(0), [], "they are being dialled");
  book.add("a:1", 0, 0);
  assert.deepEqual(book.due(1e9), []);
});

Deno.test("AddressBook waits longer after each failure and gives up after the last wait", () => {
  const book = new AddressBook({ persistent: false });
  book.add("a:1", 0, 0);
  let now = 0;
  for (const wait of RETRY_MS) {
    assert.equal(book.due(now).length, 1);
    assert.equal(book.failed("a:1", now), wait);
    assert.deepEqual(book.due(now + wait - 1), []);
    now += wait;
  }
  assert.equal(book.due(now).length, 1);
  assert.equal(book.hasProspects, true);
  assert.equal(book.failed("a:1", now), undefined);
  assert.equal(book.hasProspects, false);
  assert.deepEqual(book.due(1e9), []);
  assert.equal(book.failed("a:1", now), undefined, "and once more");
});

Deno.test("AddressBook starts its waits anew for one that was of use", () => {
  const book = new AddressBook({ persistent: false });
  book.add("a:1", 0, 0);
  for (let round = 0; round < 3; round++) book.failed("a:1", 0);
  book.proven("a:1");
  assert.equal(book.failed("a:1", 0), RETRY_MS[0]);
});

Deno.test("a persistent AddressBook repeats the last wait for ever", () => {
  const book = new AddressBook({ persistent: true });
  book.add("a:1", 0, 0);
  for (let round = 0; round < 50; round++) {
    assert.equal(book.failed("a:1", 0), RETRY_MS[Math.min(round, RETRY_MS.length - 1)]);
  }
  assert.equal(book.hasProspects, true);
});

Deno.test("AddressBook never gives a banned address again, persistent or not", () => {
  for (const persistent of [false, true]) {
    const book = new AddressBook({ persistent });
    book.add("a:1", 0, 0);
    book.ban("a:1");
    book.add("a:1", 0, 0);
    assert.deepEqual(book.due(1e9), []);
    assert.equal(book.failed("a:1", 0), undefined);
    assert.equal(book.hasProspects, false);
  }
});

Deno.test("AddressBook dials only so many at once, and the next when one is through", () => {
  const book = new AddressBook({ persistent: false });
  for (let i = 0; i < MAX_DIALS + 5; i++) book.add(`host:${i}`, 0, 0);
  assert.equal(book.due(0).length, MAX_DIALS);
  assert.equal(book.due(0).length, 0);
  book.linked("host:0");
  book.failed("host:1", 0);
  assert.deepEqual(addressesOf(book.due(0)), [`host:${MAX_DIALS}`, `host:${MAX_DIALS + 1}`]);
});

Deno.test("AddressBook keeps a bounded number, and those given up make room", () => {
  const book = new AddressBook({ persistent: false });
  for (let i = 0; i < MAX_ADDRESSES; i++) book.add(`host:${i}`, 0, 0);
  book.add("late:1", 0, 0);
  const seen = new Set<string>();
  const dialAll = () => {
    for (let due = book.due(0); due.length > 0; due = book.due(0)) {
      for (const { address } of due) {
        seen.add(address);
        book.linked(address);
      }
    }
  };
  dialAll();
  assert.equal(seen.size, MAX_ADDRESSES);
  assert.equal(seen.has("late:1"), false, "there was no room");
  book.ban("host:7");
  book.add("late:1", 0, 0);
  dialAll();
  assert.equal(seen.has("late:1"), true);
});

Deno.test("AddressBook passes over addresses it does not know", () => {
  const book = new AddressBook({ persistent: false });
  book.linked("nobody:1");
  book.proven("nobody:1");
  book.ban("nobody:1");
  assert.equal(book.failed("nobody:1", 0), undefined);
  assert.equal(book.hasProspects, false);
});

Deno.test("AddressBook leaves an address alone whose peer is linked otherwise, until it is not", () => {
  const book = new AddressBook({ persistent: true });
  for (const address of ["a:1", "b:1"]) book.add(address, 0, 0);
  book.due(0);
  book.linked("a:1");
  book.shared("b:1", "c0ffee");
  assert.deepEqual(book.due(1e9), []);
  assert.equal(book.hasProspects, true);
  book.parted("another", 1000);
  assert.deepEqual(book.due(1e9), []);
  book.parted("c0ffee", 1000);
  assert.deepEqual(book.due(1000), []);
  assert.deepEqual(addressesOf(book.due(1000 + RETRY_MS[0])), ["b:1"]);
});

Deno.test("AddressBook spreads the waits of many", () => {
  const waits = [0, 0.5, 0.999].map((drawn) => {
    const book = new AddressBook({ persistent: true, random: () => drawn });
    book.add("a:1", 0, 0);
    book.due(0);
    return book.failed("a:1", 0)!;
  });
  assert.equal(waits[0], RETRY_MS[0]);
  assert.ok(waits[0] < waits[1] && waits[1] < waits[2]);
  assert.ok(waits[2] <= RETRY_MS[0] * (1 + RETRY_JITTER));
});

Deno.test("AddressBooks share what is being dialled, and one that closes gives its part back", () => {
  const dials = { count: 0 };
  const [one, other] = [0, 1].map(() => new AddressBook({ persistent: false, dials }));
  for (let i = 0; i < 3; i++) one.add(`a:${i}`, 0, 0);
  other.add("b:1", 1, 0);
  assert.equal(one.due(0, 2).length, 2);
  assert.equal(other.due(0, 5).length, 1);
  assert.equal(dials.count, 3);
  other.ban("b:1");
  assert.equal(dials.count, 2);
  one.close();
  assert.equal(dials.count, 0);
  one.failed("a:0", 0);
  assert.equal(dials.count, 0);
});

Deno.test("AddressBook knows which due addresses were never tried", () => {
  const book = new AddressBook({ persistent: true });
  book.add("a:1", 0, 0);
  assert.equal(book.hasUntried(0), true);
  book.due(0);
  book.linked("a:1");
  book.failed("a:1", 0);
  assert.equal(book.hasUntried(1e9), false, "tried before");
  book.add("b:1", 0, 0);
  assert.equal(book.hasUntried(1e9), true);
});

Deno.test("AddressBook tries what discovery named, gives it up, and rests longer each time", () => {
  const book = new AddressBook({ persistent: true });
  const dialled: number[] = [];
  // Named every 15 s for an hour, and never there.
  for (let now = 0; now < 3_600_000; now += 1000) {
    if (now % 15_000 === 0) book.add("dead:1", 0, now, { discovered: true });
    for (const { address } of book.due(now)) {
      dialled.push(now / 1000);
      book.failed(address, now);
    }
  }
  assert.deepEqual(dialled.slice(0, 5), [0, 1, 2, 7, 22]);
  const gaps = dialled.slice(5).map((at, i) => at - dialled[4 + i]);
  assert.deepEqual(gaps, [38, 60, 120, 240, 480, 600, 600, 600, 600]);
});

Deno.test("AddressBook stays with a discovered address that was of use", () => {
  const book = new AddressBook({ persistent: true });
  book.add("a:1", 0, 0, { discovered: true });
  book.due(0);
  book.linked("a:1");
  assert.deepEqual(book.working, []);
  book.answered("a:1");
  book.proven("a:1");
  assert.deepEqual(book.working, ["a:1"]);
  let now = 0;
  for (let i = 0; i < PROVEN_TRIES; i++) {
    now += book.failed("a:1", now)!;
    assert.equal(book.due(now).length, 1);
  }
  assert.deepEqual(book.working, [], "it is gone by now");
  assert.equal(book.failed("a:1", now), undefined, "and rests until it is named again");
  book.add("a:1", 0, now + REST_MS, { discovered: true });
  assert.equal(book.due(now + REST_MS).length, 1);
});

Deno.test("AddressBook leaves a discovered address alone where somebody hung up at once", () => {
  const book = new AddressBook({ persistent: true });
  book.add("a:1", 0, 0, { discovered: true });
  book.due(0);
  book.linked("a:1");
  assert.equal(book.refused("a:1", 0), undefined);
  book.add("a:1", 0, 59_999, { discovered: true });
  assert.deepEqual(book.due(59_999), []);
  book.add("a:1", 0, 60_000, { discovered: true });
  assert.equal(book.due(60_000).length, 1);
  // A person's word counts more.
  book.add("b:1", 0, 0);
  book.due(0);
  book.linked("b:1");
  assert.notEqual(book.refused("b:1", 0), undefined);
});

Deno.test("AddressBook dials by rank what failed as often", () => {
  const book = new AddressBook({ persistent: false });
  book.add("far:1", 0, 0, { discovered: true, rank: 3 });
  book.add("near:1", 0, 0, { discovered: true, rank: 1 });
  book.add("given:1", 0, 0);
  assert.deepEqual(book.due(0).map(({ address }) => address), ["given:1", "near:1", "far:1"]);
  for (const address of ["given:1", "near:1"]) book.failed(address, 0);
  book.add("late:1", 0, 0, { discovered: true, rank: 3 });
  assert.deepEqual(book.due(1000).map(({ address }) => address), ["late:1", "given:1", "near:1"]);
});

Deno.test("AddressBook knows how many links in a row broke early, and what they brought", () => {
  const book = new AddressBook({ persistent: false });
  const address = "127.0.0.1:3282";
  book.add(address, 0, 0);
  const breaksAt = (now: number, since: number, brought: number) => {
    book.due(now);
    book.linked(address);
    book.lost(address, now, { since, brought });
    return book.breaks(address);
  };
  assert.equal(book.breaks(address), undefined);
  assert.deepEqual(breaksAt(10_000, 0, 5000), { inRow: 1, after: 5000 });
  assert.deepEqual(breaksAt(20_000, 10_000, 1000), { inRow: 2, after: 4000 }, "the mean follows");
  assert.deepEqual(breaksAt(30_000, 20_000, 0), { inRow: 3, after: 3000 });
  assert.equal(breaksAt(100_000, 30_000, 9000), undefined, "that one held for more than a minute");
  assert.deepEqual(breaksAt(110_000, 100_000, 7000), { inRow: 1, after: 7000 });
  assert.deepEqual(breaksAt(120_000, 110_000, 7000), { inRow: 2, after: 7000 });
});

Deno.test("AddressBook full of addresses of a higher rank has room for one of a lower", () => {
  const book = new AddressBook({ persistent: true });
  for (let i = 0; i < MAX_ADDRESSES; i++) book.add(`a${i}:1`, 0, 0, { discovered: true, rank: 2 });
  book.add("far:1", 0, 0, { discovered: true, rank: 2 });
  assert.equal(book.size, MAX_ADDRESSES);
  book.add("near:1", 0, 0, { discovered: true, rank: 1 });
  assert.equal(book.size, MAX_ADDRESSES);
  assert.equal(book.due(0)[0].address, "near:1");
});
