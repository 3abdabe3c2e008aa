/** How this process meets peers: through which proxy, and how fast. */
import type { Clock } from "../base/world.ts";
import type { Connection } from "./connection.ts";
import { dialPeer } from "./net.ts";
import { Pace } from "./pace.ts";
import { PacedConnection, type Paces } from "./paced_connection.ts";
import { parsePeer, type Proxy } from "./peer_address.ts";
import { realTimers } from "./timers.ts";

export interface NetworkOptions {
  readonly proxy?: Proxy;
  /** Bytes a second, for all connections together. */
  readonly up?: number;
  readonly down?: number;
  /** Links at once, in both directions together; 192 if left out. */
  readonly maxPeers?: number;
}

export class PeerNetwork {
  /** What connections go through. */
  readonly proxy: Proxy | undefined;
  readonly #paces: Paces;
  /** Links at once; undefined: as many as usual. */
  readonly maxPeers: number | undefined;

  constructor(clock: Pick<Clock, "monotonic">, options: NetworkOptions = {}) {
    const { proxy, up, down, maxPeers } = options;
    this.maxPeers = maxPeers;
    const time = realTimers(clock);
    this.proxy = proxy;
    this.#paces = {
      up: up === undefined ? undefined : new Pace(up, time),
      down: down === undefined ? undefined : new Pace(down, time),
    };
  }

  /**
   * Open a connection to the peer at this address.
   *
   * @throws {TroveError} If it cannot be had; the message is fit for people.
   */
  async dial(address: string, { signal }: { signal: AbortSignal }): Promise<Connection> {
    return this.adopt(await dialPeer(parsePeer(address), { signal, proxy: this.proxy }));
  }

  /** A connection that came in or was given: it shares the rates with all others from here on. */
  adopt(connection: Connection): Connection {
    const { up, down } = this.#paces;
    if (up === undefined && down === undefined) return connection;
    return new PacedConnection(connection, this.#paces);
  }
}
