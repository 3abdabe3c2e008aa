/** A hyperswarm DHT of the tests' own, on the loopback interface. */
import hyperdht from "@hyperswarm/dht";
import type { Hyperdht } from "../../src/discovery/hyperdht.ts";
import { LOOPBACK } from "./dht.ts";

// The first one in a process starts a timer that the package `speedometer` keeps for all of them,
// and that nothing can stop. It does not keep the process alive; a test must not be blamed for it.
hyperdht({ bootstrap: [] }).destroy();

/** Nodes of the package `@hyperswarm/dht` that answer others, all of which know the first. */
export class HyperswarmNetwork implements AsyncDisposable {
  readonly nodes: HyperswarmNode[] = [];

  static async open(size: number): Promise<HyperswarmNetwork> {
    const network = new HyperswarmNetwork();
    for (let i = 0; i < size; i++) {
      const node = hyperdht({ bootstrap: i === 0 ? [] : network.bootstrap }) as HyperswarmNode;
      network.nodes.push(node);
      await new Promise<void>((resolve) => node.listen(0, LOOPBACK, resolve));
      await new Promise<void>((resolve) => node.ready(resolve));
    }
    return network;
  }

  get bootstrap(): string[] {
    return [`${LOOPBACK}:${this.nodes[0].address().port}`];
  }

  /** Until somebody has announced himself, or taken that back, at one of them. */
  heard(event: "announce" | "unannounce"): Promise<void> {
    return new Promise((resolve) => {
      for (const node of this.nodes) node.once(event, () => resolve());
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => {
      const closed = new Promise<void>((resolve) => node.once("close", () => resolve()));
      node.destroy();
      for (const { holepunch } of node._io.inflight) clearTimeout(holepunch ?? undefined);
      return closed;
    }));
  }
}

interface HyperswarmNode extends Hyperdht {
  listen(port: number, host: string, done: () => void): void;
  ready(done: () => void): void;
  address(): { port: number };
  once(event: string, listener: () => void): void;
}
