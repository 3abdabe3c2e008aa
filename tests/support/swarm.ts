/**
 * Many cores under one virtual clock: messages travel with delay, links break, nobody sleeps. What
 * happens follows from the calls and the seed alone.
 */
import type { TroveError } from "../../src/base/errors.ts";
import type { Effect, FeedId, Input, PeerId, QuietEnd } from "../../src/core/sync/inputs.ts";
import type { SyncCore } from "../../src/core/sync/sync_core.ts";
import { frameSize } from "../../src/core/wire/frame_writer.ts";
import { EventQueue } from "./event_queue.ts";
import type { MemoryFeed } from "./memory_feed.ts";
import { Random } from "./random.ts";
import { Carrier, End, type LinkShape } from "./swarm_links.ts";
import { Node, type NodeOptions } from "./swarm_node.ts";

export { Node, type NodeOptions } from "./swarm_node.ts";
export type { LinkShape } from "./swarm_links.ts";

/** A dial to where nothing answers fails after this time. */
const DIAL_TIMEOUT_MS = 5000;

/** Bytes and messages that nodes handed to their links. */
export interface Traffic {
  messages: number;
  /** Of whole frames. */
  bytes: number;
  /** Of the blocks in them. */
  blockBytes: number;
}

/** Sees each step of each core. */
export type Watcher = (node: Node, input: Input, effects: readonly Effect[]) => void;

export class Swarm {
  readonly random: Random;
  readonly nodes = new Map<string, Node>();
  readonly traffic: Traffic = { messages: 0, bytes: 0, blockBytes: 0 };
  /** Delay of links that nodes dial by themselves. */
  dialDelayMs = 10;
  /** The shape of those links, if it is not always that. */
  shapeOf?: (dialling: Node, remote: Node) => LinkShape;
  watch?: Watcher;
  readonly #queue = new EventQueue();
  readonly #carrier: Carrier;
  #nextPeer = 1;
  /** While the swarm is in parts: the part of each node, by name. Nodes of others are unreachable. */
  #parts: ReadonlyMap<string, number> | undefined;

