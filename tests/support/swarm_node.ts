/** One simulated process of a swarm: a core, its feeds, and a record of what it did. */
import type { FeedId, Input, PeerId, Report } from "../../src/core/sync/inputs.ts";
import { SyncCore } from "../../src/core/sync/sync_core.ts";
import type { Message } from "../../src/core/wire/messages.ts";
import type { MemoryFeed } from "./memory_feed.ts";
import type { Random } from "./random.ts";
import type { End } from "./swarm_links.ts";

export interface NodeOptions {
  readonly feed: MemoryFeed;
  readonly live?: boolean;
  readonly persistent?: boolean;
  /** Ask peers for acknowledgements. */
  readonly ack?: boolean;
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
  /** Where others dial this node; its name if absent. */
  readonly address?: string;
  /** What leaves the node over all of its links, in bytes per second; unlimited if absent. */
  readonly upBytesPerSecond?: number;
  /** What reaches it, likewise. */
  readonly downBytesPerSecond?: number;
  /** Keep no list of what was sent, when, and of reports, for runs that take long. */
  readonly forgetful?: boolean;
}

export class Node {
  readonly name: string;
  address: string;
  core: SyncCore;
  readonly feed: MemoryFeed;
  readonly feeds = new Map<FeedId, MemoryFeed>();
  readonly options: NodeOptions;
  readonly ends = new Map<PeerId, End>();
  readonly reports: Report[] = [];
  /** When each message or keepalive left, per peer. */
  readonly sentAt = new Map<PeerId, number[]>();
  readonly sent: { peer: PeerId; message: Message }[] = [];
  up = true;
  /** Takes nothing off its links: what others send piles up at their side. */
  deaf = false;
  /** Links with something to send, in the order of their turns. */
  readonly turns: End[] = [];
  /** Something is on its way out right now. */
  sending = false;
  /** When all that is on its way here is in. */
  downFreeAt = 0;
  readonly #random: Random;

  constructor(name: string, options: NodeOptions, random: Random) {
    this.name = name;
    this.address = options.address ?? name;
    this.options = options;
    this.feed = options.feed;
    this.#random = random;
    this.core = this.#newCore();
  }

  /** A new process in place of the old one. What lies in the feeds is still there. */
  renew(): void {
    this.core = this.#newCore();
    this.up = true;
    this.deaf = false;
  }

  /** What a process is told when it starts. */
  *firstInputs(): IterableIterator<Input> {
    for (const [feed, reader] of this.feeds) yield { kind: "join", feed, reader, primary: 0 };
    if (!this.options.follow) return;
    for (const feed of this.feeds.keys()) yield { kind: "follow", feed };
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

  #newCore(): SyncCore {
    const { live = false, persistent = false, ack } = this.options;
    return new SyncCore({ id: this.#random.bytes(32), live, persistent, ack });
  }
}
