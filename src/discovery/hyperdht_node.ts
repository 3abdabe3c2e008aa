/** Our node of hyperswarm's DHT, on the package `@hyperswarm/dht`. It asks and is not asked. */
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
import { type Hyperdht, type HyperdhtQuery, openHyperdht } from "./hyperdht.ts";
import { isHyperdhtAnswer } from "./hyperdht_check.ts";
import { untilAborted } from "./time_limit.ts";
import { UdpPort } from "./udp_port.ts";

const ID_BYTES = 32;

/**
 * Questions on their way at once and per second, of all visits. The package's own 16 and 50 are for
 * one topic at a time: a thousand need 200 a second to have their turn before nodes forget them.
 */
const MAX_INFLIGHT = 64;
const MAX_PER_SECOND = 200;

/** Nodes by which to enter the network again that are asked besides a small routing table. */
const MAX_ENTRIES = 16;

export interface HyperdhtNodeOptions {
  readonly now: () => number;
  readonly randomBytes: (length: number) => Uint8Array;
  /** The address of our own to bind; all of them if it is left out. */
  readonly host?: string;
}

export class HyperdhtNode implements DhtNode {
  readonly #port: UdpPort;
  readonly #dht: Hyperdht;

  /** @throws {Error} If it cannot be; the message is a clause for people. */
  static async open({ now, randomBytes, host }: HyperdhtNodeOptions): Promise<HyperdhtNode> {
    // The package takes an answer from anybody who guesses its number.
    const accept = (bytes: Uint8Array, wasAsked: boolean) => wasAsked && isHyperdhtAnswer(bytes);
    const port = await UdpPort.open({ host, now, accept });
    try {
      const id = Buffer.from(randomBytes(ID_BYTES));
      const dht = await openHyperdht({ socket: port, id, bootstrap: [], ephemeral: true });
      return new HyperdhtNode(port, dht);
    } catch (error) {
      port.close();
      throw error;
    }
  }

  private constructor(port: UdpPort, dht: Hyperdht) {
    this.#port = port;
    this.#dht = dht;
    dht.concurrency = MAX_INFLIGHT;
    dht.concurrencyRPS = MAX_PER_SECOND;
    dht.on("error", () => {});
    dht.on("warning", () => {});
  }

  /** The UDP port. */
  get port(): number {
    return this.#port.address().port;
  }

  async enter(nodes: readonly HostPort[], visit: Visit): Promise<void> {
    if (nodes.some(({ host }) => reachOf(host) !== "public")) this.#port.allowPrivate = true;
    // Whoever is known does not answer, and would be asked instead of these.
    for (const node of this.#dht.nodes.toArray()) this.#dht.onbadid(node);
    this.#dht.bootstrapNodes = nodes;
    await this.#follow(visit, () => this.#dht.query("_find_node", this.#dht.id));
    this.#dht.bootstrapNodes = nodes.slice(0, MAX_ENTRIES);
  }

  async visit(visit: PeerVisit): Promise<void> {
    const target = Buffer.from(visit.target);
    const { announce: port } = visit;
    let left = MAX_ADDRESSES;
    await this.#follow(visit, () => {
      const query = port === undefined
        ? this.#dht.lookup(target, {})
        : this.#dht.announce(target, { port });
      query.on("data", ({ node, peers }) => {
        if (visit.signal.aborted) return;
        for (const { host, port } of peers ?? []) {
          if (left-- > 0) visit.onAddress({ host, port }, node.host);
        }
      });
      return query;
    });
  }

  async withdraw(target: Uint8Array, port: number, visit: Visit): Promise<void> {
    await this.#follow(visit, () => this.#dht.unannounce(Buffer.from(target), { port }));
  }

  nodes(): HostPort[] {
    return this.#dht.nodes.toArray().map(({ host, port }) => ({ host, port })).reverse();
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#port.once("close", resolve));
    this.#dht.destroy();
    for (const { holepunch } of this.#dht._io.inflight) clearTimeout(holepunch ?? undefined);
    await closed;
  }

  /** Go where a query leads until it ends. The package has its own time limits. */
  #follow({ signal, onAnswer }: Visit, begin: () => HyperdhtQuery): Promise<void> {
    let query: HyperdhtQuery | undefined;
    return untilAborted(signal, (done) => {
      let answers = 0;
      query = begin();
      query.on("error", done); // nobody answered
      query.on("warning", () => {});
      query.on("response", () => {
        if (++answers <= MAX_ANSWERS) onAnswer();
        else query!.destroy();
      });
      query.on("data", () => {}); // it stands still unless it is read
      query.on("end", done);
      query.on("close", done);
    }, () => query!.destroy());
  }
}
