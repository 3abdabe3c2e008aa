/**
 * Many cores under one virtual clock: messages travel with delay, links break, nobody sleeps. What
 * happens follows from the calls and the seed alone.
 */
import type { TroveError } from "../../src/base/errors.ts";
import type {
  Effect,
  FeedId,
  Input,
  PeerId,
  QuietEnd,
  Report,
} from "../../src/core/sync/inputs.ts";
import { SyncCore } from "../../src/core/sync/sync_core.ts";
import type { Message } from "../../src/core/wire/messages.ts";
import type { MemoryFeed } from "./memory_feed.ts";
import { Random } from "./random.ts";

export interface NodeOptions {
  readonly feed: MemoryFeed;
  readonly live?: boolean;
  readonly persistent?: boolean;
  /** Fetch everything. */
  readonly follow?: boolean;
  /** A second feed, which belongs to the first one's archive. */
  readonly content?: MemoryFeed;
  /** What becomes of a message on its way out; undefined swallows it. */
  readonly tamper?: (message: Message) => Message | undefined;
  /** The link is up but nothing ever goes out. */
  readonly mute?: boolean;
  /** The system takes nothing of what is sent. */
  readonly stuck?: boolean;
}

/** One end of a link. */
interface End {
  readonly peer: PeerId;
  readonly remote: Node;
  readonly remotePeer: PeerId;
  readonly delayMs: number;
  open: boolean;
  /** When the last message sent arrives: links keep the order. */
  arrivesAt: number;
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export class Node {
  readonly name: string;
  readonly core: SyncCore;
  readonly feed: MemoryFeed;
  readonly feeds = new Map<FeedId, MemoryFeed>();
  readonly options: NodeOptions;
  readonly ends = new Map<PeerId, End>();
  readonly reports: Report[] = [];
  /** When each message or keepalive left, per peer. */
  readonly sentAt = new Map<PeerId, number[]>();
  readonly sent: { peer: PeerId; message: Message }[] = [];
  up = true;

  constructor(name: string, options: NodeOptions, random: Random) {
    this.name = name;
    this.options = options;
    this.feed = options.feed;
    const { live = false, persistent = false } = options;
    this.core = new SyncCore({ id: random.bytes(32), live, persistent });
  }

  count(kind: Report["kind"]): number {
    return this.reports.filter((report) => report.kind === kind).length;
  }

  /** How many messages of a type this node sent. */
  sentOf(type: Message["type"]): number {
    return this.sent.filter(({ message }) => message.type === type).length;
  }

  get isComplete(): boolean {
    return this.count("complete") > 0;
  }
}

export class Swarm {
  readonly random: Random;
  readonly nodes = new Map<string, Node>();
  now = 0;
  readonly #queue: Event[] = [];
  #order = 0;
  #nextPeer = 1;
  /** Delay of links that nodes dial by themselves. */
  dialDelayMs = 10;

  constructor(seed: string) {
    this.random = new Random(seed);
  }

  add(name: string, options: NodeOptions): Node {
    const node = new Node(name, options, this.random);
    this.nodes.set(name, node);
    this.join(node, 0, node.feed);
    if (options.content !== undefined) this.join(node, 1, options.content);
    if (options.follow) this.give(node, { kind: "follow", feed: 0 });
    this.#tick(node);
    return node;
  }

  /** Let a feed of a node's one archive take part. */
  join(node: Node, feed: FeedId, reader: MemoryFeed): void {
    node.feeds.set(feed, reader);
    this.give(node, { kind: "join", feed, reader, primary: 0 });
  }

  /** A link between two nodes; the first one dialled. */
  connect(a: Node, b: Node, delayMs = 1 + this.random.below(50)): void {
    const [atA, atB] = [this.#nextPeer++, this.#nextPeer++];
    const link = { delayMs, open: true, arrivesAt: 0 };
    a.ends.set(atA, { ...link, peer: atA, remote: b, remotePeer: atB });
    b.ends.set(atB, { ...link, peer: atB, remote: a, remotePeer: atA });
    this.give(b, { kind: "linked", peer: atB, address: a.name });
    this.give(a, { kind: "linked", peer: atA, address: b.name, primary: 0 });
  }

  /** Break every link between two nodes; what is on its way is lost. */
  cut(a: Node, b: Node): void {
    for (const end of [...a.ends.values()]) if (end.remote === b) this.#close(a, end, "closed");
  }

  /** A node's process ends without a word. */
  kill(node: Node): void {
    node.up = false;
    for (const end of [...node.ends.values()]) this.#close(node, end, "closed");
  }

  give(node: Node, input: Input): void {
    for (const effect of node.core.step(input, this.now)) this.#perform(node, effect);
  }

  /** Run until `done`, or until the virtual time is over. Answers whether it was done in time. */
  run(ms: number, done: () => boolean = () => false): boolean {
    const end = this.now + ms;
    while (!done()) {
      const next = this.#queue[0];
      if (next === undefined || next.at > end) {
        this.now = end;
        return done();
      }
      this.#pop();
      this.now = next.at;
      next.run();
    }
    return true;
  }

  after(ms: number, run: () => void): void {
    this.#push({ at: this.now + ms, order: this.#order++, run });
  }

  #tick(node: Node): void {
    this.after(1000, () => {
      if (!node.up) return;
      this.give(node, { kind: "tick" });
      this.#tick(node);
    });
  }

