import assert from "node:assert/strict";
import { Line } from "../../../src/core/sync/line.ts";
import { PeerState } from "../../../src/core/sync/peer_state.ts";

function owing(id: number, cost: number): PeerState {
  const peer = new PeerState(id, "127.0.0.1:1", 0);
  peer.window.ask(cost, 0);
  return peer;
}

Deno.test("a line is busy for as long as what other peers owe takes at its pace", () => {
  const line = new Line();
  const [a, b, c] = [owing(1, 1000), owing(2, 3000), owing(3, 5000)];
  line.measure([a, b, c], 1000);
  assert.equal(line.busyMs(a), 0, "nothing is known of it yet");
  for (let second = 0; second < 10; second++) {
    line.add(2000);
    line.measure([a, b, c], 1000);
  }
  const busy = line.busyMs(a);
  assert.ok(Math.abs(busy - 4000) < 10, `${busy} ms for 8000 at 2 a millisecond`);
  // Nothing comes any more: that says nothing of the line, or no peer would ever be late.
  for (let second = 0; second < 10; second++) line.measure([a, b, c], 1000);
  assert.equal(line.busyMs(a), busy);
  c.stalled = true;
  line.measure([a, b, c], 1000);
  assert.ok(Math.abs(line.busyMs(a) - 1500) < 10, "one that lets everything wait keeps none busy");
});
