import assert from "node:assert/strict";
import { UsageError } from "../../src/base/errors.ts";
import { parseNodes, resolveNodes } from "../../src/discovery/node_addresses.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

Deno.test("parseNodes() reads host:port, and host with the usual port", () => {
  assert.deepEqual(parseNodes(["router.example", "8.8.8.8:7"], 6881), [
    { host: "router.example", port: 6881 },
    { host: "8.8.8.8", port: 7 },
  ]);
  for (const wrong of ["", "a b", "x:0", "x:65536"]) {
    assert.throws(() => parseNodes([wrong], 6881), UsageError, wrong);
  }
});

Deno.test("resolveNodes() gives each address once, a few of each name, and IPv4 only", async () => {
  const timers = new VirtualClock();
  const hosts: Record<string, string[]> = {
    one: ["8.8.8.8", "8.8.4.4"],
    two: ["8.8.8.8", "2a00::1", "no address"],
    many: [...Array(50)].map((_, i) => `8.8.1.${i}`),
    empty: [],
  };
  const resolved = await resolveNodes(
    parseNodes(["one", "two", "9.9.9.9:5", "many", "empty"], 1),
    { resolve: (name) => Promise.resolve(hosts[name]), timers, signal: AbortSignal.any([]) },
  );
  assert.deepEqual(resolved.addresses.map(({ host, port }) => `${host}:${port}`), [
    ...["8.8.8.8:1", "8.8.4.4:1", "9.9.9.9:5"],
    ...["8.8.1.0:1", "8.8.1.1:1", "8.8.1.2:1", "8.8.1.3:1"],
  ]);
  assert.deepEqual(resolved.unknown, ["empty"]);
  assert.equal(timers.timers, 0);
});

Deno.test("resolveNodes() ends when it is told to", async () => {
  const timers = new VirtualClock();
  const stop = new AbortController();
  const resolving = resolveNodes(parseNodes(["one"], 1), {
    resolve: () => new Promise<never>(() => {}),
    timers,
    signal: stop.signal,
  });
  stop.abort();
  assert.deepEqual(await resolving, { addresses: [], unknown: ["one"] });
  assert.equal(timers.timers, 0);
});
