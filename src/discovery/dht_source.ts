/**
 * A DHT as a way of finding peers: gets into the network, goes through it for each topic again and
 * again, and tells how that goes. The two DHTs differ in the node that they hand it.
 */
import { listed } from "../base/format.ts";
import type { HostPort } from "../io/peer_address.ts";
import type { Timers } from "../io/timers.ts";
import type { DhtNode } from "./dht_node.ts";
import { type Resolve, resolveNodes } from "./node_addresses.ts";
import { SavedNodes } from "./saved_nodes.ts";
import type { DiscoverySource, Interest, SourceContext, SourceName } from "./source.ts";
import type { SourceState } from "./source.ts";
import { untilAborted, within } from "./time_limit.ts";
import type { Topic } from "./topic.ts";
import { type Round, type RoundsOptions, TopicRounds } from "./topic_rounds.ts";

/** What users of either DHT can choose. */
export interface DhtOptions {
  /** Nodes to enter the network by, `host:port` or `host`. Public ones if it is left out. */
  readonly bootstrap?: readonly string[];
  /** Where the nodes that answered are kept for the next run; nowhere if it is left out. */
  readonly folder?: string;
  /** The address of our own that the UDP port is bound to; all of them if it is left out. */
  readonly host?: string;
  readonly resolve?: Resolve;
}

export interface DhtSourceOptions extends DhtOptions, Pick<RoundsOptions, "period"> {
  readonly name: SourceName;
  readonly entries: readonly HostPort[];
  /** @throws {Error} If there can be no node; the message is a clause for people. */
  readonly open: () => Promise<DhtNode>;
  /** The name of a topic in this DHT. */
  readonly targetOf: (topic: Topic) => Uint8Array;
}

/** Without a single answer by then the network is not there. An answer takes 0.3 s mostly. */
const ENTER_MS = 8_000;

/** An attempt to enter ends by then: hyperswarm waits 7.5 s for each node. */
const ATTEMPT_MS = 20_000;

/** Pauses between attempts to enter. */
const FIRST_PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 5 * 60_000;

/** How often nodes that answered are written down, at most. */
const SAVE_MS = 5 * 60_000;

/** Of the two seconds that closing may take, these are for taking announcements back. */
const WITHDRAW_MS = 1_500;

/** Announcements that are taken back at the end; the others are forgotten by themselves. */
const MAX_WITHDRAWN = 16;

export class DhtSource implements DiscoverySource {
  readonly name: SourceName;
  readonly #options: DhtSourceOptions;
  readonly #context: SourceContext;
  readonly #rounds: TopicRounds;
  readonly #saved: SavedNodes;
  readonly #closing = new AbortController();
  /** What goes on: entering, taking back. All of it ends before the source is closed. */
  readonly #tasks = new Set<Promise<void>>();
  #node: DhtNode | undefined;
  #entered = false;
  #entering = false;
  #failure: string | undefined;
  /** Nodes that were asked at the last attempt to enter, and how many of them were saved ones. */
  #asked = { nodes: 0, saved: 0 };
  #savedAt = -Infinity;

