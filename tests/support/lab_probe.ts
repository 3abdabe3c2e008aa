/**
 * A program for a lab's host: hears UDP packets, accepts TCP connections, and does what it is told on
 * stdin, a line each, until that closes.
 *
 *     udp ADDRESS TEXT     send TEXT to port 4000 there
 *     tcp ADDRESS          dial port 4000 there: `dialled`, or `refused` with why
 *     ask NAME             resolve a name: `resolved` or `unresolved`
 *
 * Hears the group 239.77.0.1 at every interface. Says `ready`, then `packet` and `connection` with
 * where they came from.
 */
import { Buffer } from "node:buffer";
import { createSocket } from "node:dgram";
import { lookup } from "node:dns";
import { connect, createServer } from "node:net";
import { networkInterfaces } from "node:os";
import process from "node:process";
import { createInterface } from "node:readline";

const PORT = 4000;
const GROUP = "239.77.0.1";

function say(event: string, fields: Record<string, unknown> = {}): void {
  console.log(JSON.stringify({ event, ...fields }));
}

function dial(address: string): void {
  const socket = connect(PORT, address);
  socket.on("connect", () => {
    say("dialled", { address });
    socket.destroy();
  });
  socket.on("error", (error) => say("refused", { address, why: error.message }));
}

const udp = createSocket({ type: "udp4", reuseAddr: true });
udp.on("message", (text, { address }) => say("packet", { text: text.toString(), from: address }));
const server = createServer((socket) => {
  say("connection", { from: socket.remoteAddress });
  socket.on("error", () => {});
  socket.resume();
});

udp.bind(PORT, () => {
  for (const { family, address } of Object.values(networkInterfaces()).flatMap((list) => list!)) {
    if (family === "IPv4") udp.addMembership(GROUP, address);
  }
  server.listen(PORT, "::", () => say("ready"));
});

createInterface(process.stdin).on("line", (line) => {
  const [command, target, text] = line.split(" ");
  if (command === "udp") {
    const failed = (error: Error | null) => error && say("unsent", { why: error.message });
    udp.send(Buffer.from(text), PORT, target, failed);
  } else if (command === "tcp") dial(target);
  else lookup(target, (error) => say(error ? "unresolved" : "resolved", { name: target }));
}).on("close", () => process.exit(0));
