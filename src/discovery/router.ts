/** What the two ways of asking a router for a port have in common to the rest. */

/** A port of the router that leads to one of ours. */
export interface Mapping {
  readonly externalPort: number;
  /** How long it lasts unless it is renewed, in seconds. */
  readonly lifetime: number;
}

export interface MapRequest {
  /** TCP, on this machine. */
  readonly port: number;
  /** What is wished for; the router may choose otherwise. */
  readonly externalPort: number;
  readonly lifetime: number;
}

/** A router that answers. Each call takes a few seconds at most, and ends with its signal. */
export interface Router {
  /** How it is spoken to. */
  readonly protocol: "NAT-PMP" | "UPnP";
  /** Map a port, or renew that. @throws {Error} The message is a clause for people. */
  map(request: MapRequest, signal: AbortSignal): Promise<Mapping>;
  /** @throws {Error} */
  unmap(
    mapping: { readonly port: number; readonly externalPort: number },
    signal: AbortSignal,
  ): Promise<void>;
  /** The router's own IPv4 address; undefined if it does not say. */
  externalHost(signal: AbortSignal): Promise<string | undefined>;
}
