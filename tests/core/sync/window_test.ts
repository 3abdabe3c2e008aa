import assert from "node:assert/strict";
import {
  MAX_QUEUE_MS,
  MAX_REQUESTS,
  MIN_REQUESTS,
  REQUEST_BATCH,
  SPARE_SHARE,
  START_REQUESTS,
} from "../../../src/core/sync/limits.ts";
import { type Asked, costOf, Window } from "../../../src/core/sync/window.ts";

const BLOCK = 64 * 1024;

/** Ask for as much as there is room for, of a peer that answers in order, for so many answers. */
function drive(
  { perSecond, rttMs, bytes = BLOCK }: { perSecond: number; rttMs: number; bytes?: number },
  answers: number,
): { window: Window; most: number; tookMs: number } {
  const window = new Window();
  const cost = costOf(bytes);
  const waiting: { asked: Asked; arrivesAt: number }[] = [];
  let [now, freeAt, most] = [0, 0, 0];
  for (let answered = 0; answered < answers; answered++) {
    const room = window.room(cost);
    if (room >= window.batch(cost)) {
      for (let i = 0; i < room; i++) {
        waiting.push({ asked: window.ask(cost, now), arrivesAt: now + rttMs / 2 });
      }
    }
    if (answered > answers / 2) most = Math.max(most, window.count);
    const { asked, arrivesAt } = waiting.shift()!;
    freeAt = Math.max(freeAt, arrivesAt) + 1000 * bytes / perSecond;
    now = freeAt + rttMs / 2;
    window.answered(asked, cost, now);
  }
  for (const { asked } of waiting) window.drop(asked);
  return { window, most, tookMs: now };
}

Deno.test("the window fits a near and fast peer as well as a far and slow one", () => {
  const near = drive({ perSecond: 10e6, rttMs: 1 }, 500);
  const far = drive({ perSecond: 100e3, rttMs: 300 }, 60);
  assert.ok(near.most > 30 && near.most <= MAX_REQUESTS, `${near.most} blocks`);
  assert.ok(far.most >= 2 && far.most <= 5, `${far.most} blocks`);
  assert.ok(near.tookMs < 1.1 * 500 * BLOCK / 10e3, `${near.tookMs} ms`);
  assert.ok(far.tookMs < 1.1 * 60 * BLOCK / 100, `${far.tookMs} ms`);
});

Deno.test("a young link that is near and fast holds no more than a part of what it brought", () => {
  const window = new Window();
  const cost = costOf(BLOCK);
  let [now, answered] = [0, 0];
  while (answered < 100) {
    const asked: Asked[] = [];
    for (let room = window.room(cost); room > 0; room--) asked.push(window.ask(cost, now));
    const most = Math.max(4, SPARE_SHARE * answered) + 4; // a round trip comes on top
    assert.ok(window.count <= most, `${window.count} blocks are asked for after ${answered}`);
    for (const one of asked) {
      now += 0.2;
      window.answered(one, cost, now);
      answered++;
    }
  }
});

Deno.test("no peer owes more than it answers in some seconds, but for the least there must be", () => {
  for (const perSecond of [5e3, 50e3, 500e3, 5e6]) {
    for (const rttMs of [1, 100, 600]) {
      const { most } = drive({ perSecond, rttMs }, 200);
      const bytes = perSecond * (rttMs + MAX_QUEUE_MS) / 1000 + 2 * BLOCK;
      assert.ok(most <= Math.max(MIN_REQUESTS, bytes / BLOCK), `${most} at ${perSecond} B/s`);
    }
  }
});

Deno.test("before the first answer little is asked, small blocks no more than large ones", () => {
  const window = new Window();
  assert.equal(window.room(costOf(BLOCK)), 4);
  assert.equal(window.room(costOf(10)), START_REQUESTS);
});

Deno.test("a small window is asked for singly, a large one in batches", () => {
  assert.equal(drive({ perSecond: 20e3, rttMs: 100 }, 20).window.batch(costOf(BLOCK)), 1);
  assert.equal(drive({ perSecond: 100e6, rttMs: 10 }, 900).window.batch(costOf(BLOCK)), 16);
  assert.equal(REQUEST_BATCH, 16);
});

Deno.test("a peer asked for little at a time is not taken for a slow one", () => {
  const { window } = drive({ perSecond: 1e6, rttMs: 50 }, 300);
  const { rate } = window;
  for (let i = 0; i < 100; i++) {
    const asked = window.ask(costOf(BLOCK), 100_000 + 1000 * i);
    window.answered(asked, costOf(BLOCK), 100_115 + 1000 * i);
  }
  assert.ok(window.rate >= rate);
});

Deno.test("a peer that did not keep up begins small, and grows again", () => {
  const { window } = drive({ perSecond: 1e6, rttMs: 50 }, 300);
  const patience = window.patienceMs(costOf(BLOCK));
  window.shrink();
  assert.ok(window.room(costOf(BLOCK)) <= MIN_REQUESTS);
  assert.ok(window.patienceMs(costOf(BLOCK)) >= patience);
});

Deno.test("what is asked and what is over add up", () => {
  const window = new Window();
  const asked = [0.1, 0.2, 0.7].map((cost) => window.ask(costOf(cost), 0));
  window.drop(asked[1]);
  window.answered(asked[0], costOf(5000), 10);
  assert.equal(window.count, 1);
  window.drop(asked[2]);
  assert.deepEqual([window.count, window.owed], [0, 0]);
});

Deno.test("of a peer whose links break early little is asked at once, until one holds", () => {
  const cost = costOf(BLOCK);
  const window = new Window();
  window.expectBreak({ inRow: 1, after: 10 * cost });
  assert.equal(window.room(cost), 1, "not even the usual two");
  let [now, answered] = [0, 0];
  const most: number[] = []; // by tenths of what is answered
  while (answered < 640) {
    const asked: Asked[] = [];
    for (let room = window.room(cost); room > 0; room--) asked.push(window.ask(cost, now));
    const tenth = Math.floor(answered / 64);
    most[tenth] = Math.max(most[tenth] ?? 0, window.count);
    now += 10;
    for (const one of asked) window.answered(one, cost, now);
    answered += asked.length;
  }
  assert.equal(most[0], 1);
  assert.ok(most[4] >= 8 && most[4] <= 10, `${most[4]}, not a thirty-second of 256 to 320`);
  assert.ok(most[9] >= 18 && most[9] <= 20, `${most[9]} at the end`);
  window.expectBreak({ inRow: 2, after: 10 * cost });
  assert.equal(window.room(cost), 10, "half of that after the second one in a row");
  window.expectBreak({ inRow: 100, after: 10 * cost });
  assert.equal(window.room(cost), 5, "and not less than a quarter");
  window.expectBreak(undefined);
  for (let n = 0; n < 20; n++) window.answered(window.ask(cost, now), cost, now + 100);
  assert.ok(window.room(cost) > 20, "it held for long");
});
