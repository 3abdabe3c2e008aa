/** A local network in memory, where every packet reaches every host, the sender too, after 1 ms. */
import type {
  LocalInterface,
  MulticastEvents,
  MulticastNetwork,
  MulticastSocket,
} from "../../src/discovery/mdns_network.ts";
import { PORT } from "../../src/discovery/mdns_packets.ts";
import type { VirtualClock } from "./virtual_clock.ts";

/** A packet that was sent, and when. */
export interface SentPacket {
  readonly at: number;
  readonly host: string;
  readonly port: number;
  readonly bytes: Uint8Array;
}

export class MulticastHub {
  readonly sent: SentPacket[] = [];
  readonly #clock: VirtualClock;
  readonly #sockets = new Set<HubSocket>();

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  /** A program on a host of the network; several may have the same address. */
  host(address: string): HubHost {
    return new HubHost(this, address);
  }

  /** A packet from somewhere, to all. */
  say(bytes: Uint8Array, from: { host: string; port?: number }): void {
    this.deliver(bytes, { port: PORT, ...from });
    this.#clock.runTo(this.#clock.now() + 1);
  }

  deliver(bytes: Uint8Array, from: { host: string; port: number }): void {
    this.#clock.after(1, () => {
      for (const socket of this.#sockets) socket.events.received(bytes.slice(), from);
    });
  }

  connect(host: HubHost, events: MulticastEvents): MulticastSocket {
    const { trouble, list } = host;
    const socket: HubSocket = {
      events,
      send: (bytes, port) => {
        if (host.blocked !== undefined) {
          this.#clock.after(1, () => events.failed(host.blocked!));
          return 0;
        }
        this.#clock.after(1, () => events.sent());
        for (const { address } of list) {
          this.sent.push({ at: this.#clock.now(), host: address, port, bytes });
          if (port === PORT) this.deliver(bytes, { host: address, port: PORT });
        }
        return list.length;
      },
      close: () => {
        cancel();
        this.#sockets.delete(socket);
        return Promise.resolve();
      },
    };
    const cancel = this.#clock.after(5, () => {
      if (trouble !== undefined) return events.failed(trouble);
      this.#sockets.add(socket);
      events.opened();
    });
    host.opened++;
    return socket;
  }
}

interface HubSocket extends MulticastSocket {
  readonly events: MulticastEvents;
}

export class HubHost implements MulticastNetwork {
  list: readonly LocalInterface[];
  /** What opening a socket comes to, if it fails. */
  trouble: string | undefined;
  /** What sending a packet comes to, if it fails. */
  blocked: string | undefined;
  /** How many sockets were opened. */
  opened = 0;
  readonly #hub: MulticastHub;

  constructor(hub: MulticastHub, address: string) {
    this.#hub = hub;
    this.list = [{ name: "eth0", address, netmask: "255.255.255.0" }];
  }

  interfaces(): readonly LocalInterface[] {
    return this.list;
  }

  open(_: readonly LocalInterface[], events: MulticastEvents): MulticastSocket {
    return this.#hub.connect(this, events);
  }
}
