/** DHTs of the tests' own, on the loopback interface. */
import DHT from "bittorrent-dht";
import { randomBytes } from "node:crypto";
import type { DiscoverySource, SourceContext } from "../../src/discovery/source.ts";
import { realTimers } from "../../src/io/timers.ts";

export const LOOPBACK = "127.0.0.1";

/** What a source tells, put down; and a context that gives it real time. */
export class Listener implements SourceContext {
  readonly timers: SourceContext["timers"];
  /** `topic host:port from`, the topic by its first byte in hex. */
  readonly told: string[] = [];
  changes = 0;
  readonly #waiting = new Set<() => void>();

  constructor(timers = realTimers({ monotonic: () => performance.now() })) {
    this.timers = timers;
  }

  random = (): number => 0.5;
  randomBytes = (length: number): Uint8Array => new Uint8Array(randomBytes(length));

  found: SourceContext["found"] = ({ name }, { host, port }, from) => {
    this.told.push(`${name.slice(0, 2)} ${host}:${port} ${from}`);
    this.#wake();
  };

  changed: SourceContext["changed"] = () => {
    this.changes++;
    this.#wake();
  };

  /** Wait until something holds, looking again whenever the source said something. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** A source that closes itself at the end of its block. */
export interface Owned {
  readonly source: DiscoverySource;
  readonly heard: Listener;
  [Symbol.asyncDispose](): Promise<void>;
}

export function own(make: (context: SourceContext) => DiscoverySource, heard = new Listener()) {
  const source = make(heard);
  return { source, heard, [Symbol.asyncDispose]: () => source.close() };
}

/** Nodes of the package `bittorrent-dht`, all of which know the first. */
export class BittorrentNetwork implements AsyncDisposable {
  readonly nodes: DHT[] = [];

  static async open(size: number): Promise<BittorrentNetwork> {
    const network = new BittorrentNetwork();
    for (let i = 0; i < size; i++) {
      const node = new DHT({ bootstrap: i === 0 ? false : network.bootstrap });
      node.on("error", () => {});
      network.nodes.push(node);
      await new Promise<void>((resolve) => node.listen(0, LOOPBACK, resolve));
      if (!node.ready) await new Promise((resolve) => node.once("ready", resolve));
    }
    return network;
  }

  /** The first node, as a bootstrap list. */
  get bootstrap(): string[] {
    return [`${LOOPBACK}:${this.nodes[0].address().port}`];
  }

  /** Until somebody has announced himself at one of them. */
  announced(): Promise<void> {
    return new Promise((resolve) => {
      for (const node of this.nodes) node.once("announce", () => resolve());
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => new Promise<void>((done) => node.destroy(done))));
  }
}
