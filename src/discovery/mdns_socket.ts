/**
 * The socket of multicast DNS. Needs `--allow-net`, for port 5353 of all addresses and of the group;
 * and `--allow-sys=networkInterfaces` to speak on every interface, without which the system chooses
 * one.
 *
 * multicast-dns 7.2.5 is not used for it: it hears on every interface and speaks on one, does not see
 * an address change, decodes whatever comes however much that is, and throws from a callback where
 * interfaces may not be listed.
 */
import { Buffer } from "node:buffer";
import { createSocket, type Socket } from "node:dgram";
import type {
  LocalInterface,
  MulticastEvents,
  MulticastNetwork,
  MulticastSocket,
} from "./mdns_network.ts";
import { GROUP, PORT } from "./mdns_packets.ts";

/** Source: RFC 6762, section 11, and what all who speak it send. */
const TTL = 255;

/** Linux lets a socket into 20 groups. */
const MAX_INTERFACES = 16;

/** Packets that wait while another goes out of one interface after the other. */
const MAX_WAITING = 64;

/** Packets in a row that could not go out anywhere, after which the socket is given up. */
const MAX_UNSENT = 3;

/** Where the system chooses. */
const ANY: LocalInterface = { name: "", address: "0.0.0.0", netmask: "0.0.0.0" };

/** The network of the machine. */
export const localMulticast: MulticastNetwork = {
  interfaces: listInterfaces,
  open: (interfaces, events) => new DgramSocket(interfaces, events),
};

/** The first IPv4 address of each interface: a socket is in a group once on each. */
function listInterfaces(): LocalInterface[] {
  let all: Deno.NetworkInterfaceInfo[];
  try {
    all = Deno.networkInterfaces();
  } catch {
    return [ANY]; // not permitted
  }
  const found = new Map<string, LocalInterface>();
  for (const { family, name, address, netmask } of all) {
    if (family === "IPv4" && !found.has(name)) found.set(name, { name, address, netmask });
  }
  return [...found.values()].slice(0, MAX_INTERFACES);
}

class DgramSocket implements MulticastSocket {
  readonly #events: MulticastEvents;
  readonly #socket: Socket;
  /** Addresses of the interfaces to send from. */
  #outgoing: readonly string[] = [];
  readonly #waiting: { readonly bytes: Buffer; readonly port: number }[] = [];
  #isSending = false;
  #hasSent = false;
  #unsent = 0;
  #closed: Promise<void> | undefined;

  constructor(interfaces: readonly LocalInterface[], events: MulticastEvents) {
    this.#events = events;
    const socket = createSocket({ type: "udp4", reuseAddr: true });
    this.#socket = socket;
    socket.on("error", (error: Error) => this.#fail(describe(error)));
    socket.on("message", (bytes: Buffer, { address, port }: { address: string; port: number }) => {
      if (this.#closed === undefined) events.received(bytes, { host: address, port });
    });
    if (isPermitted()) socket.bind(PORT, "0.0.0.0", () => this.#bound(interfaces));
    else queueMicrotask(() => this.#fail(NOT_PERMITTED));
  }

  send(bytes: Uint8Array, port: number): number {
    if (this.#closed !== undefined || this.#waiting.length >= MAX_WAITING) return 0;
    this.#waiting.push({ bytes: Buffer.from(bytes), port });
    if (!this.#isSending) this.#sendNext();
    return this.#outgoing.length;
  }

  close(): Promise<void> {
    this.#waiting.length = 0;
    return this.#closed ??= new Promise((resolve) => this.#socket.close(() => resolve()));
  }

  #bound(interfaces: readonly LocalInterface[]): void {
    if (this.#closed !== undefined) return;
    const joined: string[] = [];
    let reason: unknown;
    for (const { address } of interfaces) {
      try {
        this.#socket.addMembership(GROUP, address === ANY.address ? undefined : address);
        joined.push(address);
      } catch (error) {
        reason = error; // this interface does not do it, or is gone
      }
    }
    if (joined.length === 0) {
      const trouble = interfaces.includes(ANY)
        ? "the system has no usual way for multicast, and interfaces may not be listed"
        : "no network interface takes multicast";
      return this.#fail(`${trouble}${codeOf(reason)}`);
    }
    // Others on this host hear what goes out of the other interfaces.
    const outer = joined.filter((address) => !address.startsWith("127."));
    this.#outgoing = outer.length > 0 ? outer : joined;
    this.#socket.setMulticastTTL(TTL);
    this.#socket.setMulticastLoopback(true); // other programs of this host are peers too
    this.#events.opened();
  }

  #sendNext(): void {
    const next = this.#waiting.shift();
    this.#isSending = next !== undefined;
    if (next === undefined) return;
    this.#sendFrom(0, next, undefined);
  }

  /** Sending is over when it calls back; only then may the interface be another. */
  #sendFrom(
    at: number,
    packet: { readonly bytes: Buffer; readonly port: number },
    result: { readonly sent: boolean; readonly reason: unknown } | undefined,
  ): void {
    if (this.#closed !== undefined) return;
    const { sent = false, reason } = result ?? {};
    const address = this.#outgoing[at];
    if (address === undefined) return this.#noteSent(sent, reason);
    const next = (error: unknown) =>
      this.#sendFrom(at + 1, packet, { sent: sent || !error, reason: error || reason });
    try {
      if (address !== ANY.address) this.#socket.setMulticastInterface(address);
      this.#socket.send(packet.bytes, packet.port, GROUP, next);
    } catch (error) {
      next(error);
    }
  }

  #noteSent(sent: boolean, reason: unknown): void {
    this.#unsent = sent ? 0 : this.#unsent + 1;
    if (sent && !this.#hasSent) {
      this.#hasSent = true;
      this.#events.sent();
    }
    if (this.#unsent < MAX_UNSENT) this.#sendNext();
    else this.#fail(`multicast packets cannot be sent${codeOf(reason)}`);
  }

  #fail(trouble: string): void {
    if (this.#closed !== undefined) return;
    this.close();
    this.#events.failed(trouble);
  }
}

const NOT_PERMITTED = `UDP port ${PORT} may not be used, for lack of permission`;

/** What is not permitted is thrown where nobody can catch it: when a socket is bound. */
function isPermitted(): boolean {
  return ["0.0.0.0", GROUP].every((host) =>
    Deno.permissions.querySync({ name: "net", host: `${host}:${PORT}` }).state === "granted"
  );
}

function describe(error: Error): string {
  const code = "code" in error ? error.code : undefined;
  if (code === "EADDRINUSE") {
    return `UDP port ${PORT} is taken by a program that does not share it`;
  }
  if (code === "EACCES" || code === "EPERM") return NOT_PERMITTED;
  return `UDP port ${PORT} cannot be used${codeOf(error)}`;
}

/** The system's word for what went wrong, in brackets. */
function codeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && code !== "UNKNOWN" ? ` (${code})` : "";
}
