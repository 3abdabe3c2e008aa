/**
 * Nodes of the BitTorrent DHT: bittorrent-dht 7.10.0, the one of dat 13.
 *
 * bittorrent_dht.js HOST [--port 6881] [--nodes N]
 *
 * The first node is what others bootstrap from; the rest, on the ports behind it, join through it at
 * HOST, which is this machine's own address. Says `listening` with the ports when all have joined,
 * `announced` for each peer that a node is told of, and `asked` for each get_peers.
 */
import { endWithParent, fail, load, readArguments, say } from "./common.js";

const { positionals: [host], values } = readArguments({
  port: { type: "string", default: "6881" },
  nodes: { type: "string", default: "1" },
});

/** A node that has joined those at `bootstrap`. */
function openNode(DHT, port, bootstrap) {
  const node = new DHT({ bootstrap });
  node.on("error", fail);
  node.on("warning", (error) => say("warning", { message: error.message }));
  node.on("announce_peer", (infoHash, peer) => {
    say("announced", { infoHash: infoHash.toString("hex"), node: port, ...peer });
  });
  node.on("get_peers", (infoHash) => {
    say("asked", { infoHash: infoHash.toString("hex"), node: port });
  });
  return new Promise((resolve) => node.listen(port, () => node.once("ready", resolve)));
}

try {
  const DHT = await load("bittorrent-dht");
  const first = Number(values.port);
  const ports = Array.from({ length: Number(values.nodes) }, (_, n) => first + n);
  await openNode(DHT, first, false);
  await Promise.all(ports.slice(1).map((port) => openNode(DHT, port, [`${host}:${first}`])));
  say("listening", { ports });
  endWithParent();
} catch (error) {
  fail(error);
}
