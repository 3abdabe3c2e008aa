/** Discovery servers and sources that ask them, on a network of function calls in virtual time. */
import { type DnsServersOptions, DnsServersSource } from "../../src/discovery/dns_servers.ts";
import type { Candidate, SourceContext } from "../../src/discovery/source.ts";
import type { Topic } from "../../src/discovery/topic.ts";
import type { OpenUdp, UdpEvents } from "../../src/discovery/udp_socket.ts";
import { DnsDiscoveryServer, type Endpoint } from "./dns_discovery_server.ts";
import { Random } from "./random.ts";
import { VirtualClock } from "./virtual_clock.ts";

/** How long a packet is on its way, in milliseconds. */
export const DELAY_MS = 10;

export interface Sent {
  readonly at: number;
  readonly from: string;
  readonly to: string;
  readonly bytes: Uint8Array;
}

export class DnsWorld {
  readonly clock = new VirtualClock();
  readonly random = new Random("dns world");
  /** By `host:port`; packets to anywhere else get lost. */
  readonly #receivers = new Map<string, (bytes: Uint8Array, from: Endpoint) => void>();
  readonly sent: Sent[] = [];
  /** Packets that do not arrive. */
  isLost: (sent: Sent) => boolean = () => false;

  send(bytes: Uint8Array, from: Endpoint, to: Endpoint): void {
    const sent = { at: this.clock.now(), from: text(from), to: text(to), bytes };
    this.sent.push(sent);
    if (this.isLost(sent)) return;
    this.clock.after(DELAY_MS, () => this.#receivers.get(text(to))?.(new Uint8Array(bytes), from));
  }

  addServer(host: string, port = 5300): DnsDiscoveryServer {
    const here = { host, port };
    const server = new DnsDiscoveryServer({
      timers: this.clock,
      send: (bytes, to) => this.send(bytes, here, to),
    });
    this.#receivers.set(text(here), (bytes, from) => server.receive(bytes, from));
    return server;
  }

  /** A source on a host of its own. */
  addSource(host: string, options: Omit<DnsServersOptions, "openSocket">): TestSource {
    return new TestSource(this, { host, port: 40_000 }, options);
  }

  /** Have packets to an address go there. */
  connect(here: Endpoint, { received }: UdpEvents): void {
    this.#receivers.set(text(here), (bytes, from) => received(bytes, from));
  }

  disconnect(here: Endpoint): void {
    this.#receivers.delete(text(here));
  }

  run(ms: number): void {
    this.clock.runTo(this.clock.now() + ms);
  }

  /** The same where promises have to settle on the way. */
  async runSlowly(ms: number): Promise<void> {
    for (const end = this.clock.now() + ms; this.clock.now() < end;) {
      for (let i = 0; i < 10; i++) await Promise.resolve();
      this.run(Math.min(100, end - this.clock.now()));
    }
    for (let i = 0; i < 10; i++) await Promise.resolve();
  }
}

export class TestSource {
  readonly source: DnsServersSource;
  readonly found: string[] = [];
  readonly news: string[] = [];
  closed = false;
  events: UdpEvents | undefined;

  constructor(
    readonly world: DnsWorld,
    readonly here: Endpoint,
    options: Omit<DnsServersOptions, "openSocket">,
  ) {
    const openSocket: OpenUdp = (events) => {
      this.events = events;
      world.connect(here, events);
      return {
        send: (bytes, to) => world.send(bytes, here, to),
        close: () => {
          this.closed = true;
          world.disconnect(here);
          return Promise.resolve();
        },
      };
    };
    const context: SourceContext = {
      timers: world.clock,
      random: () => world.random.below(1000) / 1000,
      randomBytes: (length) => world.random.bytes(length),
      found: ({ name }: Topic, { host, port }: Candidate, from: string) =>
        this.found.push(`${name.slice(0, 2)} ${host}:${port} by ${from}`),
      changed: (topic) => this.news.push(topic?.name.slice(0, 2) ?? "all"),
    };
    this.source = new DnsServersSource(context, { ...options, openSocket });
  }

  stateOf(topic: Topic): string {
    const { state, message } = this.source.stateOf(topic);
    return `${state}: ${message}`;
  }
}

function text({ host, port }: Endpoint): string {
  return `${host}:${port}`;
}
