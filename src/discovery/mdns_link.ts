/**
 * The socket of multicast DNS as it comes and goes: a laptop that finds a network later, an address
 * that changes, a port that is refused. It is looked after by the clock, and never throws.
 */
import type { Timers } from "../io/timers.ts";
import { ipv4, reachOf } from "./candidates.ts";
import type { LocalInterface, MulticastNetwork, MulticastSocket } from "./mdns_network.ts";

/** How often to look for other interfaces, and to try again what failed. */
export const LOOK_MS = 15_000;

/** Packets of one second that are looked at; printers and players talk on this port as well. */
export const MAX_RECEIVED_PER_SECOND = 1000;

export interface LinkOptions {
  readonly timers: Timers;
  readonly network: MulticastNetwork;
  /** Packets can come and go from now on, maybe on another network than before. */
  readonly opened: () => void;
  /** They do not any more; see `trouble`. */
  readonly lost: () => void;
  /** There is no trouble any more. */
  readonly recovered: () => void;
  readonly received: (
    bytes: Uint8Array,
    from: { readonly host: string; readonly port: number },
  ) => void;
}

export class MulticastLink {
  readonly #options: LinkOptions;
  #interfaces: readonly LocalInterface[] = [];
  #socket: MulticastSocket | undefined;
  #isOpen = false;
  #trouble: string | undefined;
  #cancelLook: (() => void) | undefined;
  #closed = false;
  readonly #closing = new Set<Promise<void>>();
  /** Packets that came since the second began. */
  #received = 0;
  #secondEnds = 0;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /**
   * Why no packets come and go, as a clause for people; undefined if they do or are about to. Stays
   * until one went out.
   */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Open the socket, and keep it open. */
  start(): void {
    if (this.#cancelLook === undefined && !this.#closed) this.#look();
  }

  /** Send to the group. Returns how many copies come back to us. */
  send(bytes: Uint8Array, port: number): number {
    return this.#isOpen ? this.#socket!.send(bytes, port) : 0;
  }

  /** Whether an address is one of ours. */
  isOwn(host: string): boolean {
    return reachOf(host) === "loopback" || this.#interfaces.some(({ address }) => address === host);
  }

  /** Our own address that has most in common with another. */
  addressFor(host: string): string | undefined {
    const common = (address: string) => Math.clz32((ipv4(address) ?? 0) ^ (ipv4(host) ?? 0));
    const [nearest] = this.#interfaces.map(({ address }) => address)
      .filter((address) => address !== "0.0.0.0")
      .sort((a, b) => common(b) - common(a));
    return nearest;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelLook?.();
    this.#drop();
    await Promise.all(this.#closing);
  }

  #look(): void {
    const { network, timers } = this.#options;
    this.#cancelLook = timers.after(LOOK_MS, () => this.#look());
    const interfaces = network.interfaces();
    if (this.#socket !== undefined && isSame(interfaces, this.#interfaces)) return;
    if (this.#socket !== undefined) {
      this.#drop();
      this.#options.lost();
    }
    this.#interfaces = interfaces;
    if (interfaces.length === 0) this.#fail("no network interface has an IPv4 address");
    else this.#open();
  }

  #open(): void {
    const isCurrent = () => this.#socket === socket;
    const socket = this.#options.network.open(this.#interfaces, {
      opened: () => {
        if (!isCurrent()) return;
        this.#isOpen = true;
        this.#options.opened();
      },
      sent: () => {
        // A socket may be had on a network that takes no packet: that is no end of trouble.
        if (!isCurrent() || this.#trouble === undefined) return;
        this.#trouble = undefined;
        this.#options.recovered();
      },
      received: (bytes, from) => {
        if (isCurrent() && this.#takes(from)) this.#options.received(bytes, from);
      },
      failed: (trouble) => {
        if (!isCurrent()) return;
        this.#drop();
        this.#fail(trouble);
      },
    });
    this.#socket = socket;
  }

  #fail(trouble: string): void {
    this.#trouble = trouble;
    this.#options.lost();
  }

  #drop(): void {
    if (this.#socket === undefined) return;
    const closing = this.#socket.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
    this.#socket = undefined;
    this.#isOpen = false;
  }

  /**
   * The port is open to all the world, and the group is not: what comes from farther away than our
   * own networks was not sent to it. Source: RFC 6762, section 11.
   */
  #takes({ host, port }: { host: string; port: number }): boolean {
    const now = this.#options.timers.now();
    if (now >= this.#secondEnds) {
      this.#secondEnds = now + 1000;
      this.#received = 0;
    }
    this.#received++;
    if (this.#received > MAX_RECEIVED_PER_SECOND || port === 0) return false;
    const reach = reachOf(host);
    if (reach !== "public") return reach !== "none";
    return this.#interfaces.some(({ address, netmask }) => {
      const [one, other, mask] = [host, address, netmask].map((quad) => ipv4(quad) ?? 0);
      return ((one ^ other) & mask) === 0;
    });
  }
}

function isSame(a: readonly LocalInterface[], b: readonly LocalInterface[]): boolean {
  const text = (list: readonly LocalInterface[]) =>
    list.map(({ name, address, netmask }) => `${name} ${address} ${netmask}`).sort().join();
  return text(a) === text(b);
}