  #perform(node: Node, effect: Effect): void {
    switch (effect.kind) {
      case "send":
        return this.#send(node, effect);
      case "keepalive":
        this.#note(node, effect.peer);
        return this.#carry(node, effect.peer, (remote, peer) => {
          this.give(remote, { kind: "heard", peer, partialBytes: 0 });
        });
      case "unlink": {
        const end = node.ends.get(effect.peer);
        if (end === undefined) return;
        // What was sent before a good end still arrives.
        if (effect.reason === "done") this.after(end.delayMs + 1, () => this.#drop(node, end));
        else this.after(0, () => this.#drop(node, end));
        return;
      }
      case "load": {
        const { peer, feed, request } = effect;
        const value = node.feeds.get(feed)!.block(request.block);
        return this.after(0, () => this.give(node, { kind: "loaded", peer, feed, request, value }));
      }
      case "store": {
        const { feed, block } = effect;
        node.feeds.get(feed)!.store(block);
        return this.after(
          1,
          () => this.give(node, { kind: "stored", feed, blocks: [block.block] }),
        );
      }
      case "dial":
        return this.after(this.dialDelayMs, () => this.#dial(node, effect.address));
      case "report":
        node.reports.push(effect.report);
        return;
    }
  }

  #send(node: Node, effect: Extract<Effect, { kind: "send" }>): void {
    const { peer, channel, bytes } = effect;
    const tampered = node.options.tamper ? node.options.tamper(effect.message) : effect.message;
    node.sent.push({ peer, message: effect.message });
    this.#note(node, peer);
    if (node.options.stuck) return;
    this.after(1, () => this.give(node, { kind: "flushed", peer, bytes }));
    if (tampered === undefined || node.options.mute) return;
    this.#carry(node, peer, (remote, atRemote) => {
      this.give(remote, { kind: "message", peer: atRemote, channel, message: tampered });
      this.give(remote, { kind: "heard", peer: atRemote, partialBytes: 0 });
    });
  }

  /** Deliver after the link's delay, in order, unless the link is gone by then. */
  #carry(node: Node, peer: PeerId, deliver: (remote: Node, peer: PeerId) => void): void {
    const end = node.ends.get(peer);
    if (end === undefined || !end.open || node.options.mute) return;
    end.arrivesAt = Math.max(end.arrivesAt, this.now + end.delayMs);
    this.after(end.arrivesAt - this.now, () => {
      if (end.open && end.remote.up) deliver(end.remote, end.remotePeer);
    });
  }

  #dial(node: Node, address: string): void {
    const remote = this.nodes.get(address);
    if (remote === undefined || !remote.up) {
      const reason = "connection refused";
      return this.give(node, { kind: "unreachable", address, primary: 0, reason });
    }
    this.connect(node, remote, this.dialDelayMs);
  }

  #drop(node: Node, end: End): void {
    this.#close(node, end, "closed");
  }

  #close(node: Node, end: End, reason: TroveError | QuietEnd): void {
    if (!end.open) return;
    const other = end.remote.ends.get(end.remotePeer)!;
    end.open = false;
    other.open = false;
    node.ends.delete(end.peer);
    end.remote.ends.delete(end.remotePeer);
    this.give(node, { kind: "unlinked", peer: end.peer, reason });
    this.give(end.remote, { kind: "unlinked", peer: end.remotePeer, reason: "closed" });
  }

  #note(node: Node, peer: PeerId): void {
    const times = node.sentAt.get(peer);
    if (times === undefined) node.sentAt.set(peer, [this.now]);
    else times.push(this.now);
  }

  #push(event: Event): void {
    const queue = this.#queue;
    queue.push(event);
    for (let child = queue.length - 1; child > 0;) {
      const parent = (child - 1) >> 1;
      if (!isBefore(queue[child], queue[parent])) return;
      [queue[child], queue[parent]] = [queue[parent], queue[child]];
      child = parent;
    }
  }

  #pop(): void {
    const queue = this.#queue;
    const last = queue.pop()!;
    if (queue.length === 0) return;
    queue[0] = last;
    for (let parent = 0;;) {
      let least = parent;
      for (const child of [2 * parent + 1, 2 * parent + 2]) {
        if (child < queue.length && isBefore(queue[child], queue[least])) least = child;
      }
      if (least === parent) return;
      [queue[least], queue[parent]] = [queue[parent], queue[least]];
      parent = least;
    }
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
