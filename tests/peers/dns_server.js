/**
 * A server of classic DNS discovery: dns-discovery 6.2.3 itself, by unicast only.
 *
 * dns_server.js [--ports 5300,53] [--domain dat.local] [--ttl SECONDS]
 *
 * Says `listening` with the ports, `query` for each query it gets, with the name that was asked for and
 * the strings of the record that came along (such as "announce=3282"), and `announced` for each peer it
 * takes down. Entries stay until unannounced unless there is a `--ttl`.
 */
import { endWithParent, fail, load, readArguments, say } from "./common.js";

const { values } = readArguments({
  ports: { type: "string", default: "5300,53" },
  domain: { type: "string", default: "dat.local" },
  ttl: { type: "string", default: "0" },
});

try {
  const dnsDiscovery = await load("dns-discovery");
  const ports = values.ports.split(",").map(Number);
  const server = dnsDiscovery({
    domain: values.domain,
    ttl: Number(values.ttl),
    multicast: false,
  });
  server.on("error", (error) => say("warning", { message: error.message }));
  server.on("peer", (id, { host, port }) => say("announced", { id, host, port }));
  server.on("traffic", (kind, { message, peer }) => {
    if (kind !== "in:query") return;
    const strings = message.additionals.flatMap(({ data }) => data).map(String);
    say("query", { name: message.questions[0]?.name, ...peer, strings });
  });
  server.listen(ports, () => say("listening", { ports }));
  endWithParent();
} catch (error) {
  fail(error);
}
