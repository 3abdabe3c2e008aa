/** What multicast DNS needs of the machine. Tests give networks in memory, which cost nothing. */

/** A network interface that has an IPv4 address. */
export interface LocalInterface {
  /** As the system names it: `eth0`. */
  readonly name: string;
  /** Its first IPv4 address. `0.0.0.0`: the system does not tell, and chooses one by itself. */
  readonly address: string;
  readonly netmask: string;
}

export interface MulticastEvents {
  /** Packets come from now on, and can be given to it. */
  opened(): void;
  /** One went out, the first of all. */
  sent(): void;
  /** @param bytes Belongs to the receiver. */
  received(bytes: Uint8Array, from: { readonly host: string; readonly port: number }): void;
  /**
   * The socket cannot be had, or nothing can be sent any more, and it is closed.
   *
   * @param trouble A clause for people, without a period.
   */
  failed(trouble: string): void;
}

/** A socket on UDP port 5353 that is in the group of multicast DNS on all interfaces. */
export interface MulticastSocket {
  /**
   * Send to the group, at a port, out of every interface that leads to others; or out of loopback if
   * there is none. Nothing is sent before it has opened. What does not fit into a short queue is
   * dropped: UDP promises nothing.
   *
   * @returns How many copies go out, and come back to us.
   */
  send(bytes: Uint8Array, port: number): number;
  close(): Promise<void>;
}

export interface MulticastNetwork {
  /** Interfaces as they are now. */
  interfaces(): readonly LocalInterface[];
  /** Tells of nothing before it has returned, nor after it was closed. */
  open(interfaces: readonly LocalInterface[], events: MulticastEvents): MulticastSocket;
}
