import assert from "node:assert/strict";
import { Retries } from "../../src/app/mirror_retries.ts";
import {
  ForkError,
  IncompleteError,
  LockedError,
  NoPeersError,
  ObstacleError,
  ProofError,
  StorageError,
  TroveError,
} from "../../src/base/errors.ts";
import { TestClock } from "../support/test_world.ts";

function begin(timeoutMs = 600_000, random = () => 0) {
  const clock = new TestClock();
  return { clock, retries: new Retries({ clock, timeoutMs, random }) };
}

Deno.test("pauses double up to half a minute, and are short again after progress", () => {
  const { retries } = begin();
  const gone = new IncompleteError("gone");
  const pauses = Array.from({ length: 7 }, () => retries.pauseAfter(gone));
  assert.deepEqual(pauses, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  retries.progressed();
  assert.equal(retries.pauseAfter(new NoPeersError("nobody")), 1000);
});

Deno.test("chance takes up to half of a pause away", () => {
  const { retries } = begin(600_000, () => 0.5);
  assert.equal(retries.pauseAfter(new IncompleteError("gone")), 750);
});

Deno.test("no pause is longer than half of what is left, and at the end there is none", () => {
  const { clock, retries } = begin(10_000);
  clock.monotonicMs = 9000;
  assert.equal(retries.leftMs, 1000);
  assert.equal(retries.pauseAfter(new IncompleteError("gone")), 500);
  clock.monotonicMs = 9800;
  assert.equal(retries.pauseAfter(new IncompleteError("gone")), undefined);
  clock.monotonicMs = 20_000;
  assert.equal(retries.leftMs, 0);
  assert.match(retries.late("Cannot do it").message, /^Cannot do it within 10 s$/);
});

Deno.test("faults of peers are tried a few times, what stays so not at all", () => {
  const { retries } = begin();
  const faults = [
    new ProofError("x"),
    new ObstacleError("x"),
    new ProofError("x"),
    new ProofError("x"),
  ];
  assert.deepEqual(faults.map((fault) => retries.pauseAfter(fault) !== undefined), [
    ...[true, true, true, false],
  ]);
  for (const error of [new StorageError("x"), new ForkError("x"), new LockedError("x"), "bug"]) {
    assert.equal(retries.pauseAfter(error), undefined);
  }
  assert.equal(retries.pauseAfter(new TroveError("x")), undefined);
  assert.notEqual(retries.pauseAfter(new TroveError("x"), true), undefined);
});
