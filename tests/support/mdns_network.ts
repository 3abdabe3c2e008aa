/** Multicast DNS sources of several hosts on one network in memory, under virtual time. */
import { MdnsSource } from "../../src/discovery/mdns.ts";
import { type Dialect, readItems } from "../../src/discovery/mdns_packets.ts";
import type { Topic } from "../../src/discovery/topic.ts";
import { type HubHost, MulticastHub, type SentPacket } from "./multicast_hub.ts";
import { Random } from "./random.ts";
import { VirtualClock } from "./virtual_clock.ts";

export class MdnsNetwork {
  readonly clock = new VirtualClock();
  readonly hub = new MulticastHub(this.clock);
  readonly #random = new Random("multicast");

  peer(address: string): MdnsPeer {
    const host = this.hub.host(address);
    const found: string[] = [];
    const states: string[] = [];
    const random = this.#random;
    const source: MdnsSource = new MdnsSource({
      timers: this.clock,
      random: () => random.below(1000) / 1000,
      randomBytes: (length) => random.bytes(length),
      found: (topic, { host, port }, from) =>
        found.push(`${topic.name.slice(0, 2)} ${host}:${port} from ${from}`),
      changed: (topic) => states.push(topic === undefined ? "all" : source.stateOf(topic).message),
    }, host);
    return { source, host, found, states };
  }

  wait(ms: number): void {
    this.clock.runTo(this.clock.now() + ms);
  }

  /** What was sent of one kind, in one dialect, about one topic or any. */
  sent(kind: "question" | "peers", dialect: Dialect, topic?: Topic): SentPacket[] {
    return this.hub.sent.filter(({ bytes }) =>
      readItems(bytes).some((item) =>
        item.kind === kind && item.dialect === dialect &&
        (topic === undefined || item.label === topic.label)
      )
    );
  }
}

export interface MdnsPeer {
  readonly source: MdnsSource;
  readonly host: HubHost;
  /** Addresses that were found: `07 10.0.0.1:3282 from 10.0.0.1`. */
  readonly found: string[];
  /** What was told of changes: messages, or `all`. */
  readonly states: string[];
}
