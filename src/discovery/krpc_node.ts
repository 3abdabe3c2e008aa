/**
 * Our node of the BitTorrent DHT, on the package `k-rpc`, which is what `bittorrent-dht` is made of.
 * That one itself reads the whole environment when it is loaded, keeps what strangers store, and
 * announces to every node it met instead of the closest.
 */
import { Buffer } from "node:buffer";
import type { HostPort } from "../io/peer_address.ts";
import { reachOf } from "./candidates.ts";
import {
  type DhtNode,
  MAX_ADDRESSES,
  MAX_ANSWERS,
  type PeerVisit,
  type Visit,
} from "./dht_node.ts";
import {
  type Krpc,
  type KrpcAnswer,
  type KrpcContact,
  type KrpcMessage,
  openKrpc,
} from "./krpc.ts";
import { KrpcAnswers, type KrpcAnswersOptions } from "./krpc_answers.ts";
import { kindOfKrpc } from "./krpc_check.ts";
import { untilAborted } from "./time_limit.ts";
import { UdpPort } from "./udp_port.ts";

/** Source: spec of discovery, section 5; BEP 5. */
const ID_BYTES = 20;
const COMPACT_BYTES = 6;

/**
 * Questions on their way at once, of all visits. One visit has no more than some 20. A thousand
 * topics make a hundred questions a second, of which those to dead nodes wait for two seconds.
 */
const MAX_INFLIGHT = 64;

/** Nodes that are told where we are. Source: spec of discovery, section 5, k. */
const ANNOUNCED_TO = 20;

/** Nodes by which to enter the network again that are asked besides a small routing table. */
const MAX_ENTRIES = 16;

export interface KrpcNodeOptions extends KrpcAnswersOptions {
  /** The address of our own to bind; all of them if it is left out. */
  readonly host?: string;
}

export class KrpcNode implements DhtNode {
  readonly #port: UdpPort;
  readonly #rpc: Krpc;
  readonly #answers: KrpcAnswers;

  /** @throws {Error} If it cannot be; the message is a clause for people. */
  static async open(options: KrpcNodeOptions): Promise<KrpcNode> {
    const accept = (bytes: Uint8Array, wasAsked: boolean) => {
      const kind = kindOfKrpc(bytes);
      // An answer that nobody asked for would still get its sender into the routing table.
      return kind === "question" || (kind === "answer" && wasAsked);
    };
    const port = await UdpPort.open({ host: options.host, now: options.now, accept });
    try {
      const id = Buffer.from(options.randomBytes(ID_BYTES));
      const rpc = await openKrpc({ socket: port, id, concurrency: MAX_INFLIGHT, bootstrap: false });
      return new KrpcNode(port, rpc, options);
    } catch (error) {
      port.close();
      throw error;
    }
  }

  private constructor(port: UdpPort, rpc: Krpc, options: KrpcNodeOptions) {
    this.#port = port;
    this.#rpc = rpc;
    this.#answers = new KrpcAnswers(rpc, options);
    rpc.on("error", () => {});
    rpc.on("warning", () => {});
  }

  /** The UDP port. */
  get port(): number {
    return this.#port.address().port;
  }

  async enter(nodes: readonly HostPort[], visit: Visit): Promise<void> {
    if (nodes.some(({ host }) => reachOf(host) !== "public")) this.#port.allowPrivate = true;
    const { id } = this.#rpc;
    this.#rpc.clear(); // whoever is known does not answer, and would be asked instead of these
    this.#rpc.bootstrap = nodes;
    await this.#approach(id, { q: "find_node", a: { id, target: id } }, visit, () => {});
    this.#rpc.bootstrap = nodes.slice(0, MAX_ENTRIES);
  }

  async visit(visit: PeerVisit): Promise<void> {
    const target = Buffer.from(visit.target);
    const { id } = this.#rpc;
    let left = MAX_ADDRESSES;
    const tell = (values: readonly Buffer[], from?: string) => {
      for (const value of values) {
        if (value.length !== COMPACT_BYTES || left-- <= 0) continue;
        const host = value.subarray(0, 4).join(".");
        visit.onAddress({ host, port: value.readUInt16BE(4) }, from ?? host);
      }
    };
    tell(this.#answers.peersOf(target).map((peer) => Buffer.from(peer))); // each told us itself
    const contacts = new Map<string, KrpcContact>();
    const message = { q: "get_peers", a: { id, info_hash: target } };
    await this.#approach(target, message, visit, ({ r }, { address: host, port }) => {
      tell(r.values ?? [], host);
      if (r.token === undefined) return;
      contacts.set(r.id.toString("hex"), { id: r.id, host, port, token: r.token });
    });
    if (visit.announce === undefined || visit.signal.aborted) return;
    const closest = [...contacts.values()]
      .map((contact) => ({ contact, distance: distanceOf(contact.id, target) }))
      .sort((a, b) => Buffer.compare(a.distance, b.distance))
      .slice(0, ANNOUNCED_TO)
      .map(({ contact }) => contact);
    await this.#announce(closest, target, visit as PeerVisit & { announce: number });
  }

  nodes(): HostPort[] {
    return this.#rpc.nodes.toArray()
      .sort((a, b) => (b.seen ?? 0) - (a.seen ?? 0))
      .map(({ host, port }) => ({ host, port }));
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#port.once("close", resolve));
    this.#rpc.destroy();
    await closed;
  }

  /** Go towards a target until nobody closer is left. The package has its own time limits. */
  #approach(
    target: Buffer,
    message: KrpcMessage,
    { signal, onAnswer }: Visit,
    onReply: (answer: KrpcAnswer, from: { address: string; port: number }) => void,
  ): Promise<void> {
    let answers = 0;
    return untilAborted(signal, (done) => {
      this.#rpc.closest(target, message, (answer, from) => {
        if (signal.aborted || answers >= MAX_ANSWERS) return false;
        answers++;
        onReply(answer, from);
        onAnswer();
        return true;
      }, done);
    });
  }

  #announce(
    closest: readonly KrpcContact[],
    infoHash: Buffer,
    { signal, announce: port }: PeerVisit & { announce: number },
  ): Promise<void> {
    if (closest.length === 0) return Promise.resolve();
    const a = { id: this.#rpc.id, info_hash: infoHash, port, implied_port: 0, token: null };
    return untilAborted(signal, (done) => {
      this.#rpc.queryAll(closest, { q: "announce_peer", a }, null, done);
    });
  }
}

/** Source: BEP 5: ids are as far from each other as their exclusive or is large. */
function distanceOf(a: Buffer, b: Buffer): Buffer {
  return Buffer.from(a.map((byte, i) => byte ^ b[i]));
}
