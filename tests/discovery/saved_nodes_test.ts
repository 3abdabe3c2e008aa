import assert from "node:assert/strict";
import { MAX_SAVED, SavedNodes } from "../../src/discovery/saved_nodes.ts";
import { tempFolder } from "../support/temp.ts";

const NODES = [{ host: "8.8.8.8", port: 6881 }, { host: "8.8.4.4", port: 65535 }];

Deno.test("Nodes are read as they were written, in a folder that is made for them", () => {
  using temp = tempFolder();
  const saved = new SavedNodes(temp.join("a", "b"), "dht");
  assert.deepEqual(saved.read(), []);
  saved.write(NODES);
  assert.deepEqual(saved.read(), NODES);
  saved.write([]); // what was known is worth more
  assert.deepEqual(new SavedNodes(temp.join("a", "b"), "dht").read(), NODES);
  assert.deepEqual([...Deno.readDirSync(temp.join("a", "b"))].map(({ name }) => name), [
    "dht-nodes.json",
  ]);
});

Deno.test("There are never more than a few", () => {
  using temp = tempFolder();
  const saved = new SavedNodes(temp.path, "dht");
  saved.write([...Array(100)].map((_, i) => ({ host: `8.8.8.${i}`, port: 1 })));
  assert.equal(saved.read().length, MAX_SAVED);
});

Deno.test("A file that makes no sense is none", () => {
  using temp = tempFolder();
  const saved = new SavedNodes(temp.path, "dht");
  for (
    const text of [
      ...["", "null", "7", "{", '{"nodes":7}', '{"nodes":["a:1","8.8.8.8","8.8.8.8:0",5,null]}'],
      ...['{"nodes":["8.8.8.8:65536","999.8.8.8:1","8.8.8.8:1x"]}', " ".repeat(20_000)],
    ]
  ) {
    Deno.writeTextFileSync(temp.join("dht-nodes.json"), text);
    assert.deepEqual(saved.read(), [], text.slice(0, 40));
  }
  Deno.writeTextFileSync(temp.join("dht-nodes.json"), '{"nodes":["x","8.8.8.8:6881"]}');
  assert.deepEqual(saved.read(), NODES.slice(0, 1));
});

Deno.test("Where no file can be written, and without a folder, nothing is kept", () => {
  using temp = tempFolder();
  Deno.writeTextFileSync(temp.join("file"), "");
  const saved = new SavedNodes(temp.join("file"), "dht");
  saved.write(NODES);
  assert.deepEqual(saved.read(), []);
  const none = new SavedNodes(undefined, "dht");
  none.write(NODES);
  assert.deepEqual(none.read(), []);
});
