/**
 * Nodes of the DHT of hyperswarm 2: @hyperswarm/dht 4.0.1, the one of dat 14.
 *
 * hyperswarm_dht.js HOST [--port 49737] [--nodes N]
 *
 * The first node is what others bootstrap from; the rest, on the ports behind it, join through it at
 * HOST, which is this machine's own address. None is ephemeral. Says `listening` with the ports when
 * all have joined, and `announced`, `unannounced` and `asked` with topic, host and port of the peer.
 *
 * Its packages load native crypto (sodium-native 3, prebuilt for linux-x64).
 */
import { endWithParent, fail, load, readArguments, say } from "./common.js";

const { positionals: [host], values } = readArguments({
  port: { type: "string", default: "49737" },
  nodes: { type: "string", default: "1" },
});

/** A node that has joined those at `bootstrap`. */
async function openNode(dht, port, bootstrap) {
  const node = dht({ bootstrap, ephemeral: false });
  node.on("error", fail);
  node.on("warning", (error) => say("warning", { message: error.message }));
  const events = { announce: "announced", unannounce: "unannounced", lookup: "asked" };
  for (const [event, said] of Object.entries(events)) {
    node.on(event, (topic, peer) => {
      say(said, { topic: topic.toString("hex"), node: port, host: peer.host, port: peer.port });
    });
  }
  const ready = new Promise((resolve) => node.once("ready", resolve));
  await new Promise((resolve) => node.listen(port, resolve));
  await ready;
}

try {
  const dht = await load("@hyperswarm/dht");
  const first = Number(values.port);
  const ports = Array.from({ length: Number(values.nodes) }, (_, n) => first + n);
  await openNode(dht, first, []);
  for (const port of ports.slice(1)) await openNode(dht, port, [`${host}:${first}`]);
  say("listening", { ports });
  endWithParent();
} catch (error) {
  fail(error);
}
