/**
 * What is used of the package `@hyperswarm/dht`, which has no types of its own. It wants
 * `sodium-native`, which is no JavaScript; `package.json` puts `sodium-javascript` in its place.
 */
import type { Buffer } from "node:buffer";
import type { HostPort } from "../io/peer_address.ts";
import type { UdpPort } from "./udp_port.ts";

/** What a node answered to a question for peers. */
export interface HyperdhtAnswer {
  readonly node: HostPort;
  /** Null if they make no sense. */
  readonly peers: readonly HostPort[] | null;
}

/** A way through the DHT. It runs while its data are read. */
export interface HyperdhtQuery {
  on(event: "data", listener: (answer: HyperdhtAnswer) => void): unknown;
  on(event: "response" | "end" | "close", listener: () => void): unknown;
  on(event: "error" | "warning", listener: (error: Error) => void): unknown;
  destroy(): void;
}

export interface Hyperdht {
  readonly id: Buffer;
  /** Asked besides the routing table while that has fewer nodes than these. */
  bootstrapNodes: readonly HostPort[];
  /** Questions on their way at once, and per second: new ones wait when both are exceeded. */
  concurrency: number;
  concurrencyRPS: number;
  readonly nodes: { toArray(): HostPort[] };
  /** The timers of questions on their way, some of which outlast `destroy`. */
  readonly _io: { readonly inflight: readonly { readonly holepunch: number | null }[] };
  on(event: "error" | "warning", listener: (error: Error) => void): unknown;
  query(command: "_find_node", target: Buffer): HyperdhtQuery;
  lookup(target: Buffer, options: { readonly port?: number }): HyperdhtQuery;
  announce(target: Buffer, options: { readonly port: number }): HyperdhtQuery;
  unannounce(target: Buffer, options: { readonly port: number }): HyperdhtQuery;
  /** Forget a node. */
  onbadid(node: HostPort): void;
  destroy(): void;
}

export interface HyperdhtOptions {
  readonly socket: UdpPort;
  readonly id: Buffer;
  readonly bootstrap: readonly HostPort[];
  /** Take no part in other people's searches: our id is not sent, so nobody asks us. */
  readonly ephemeral: true;
}

/** @throws {Error} If it cannot be loaded; the message is a clause for people. */
export async function openHyperdht(options: HyperdhtOptions): Promise<Hyperdht> {
  const { default: hyperdht } = await import("@hyperswarm/dht").catch((error: Error) => {
    throw new Error(`cannot load @hyperswarm/dht: ${error.message}`, { cause: error });
  });
  return hyperdht(options);
}