  constructor(seed: string) {
    this.random = new Random(seed);
    this.#carrier = new Carrier(this.#queue, this.random, {
      flushed: (end, bytes) => {
        if (end.open) this.give(end.node, { kind: "flushed", peer: end.peer, bytes });
      },
      partial: (end, partialBytes) => {
        this.give(end.remote, { kind: "heard", peer: end.remotePeer, partialBytes });
      },
      drained: (end) => this.after(1, () => this.#close(end, "closed")),
    });
  }

  /** Milliseconds of virtual time. */
  get now(): number {
    return this.#queue.now;
  }

  add(name: string, options: NodeOptions): Node {
    const node = new Node(name, options, this.random);
    this.nodes.set(name, node);
    this.join(node, 0, node.feed);
    if (options.content !== undefined) this.join(node, 1, options.content);
    if (options.follow) this.give(node, { kind: "follow", feed: 0 });
    this.#tick(node, node.core);
    return node;
  }

  /** Let a feed of a node's one archive take part. */
  join(node: Node, feed: FeedId, reader: MemoryFeed): void {
    node.feeds.set(feed, reader);
    this.give(node, { kind: "join", feed, reader, primary: 0 });
  }

  /** A link between two nodes; the first one dialled. */
  connect(a: Node, b: Node, shape: number | LinkShape = 1 + this.random.below(50)): void {
    const [atA, atB] = [this.#nextPeer++, this.#nextPeer++];
    const made = typeof shape === "number" ? { delayMs: shape } : shape;
    a.ends.set(atA, new End(a, b, { peer: atA, remotePeer: atB, shape: made }));
    b.ends.set(atB, new End(b, a, { peer: atB, remotePeer: atA, shape: made }));
    this.give(b, { kind: "linked", peer: atB, address: seenAddress(a, atA) });
    this.give(a, { kind: "linked", peer: atA, address: b.address, primary: 0 });
  }

  /** Break every link between two nodes; what is on its way is lost. */
  cut(a: Node, b: Node): void {
    for (const end of [...a.ends.values()]) if (end.remote === b) this.#close(end, "closed");
  }

  /** From here on nothing gets through on the links between two nodes, and nobody is told. */
  lose(a: Node, b: Node): void {
    for (const end of a.ends.values()) {
      if (end.remote !== b) continue;
      end.lost = true;
      const other = b.ends.get(end.remotePeer);
      if (other !== undefined) other.lost = true;
    }
  }

  /**
   * Part the swarm: nodes with different numbers cannot reach each other, nor can those without one
   * reach those with. Links between them are lost; `undefined` makes it whole again.
   */
  part(parts: ReadonlyMap<string, number> | undefined): void {
    this.#parts = parts;
    if (parts === undefined) return;
    for (const node of this.nodes.values()) {
      for (const { remote } of node.ends.values()) {
        if (!this.#reaches(node, remote)) this.lose(node, remote);
      }
    }
  }

  /** A node's process ends without a word. */
  kill(node: Node): void {
    node.up = false;
    for (const end of [...node.ends.values()]) this.#close(end, "closed");
  }

  /** A node is gone for good. */
  remove(node: Node): void {
    this.kill(node);
    this.nodes.delete(node.name);
  }

  /** The process ends without a word, and another one goes on with what is stored. */
  restart(node: Node): void {
    this.kill(node);
    node.renew();
    for (const input of node.firstInputs()) this.give(node, input);
    this.#tick(node, node.core);
  }

  /** A node takes in what is sent to it, or does not. */
  setDeaf(node: Node, deaf: boolean): void {
    node.deaf = deaf;
    if (!deaf) this.#carrier.resume(node);
  }

  give(node: Node, input: Input): void {
    const { core } = node;
    const effects = core.step(input, this.now);
    for (const effect of effects) this.#perform(node, effect);
    this.watch?.(node, input, effects);
  }

  /** Run until `done`, or until the virtual time is over. Answers whether it was done in time. */
  run(ms: number, done?: () => boolean): boolean {
    return this.#queue.run(ms, done);
  }

  after(ms: number, run: () => void): void {
    this.#queue.after(ms, run);
  }

  /** Later, unless the node's process is another one by then. */
  #later(node: Node, ms: number, run: () => void): void {
    const { core } = node;
    this.after(ms, () => {
      if (node.core === core) run();
    });
  }

  #tick(node: Node, core: SyncCore): void {
    this.after(1000, () => {
      if (!node.up || node.core !== core) return;
      this.give(node, { kind: "tick" });
      this.#tick(node, core);
    });
  }

  #perform(node: Node, effect: Effect): void {
    switch (effect.kind) {
      case "send":
        return this.#send(node, effect);
      case "keepalive":
        return this.#keepalive(node, effect.peer);
      case "unlink":
        return this.#unlink(node, effect.peer, effect.reason);
      case "load": {
        const { peer, feed, request } = effect;
        const value = node.feeds.get(feed)!.block(request.block);
        return this.#later(
          node,
          0,
          () => this.give(node, { kind: "loaded", peer, feed, request, value }),
        );
      }
      case "store": {
        const { feed, block } = effect;
        node.feeds.get(feed)!.store(block);
        const blocks = [block.block];
        return this.#later(node, 1, () => this.give(node, { kind: "stored", feed, blocks }));
      }
      case "dial":
        return this.#later(node, this.dialDelayMs, () => this.#dial(node, effect.address));
      case "report":
        if (!node.options.forgetful) node.reports.push(effect.report);
        return;
    }
  }

  #send(node: Node, effect: Extract<Effect, { kind: "send" }>): void {
    const { peer, channel, bytes: flushBytes, message } = effect;
    const tampered = node.options.tamper ? node.options.tamper(message) : message;
    if (!node.options.forgetful) node.sent.push({ peer, message });
    this.#note(node, peer);
    const end = node.ends.get(peer);
    if (node.options.stuck || end === undefined) return;
    if (tampered === undefined || node.options.mute) {
      return this.#later(node, 1, () => {
        if (end.open) this.give(node, { kind: "flushed", peer, bytes: flushBytes });
      });
    }
    const bytes = frameSize({ channel, message });
    const { traffic } = this;
    traffic.messages++;
    traffic.bytes += bytes;
    if (message.type === "data") traffic.blockBytes += message.value?.length ?? 0;
    const arrive = (remote: Node, atRemote: PeerId) => {
      this.give(remote, { kind: "message", peer: atRemote, channel, message: tampered });
      this.give(remote, { kind: "heard", peer: atRemote, partialBytes: 0 });
    };
    this.#carrier.send(end, { flushBytes, bytes, arrive });
  }

  #keepalive(node: Node, peer: PeerId): void {
    this.#note(node, peer);
    const end = node.ends.get(peer);
    if (end === undefined || node.options.stuck || node.options.mute) return;
    const arrive = (remote: Node, atRemote: PeerId) => {
      this.give(remote, { kind: "heard", peer: atRemote, partialBytes: 0 });
    };
    this.#carrier.send(end, { flushBytes: 0, bytes: frameSize("keepalive"), arrive });
  }

  #unlink(node: Node, peer: PeerId, reason: TroveError | QuietEnd): void {
    const end = node.ends.get(peer);
    if (end === undefined) return;
    // What was sent before a good end still arrives.
    if (reason === "done" && !end.isDrained) end.ending = true;
    else this.after(0, () => this.#close(end, "closed"));
  }

  #dial(node: Node, address: string): void {
    if (!node.up) return;
    const remote = this.#nodeAt(address);
    if (remote !== undefined && !this.#reaches(node, remote)) {
      return this.#later(node, DIAL_TIMEOUT_MS, () => {
        this.give(node, {
          kind: "unreachable",
          address,
          primary: 0,
          reason: "connection timed out",
        });
      });
    }
    if (remote === undefined || !remote.up) {
      const reason = "connection refused";
      return this.give(node, { kind: "unreachable", address, primary: 0, reason });
    }
    this.connect(node, remote, this.shapeOf?.(node, remote) ?? this.dialDelayMs);
  }

  #nodeAt(address: string): Node | undefined {
    const named = this.nodes.get(address);
    if (named !== undefined && named.address === address) return named;
    for (const node of this.nodes.values()) if (node.address === address) return node;
    return undefined;
  }

  #reaches(a: Node, b: Node): boolean {
    return this.#parts === undefined || this.#parts.get(a.name) === this.#parts.get(b.name);
  }

  #close(end: End, reason: TroveError | QuietEnd): void {
    if (!end.open) return;
    end.open = false;
    end.node.ends.delete(end.peer);
    const other = end.remote.ends.get(end.remotePeer);
    if (end.node.up) this.give(end.node, { kind: "unlinked", peer: end.peer, reason });
    // The other end of a lost link hears nothing of this either.
    if (other === undefined || end.lost) return;
    other.open = false;
    end.remote.ends.delete(end.remotePeer);
    this.give(end.remote, { kind: "unlinked", peer: end.remotePeer, reason: "closed" });
  }

  #note(node: Node, peer: PeerId): void {
    if (node.options.forgetful) return;
    const times = node.sentAt.get(peer);
    if (times === undefined) node.sentAt.set(peer, [this.now]);
    else times.push(this.now);
  }
}

/** How a node that dials looks from the other side: with a port of its own for each link. */
function seenAddress({ address }: Node, peer: PeerId): string {
  const at = address.lastIndexOf(":");
  return at === -1 ? address : `${address.slice(0, at)}:${49152 + peer % 16384}`;
}
