/** What peers claim beyond the signed length, and for how long they are believed. */
import assert from "node:assert/strict";
import { TroveError } from "../../../src/base/errors.ts";
import { CLAIM_MS, DOUBT_MS, REQUEST_MS } from "../../../src/core/sync/limits.ts";
import { ownFeed } from "../../support/core_driver.ts";
import { Following } from "../../support/following.ts";

const [A, B, C] = [1, 2, 3];
const HUGE = Number.MAX_SAFE_INTEGER;

Deno.test("a liar's length keeps nobody from being complete for long", () => {
  const driver = new Following(ownFeed(10), A);
  driver.have(B, 0, HUGE); // not linked: no effect
  driver.open(B);
  driver.have(B, 0, HUGE);
  driver.tellAll(A);
  driver.answerAll(A);
  // B refuses whatever it is asked for, block after block.
  for (let second = 0; second < 2 * CLAIM_MS / 1000; second++) {
    for (const index of driver.requested(B).slice(-5)) {
      driver.say(B, { type: "unhave", start: index, length: 1 });
    }
    driver.pass(1000, A, B);
    driver.answerAll(A);
    if (driver.reportsOf("complete").length > 0) break;
  }
  assert.equal(driver.reportsOf("complete").length, 1);
  assert.ok(driver.now <= DOUBT_MS + 2000, `${driver.now} ms`);
  assert.equal(driver.copy.blocks.size, 10);
  driver.pass(CLAIM_MS, A, B);
  assert.ok(driver.ended.get(B) instanceof TroveError, "and the liar is dropped");
});

Deno.test("who claims more and never answers anything keeps nobody from being complete for long", () => {
  const driver = new Following(ownFeed(10), A, B);
  driver.have(B, 0, HUGE);
  driver.tellAll(A);
  for (let second = 0; second < 2 * CLAIM_MS / 1000; second++) {
    driver.answerAll(A);
    driver.pass(1000, A, B);
    if (driver.reportsOf("complete").length > 0) break;
  }
  assert.equal(driver.copy.blocks.size, 10);
  assert.equal(driver.reportsOf("complete").length, 1);
  assert.ok(driver.now >= DOUBT_MS && driver.now <= DOUBT_MS + 4000, `${driver.now} ms`);
  assert.equal(driver.ended.get(B), undefined, "it may still answer");
});

Deno.test("whoever answers late after all is believed again", () => {
  const source = ownFeed(10);
  const driver = new Following(source, A, B);
  driver.have(B, 0, 12);
  driver.tellAll(A);
  for (let second = 0; second < 9; second++) {
    driver.answerAll(A);
    driver.pass(1000, A, B);
  }
  assert.equal(driver.reportsOf("complete").length, 1);
  source.append(Uint8Array.of(1), Uint8Array.of(2));
  for (const index of [10, 11]) driver.answer(B, index);
  assert.equal(driver.copy.length, 12);
  assert.equal(driver.copy.blocks.size, 12);
  assert.equal(driver.reportsOf("complete").length, 2);
});

Deno.test("who has answered something may be slow, and is waited for", () => {
  const driver = new Following(ownFeed(10), B);
  driver.tellAll(B);
  driver.answerAll(B);
  driver.have(B, 10, 1);
  const before = driver.reportsOf("complete").length;
  driver.open(A);
  driver.tellAll(A);
  driver.pass(REQUEST_MS - 2000, A, B);
  assert.equal(driver.reportsOf("complete").length, before);
  driver.pass(4000, A, B);
  assert.ok(driver.ended.get(B) instanceof TroveError);
});

Deno.test("when the only peer that told of more is gone, what is here is complete", () => {
  const driver = new Following(ownFeed(10), A, B);
  driver.tellAll(A);
  driver.answerAll(A);
  driver.have(B, 10, 1);
  driver.open(C);
  const before = driver.reportsOf("complete").length;
  driver.unlinked(B);
  assert.equal(driver.reportsOf("complete").length, before + 1);
});
