/** What people see of the search for peers. */
import assert from "node:assert/strict";
import { CommandOutput } from "../../src/cli/output.ts";
import { HiddenWarning, SearchLines } from "../../src/cli/search_lines.ts";
import { tempFolder } from "../support/temp.ts";
import { TestWorld } from "../support/test_world.ts";

type State = "waiting" | "working" | "failed";

const PLAIN = { json: false, quiet: false, verbose: false, color: false };

function news(source: string, state: State, message: string) {
  return { event: "discovery", source, called: `the ${source}`, state, message, found: 0 } as const;
}

function found(address: string) {
  return { event: "found", address, source: "mdns", called: "the mdns" } as const;
}

Deno.test("whoever fetches sees the search until a peer is there", () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  let now = 0;
  const lines = new SearchLines(new CommandOutput(world, PLAIN), () => now);
  lines.take(news("mdns", "waiting", "asked once"));
  lines.take(news("mdns", "waiting", "asked twice"));
  lines.take(news("dht", "failed", "nobody there"));
  now = 10_000;
  lines.take(news("mdns", "waiting", "asked three times"));
  for (let i = 0; i < 20; i++) lines.take(found(`10.0.0.${i}:3282`));
  lines.take({ event: "peer", state: "connected", address: "10.0.0.1:3282" });
  lines.take(news("mdns", "failed", "gone"));
  lines.take(found("10.0.0.99:3282"));
  assert.deepEqual(world.stderr.text.trim().split("\n"), [
    "Looking for peers: the mdns: asked once",
    "Looking for peers: the dht: nobody there",
    "Looking for peers: the mdns: asked three times",
    ...Array.from({ length: 8 }, (_, i) => `Found 10.0.0.${i}:3282 (the mdns)`),
  ]);
});

Deno.test("whoever serves is told once when no way of being found works", () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const warning = new HiddenWarning(new CommandOutput(world, PLAIN), { sources: ["mdns", "dht"] });
  warning.take(news("mdns", "failed", "no multicast"));
  warning.take(news("dht", "waiting", "asked"));
  warning.take(news("mdns", "working", "back again"));
  assert.equal(world.stderr.text, "");
  warning.take(news("mdns", "failed", "no multicast"));
  warning.take(news("dht", "failed", "nobody there"));
  warning.take(news("mdns", "failed", "no multicast at all"));
  assert.equal(
    world.stderr.text,
    "warning: Nobody can find this by its link for now: the mdns: no multicast; the dht: nobody " +
      "there. It is served all the same; trove doctor says what to do\n",
  );
});

Deno.test("whoever serves is told once when only the local network is left, and when that fails", () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const warning = new HiddenWarning(new CommandOutput(world, PLAIN), {
    sources: ["mdns", "dns", "dht"],
  });
  warning.take(news("dns", "failed", "gone"));
  warning.take(news("mdns", "waiting", "asked once"));
  assert.equal(world.stderr.text, "");
  warning.take(news("dht", "failed", "nobody there"));
  warning.take(news("dht", "waiting", "asked again"));
  warning.take(news("dht", "failed", "nobody there"));
  const local =
    "warning: Only the local network can find this by its link for now: the dns: gone; " +
    "the dht: nobody there. trove doctor says what to do\n";
  assert.equal(world.stderr.text, local);
  warning.take(news("mdns", "failed", "no multicast"));
  assert.match(world.stderr.text.slice(local.length), /^warning: Nobody can find this .*\n$/);
});

Deno.test("whoever chose the local network alone is not told that it is alone", () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const warning = new HiddenWarning(new CommandOutput(world, PLAIN), { sources: ["mdns"] });
  warning.take(news("mdns", "waiting", "asked once"));
  assert.equal(world.stderr.text, "");
});

Deno.test("where nobody is looked for there is nothing to warn of", () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const warning = new HiddenWarning(new CommandOutput(world, PLAIN), undefined);
  warning.take(news("mdns", "failed", "no multicast"));
  assert.equal(world.stderr.text, "");
});