  constructor(options: DhtSourceOptions, context: SourceContext) {
    this.name = options.name;
    this.#options = options;
    this.#context = context;
    this.#saved = new SavedNodes(options.folder, options.name);
    const { timers, random } = context;
    this.#rounds = new TopicRounds({
      ...{ timers, random, period: options.period },
      run: (round) => this.#run(round),
      found: (topic, candidate, from) => context.found(topic, candidate, from),
      changed: (topic) => context.changed(topic),
      silent: () => this.#enterAgain(),
    });
  }

  join(topic: Topic, interest: Interest): void {
    if (this.#closing.signal.aborted) return;
    this.#rounds.set(topic, interest);
    if (!this.#entered) this.#startEntering();
  }

  askAgain(topic: Topic): void {
    if (this.#entered) this.#rounds.hasten(topic);
  }

  leave(topic: Topic): void {
    const port = this.#rounds.remove(topic);
    if (port !== undefined) this.#own(this.#withdraw([{ topic, port }]));
  }

  stateOf(topic: Topic): SourceState {
    if (this.#failure !== undefined) return { state: "failed", message: this.#failure };
    const counts = this.#rounds.countsOf(topic);
    if (counts !== undefined && counts.answers > 0) {
      const { answers, addresses } = counts;
      const message = `${count(answers, "node", "nodes")} answered, ` +
        count(addresses, "address", "addresses");
      return { state: "working", message };
    }
    const { nodes } = this.#asked;
    if (nodes === 0) return { state: "waiting", message: "asked nobody yet" };
    if (this.#entered && counts === undefined) {
      return { state: "waiting", message: "waits for its turn" };
    }
    return { state: "waiting", message: `asked ${count(nodes, "node", "nodes")}` };
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    const announced = this.#rounds.close();
    await Promise.all([
      this.#withdraw(announced.slice(0, MAX_WITHDRAWN)),
      this.#rounds.settled(),
      ...this.#tasks,
    ]);
    this.#save();
    await this.#node?.close();
  }

  /** A task that is waited for at the end. */
  #own(task: Promise<void>): void {
    this.#tasks.add(task);
    task.then(() => this.#tasks.delete(task));
  }

  #setFailure(failure: string | undefined): void {
    this.#failure = failure;
    this.#context.changed();
  }

  /** Nobody answers any more. */
  #enterAgain(): void {
    this.#entered = false;
    this.#rounds.pause();
    this.#startEntering();
  }

  #startEntering(): void {
    if (this.#entering || this.#closing.signal.aborted) return;
    this.#entering = true;
    this.#own(this.#enter());
  }

  /** Try until a node answers. */
  async #enter(): Promise<void> {
    const { timers, random } = this.#context;
    const { signal } = this.#closing;
    const since = timers.now();
    const cancel = timers.after(ENTER_MS, () => {
      if (!this.#entered && this.#failure === undefined) this.#setFailure(this.#silence());
    });
    for (let pause = FIRST_PAUSE_MS;; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      const failure = await this.#attempt();
      if (this.#entered || signal.aborted) break;
      // What is known to be wrong is told now; silence only when it has lasted.
      if (failure !== undefined) this.#setFailure(failure);
      else if (timers.now() - since >= ENTER_MS) this.#setFailure(this.#silence());
      await pauseFor(pause * (1 + random() / 4), { timers, signal });
      if (signal.aborted) break;
    }
    cancel();
    this.#entering = false;
  }

  /** Gives what is in the way; nothing if nodes were asked, whether they answered or not. */
  async #attempt(): Promise<string | undefined> {
    const { timers } = this.#context;
    const { signal } = this.#closing;
    const { entries, open, resolve } = this.#options;
    try {
      this.#node ??= await open();
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    const node = this.#node;
    const { addresses, unknown } = await resolveNodes(entries, { resolve, timers, signal });
    if (signal.aborted) return undefined;
    const saved = this.#saved.read();
    const nodes = [...addresses, ...saved];
    if (nodes.length === 0) {
      return unknown.length === 0 ? "knows no node to ask" : `cannot resolve ${listed(unknown)}`;
    }
    this.#asked = { nodes: nodes.length, saved: saved.length };
    this.#context.changed();
    await within(
      ATTEMPT_MS,
      { timers, signal },
      (signal) => node.enter(nodes, { signal, onAnswer: () => this.#onEntered() }),
    );
    return undefined;
  }

  #onEntered(): void {
    if (this.#entered || this.#closing.signal.aborted) return;
    this.#entered = true;
    this.#rounds.resume();
    this.#setFailure(undefined);
  }

  #silence(): string {
    const { nodes, saved } = this.#asked;
    const kind = saved > 0 ? "node" : "bootstrap node";
    return nodes === 1 ? `the one ${kind} did not answer` : `none of ${nodes} ${kind}s answered`;
  }

  async #run({ topic, interest, signal, onAnswer, onAddress }: Round): Promise<void> {
    const target = this.#options.targetOf(topic);
    await this.#node!.visit({
      ...{ target, signal, onAnswer, onAddress },
      announce: interest.announce,
    });
    if (this.#context.timers.now() - this.#savedAt >= SAVE_MS) this.#save();
  }

  async #withdraw(announced: readonly { topic: Topic; port: number }[]): Promise<void> {
    const node = this.#node;
    if (node?.withdraw === undefined || announced.length === 0) return;
    await within(WITHDRAW_MS, this.#context, async (signal) => {
      await Promise.all(
        announced.map(({ topic, port }) =>
          node.withdraw!(this.#options.targetOf(topic), port, { signal, onAnswer: () => {} })
        ),
      );
    });
  }

  #save(): void {
    this.#savedAt = this.#context.timers.now();
    this.#saved.write(this.#node?.nodes() ?? []);
  }
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}

function pauseFor(
  ms: number,
  { timers, signal }: { readonly timers: Timers; readonly signal: AbortSignal },
): Promise<void> {
  return within(ms, { timers, signal }, (limit) => untilAborted(limit, () => {}));
}
