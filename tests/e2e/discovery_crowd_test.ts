/** That among a hundred addresses which a server names, the ten that are of use are found and used. */
import assert from "node:assert/strict";
import { openArchive } from "../../src/app/open_archive.ts";
import { Topic } from "../../src/discovery/topic.ts";
import { realTimers } from "../../src/io/timers.ts";
import { startDnsDiscoveryServer } from "../support/dns_discovery_server.ts";
import { importInto } from "../support/imported.ts";
import { assertSameContents, report } from "../support/lab_peers.ts";
import { trove } from "../support/processes.ts";
import { serveArchive } from "../support/serve_archive.ts";
import { tempFolder } from "../support/temp.ts";
import { TestWorld } from "../support/test_world.ts";
import { manyFiles, writeTree } from "../support/trees.ts";

const HOST = "127.0.0.1";
const LIVE = 10;
/** Accept connections and say nothing. */
const SILENT = 30;
const CLOSED = 60;

/** Ports of this machine that take a connection and no more, until the result is disposed. */
function listenSilently(count: number) {
  const listeners = Array.from({ length: count }, () => Deno.listen({ hostname: HOST, port: 0 }));
  return {
    addresses: listeners.map(({ addr }) => `${HOST}:${(addr as Deno.NetAddr).port}`),
    [Symbol.dispose]: () => listeners.forEach((listener) => listener.close()),
  };
}

Deno.test("of a hundred peers that a server names, ninety dead, a clone finds and uses the others", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp, { running: true });
  const folder = temp.folder("folder");
  writeTree(folder, manyFiles(50, { seed: "crowd", largest: 200_000 }), "crowd");
  await importInto(folder, world, { history: true });
  using archive = openArchive(folder, { world, access: "read" });
  await using stack = new AsyncDisposableStack();
  const live = Array.from({ length: LIVE }, () => stack.use(serveArchive(archive, world)).address);
  using silent = listenSilently(SILENT);
  let closed: string[];
  {
    using listeners = listenSilently(CLOSED);
    closed = listeners.addresses;
  }

  const names = stack.use(await startDnsDiscoveryServer({ timers: realTimers(world.clock) }));
  const { label } = new Topic(archive.metadata.discoveryKey);
  const all = [...closed, ...silent.addresses, ...live]; // in the worst order
  names.server.announced.set(label, new Set(all));
  const copy = temp.join("copy");
  const startedAt = performance.now();
  await using clone = await trove([
    ...["clone", archive.link, copy, "--live", "--json", "--host", HOST],
    ...["--discovery", "dns", "--bootstrap", `dns=${HOST}:${names.port}`],
  ], { home: temp.folder("home") });
  await clone.event("synced");
  report({ "complete, of a hundred peers": (performance.now() - startedAt) / 1000 });
  assertSameContents(copy, folder);
  for (const address of live) {
    await clone.event("peer", { matches: (line) => line.address === address });
  }
  report({ "all ten found": (performance.now() - startedAt) / 1000 });
  const met = clone.lines.filter(({ event, state }) => event === "peer" && state === "connected");
  assert.deepEqual(met.map(({ address }) => address).sort(), [...live].sort());
  clone.signal("SIGINT");
  await clone.ended();
});
