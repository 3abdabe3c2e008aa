/**
 * A swarm that is drawn at random and disturbed at random for a while: links break or go silent,
 * parts lose sight of each other, processes die and come back, some stop reading, some leave and
 * return elsewhere, some lie all the time, and the owner goes on appending. Then it is left alone.
 */
import assert from "node:assert/strict";
import { emptyCopy } from "../support/core_driver.ts";
import type { MemoryFeed } from "../support/memory_feed.ts";
import { type Node, Swarm } from "../support/swarm.ts";
import { LIARS } from "./liars.ts";
import { addressOf, edgesOf, feedOf, hasAll, TOPOLOGIES } from "./topologies.ts";
import { Watch } from "./watch.ts";
import { assertSameBytes } from "../support/same_bytes.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** How often everybody is told again where the others are. */
const DISCOVERY_MS = 20 * SECOND;

export interface DisturbedOptions {
  readonly seed: string;
  /** How many nodes there are at most, the owner among them. */
  readonly nodes?: number;
  /** A disturbance comes about so often, in milliseconds. */
  readonly everyMs?: number;
  readonly minutes?: number;
  readonly liars?: boolean;
}

export interface Disturbed {
  readonly nodes: number;
  readonly liars: readonly string[];
  readonly disturbances: number;
  /** From the end of the disturbances until everybody honest had everything, in virtual time. */
  readonly secondsToConverge: number;
  /** Block data on the wire over one copy for each node but the owner. */
  readonly copies: number;
  readonly watch: Watch;
}

/** @throws {AssertionError} If anything that must hold does not, or not everybody gets there. */
export function disturb(options: DisturbedOptions): Disturbed {
  const run = new Run(options);
  try {
    return run.run();
  } catch (error) {
    const { message } = error as Error;
    throw new Error(`Seed "${options.seed}", after ${run.swarm.now} ms: ${message}`, {
      cause: error,
    });
  }
}

class Run {
  readonly swarm: Swarm;
  readonly #options: DisturbedOptions;
  readonly #source: MemoryFeed;
  readonly #watch: Watch;
  readonly #nodes: Node[] = [];
  readonly #honest: Node[] = [];
  readonly #liars: string[] = [];
  /** Whom each node knows, by number. */
  readonly #known = new Map<Node, Node[]>();
  #disturbances = 0;
  #moves = 0;
  #over = false;

  constructor(options: DisturbedOptions) {
    this.#options = options;
    this.swarm = new Swarm(options.seed);
    const { random } = this.swarm;
    this.#source = feedOf(random, 1 + random.below(150), 1 + random.below(2000));
    this.#watch = new Watch(this.swarm, new Map([[0, this.#source]]));
    this.#populate(2 + random.below((options.nodes ?? 12) - 1));
  }

  run(): Disturbed {
    const { swarm } = this;
    const { everyMs = 3 * SECOND, minutes = 2 } = this.#options;
    this.#discover();
    this.#goOn(everyMs);
    swarm.run(minutes * MINUTE);
    this.#over = true;
    this.#calm();
    const start = swarm.now;
    const done = () => this.#honest.every((node) => hasAll(node, this.#source));
    assert.ok(swarm.run(15 * MINUTE, done), this.#missing());
    const secondsToConverge = (swarm.now - start) / SECOND;
    this.#checkContent();
    swarm.run(2 * MINUTE);
    this.#checkRest();
    const least = (this.#nodes.length - 1) * this.#source.byteLength;
    return {
      nodes: this.#nodes.length,
      liars: this.#liars,
      disturbances: this.#disturbances,
      secondsToConverge,
      copies: swarm.traffic.blockBytes / least,
      watch: this.#watch,
    };
  }

  #populate(count: number): void {
    const { random } = this.swarm;
    const kinds = Object.keys(LIARS);
    for (let n = 0; n < count; n++) {
      const lies = this.#options.liars === true && n > 0 && random.below(3) === 0;
      const kind = lies ? kinds[random.below(kinds.length)] : undefined;
      const feed = n === 0 ? this.#source : emptyCopy(this.#source);
      const node = this.swarm.add(`node ${n}`, {
        feed,
        follow: n > 0,
        live: true,
        persistent: true,
        forgetful: true,
        address: addressOf(n),
        upBytesPerSecond: (1 + random.below(20)) * 50_000,
        tamper: kind === undefined ? undefined : LIARS[kind](this.swarm),
      });
      this.#nodes.push(node);
      this.#known.set(node, []);
      if (kind === undefined) this.#honest.push(node);
      else this.#liars.push(kind);
    }
    this.swarm.shapeOf = () => ({ delayMs: 1 + random.below(150), jitterMs: random.below(30) });
    const edges = edgesOf(TOPOLOGIES[random.below(TOPOLOGIES.length)], count, random);
    for (const [a, b] of edges) this.#known.get(this.#nodes[a])!.push(this.#nodes[b]);
    // Whatever the liars do, there is a way round them.
    for (let n = 1; n < this.#honest.length; n++) {
      this.#known.get(this.#honest[n])!.push(this.#honest[n - 1]);
    }
  }

  #discover(): void {
    for (const [node, others] of this.#known) {
      if (!node.up) continue;
      for (const { address } of others) {
        this.swarm.give(node, { kind: "found", address, primary: 0 });
      }
    }
    this.swarm.after(DISCOVERY_MS, () => this.#discover());
  }

  /** One disturbance after the other until it is over. */
  #goOn(everyMs: number): void {
    this.swarm.after(this.swarm.random.below(2 * everyMs), () => {
      if (this.#over) return;
      this.#disturbances++;
      this.#disturbOnce();
      this.#goOn(everyMs);
    });
  }

  #disturbOnce(): void {
    const { swarm } = this;
    const { random } = swarm;
    const node = this.#anyNode();
    const end = [...node.ends.values()][random.below(node.ends.size)];
    const until = 1 + random.below(40 * SECOND);
    switch (random.below(8)) {
      case 0:
        if (end !== undefined) swarm.cut(node, end.remote);
        return;
      case 1:
        if (end !== undefined) swarm.lose(node, end.remote);
        return;
      case 2:
        swarm.part(new Map(this.#nodes.map(({ name }) => [name, random.below(2)])));
        return this.#later(until, () => swarm.part(undefined));
      case 3:
        swarm.kill(node);
        return this.#later(until, () => this.#revive(node));
      case 4:
        return this.#revive(node, true);
      case 5:
        swarm.setDeaf(node, true);
        return this.#later(until, () => swarm.setDeaf(node, false));
      case 6:
        return this.#leave(node, until);
      default:
        return this.#append();
    }
  }

  #anyNode(): Node {
    return this.#nodes[this.swarm.random.below(this.#nodes.length)];
  }

  #later(ms: number, run: () => void): void {
    this.swarm.after(ms, () => {
      if (!this.#over) run();
    });
  }

  #revive(node: Node, evenIfUp = false): void {
    if (!node.up || evenIfUp) this.swarm.restart(node);
  }

  /** In good order, and back under another address. */
  #leave(node: Node, until: number): void {
    if (!node.up) return;
    const { core } = node;
    this.swarm.give(node, { kind: "stop" });
    this.swarm.after(10 * SECOND, () => {
      if (node.core !== core || !node.up) return;
      assert.ok(node.core.finished, `${node.name} does not come to its end`);
      this.swarm.kill(node);
    });
    this.swarm.after(10 * SECOND + until, () => {
      if (node.core !== core) return;
      node.address = addressOf(1000 + this.#moves++);
      this.#revive(node);
    });
  }

  #append(): void {
    const { swarm } = this;
    const { random } = swarm;
    const [owner] = this.#nodes;
    const start = this.#source.length;
    const blocks = Array.from({ length: 1 + random.below(10) }, () => random.bytes(40));
    this.#source.append(...blocks);
    if (owner.up) swarm.give(owner, { kind: "appended", feed: 0, start });
  }

  /** Everybody is back, hears and is heard. */
  #calm(): void {
    const { swarm } = this;
    swarm.part(undefined);
    for (const node of this.#nodes) {
      this.#revive(node);
      if (node.deaf) swarm.setDeaf(node, false);
    }
  }

  #missing(): string {
    const rows = this.#honest.map(({ name, feed, up }) => `${name} ${up} ${feed.blocks.size}`);
    return `of ${this.#source.length}: ${rows.join(", ")}; liars: ${this.#liars.join(", ")}`;
  }

  #checkContent(): void {
    for (const { name, feed } of this.#nodes) {
      for (const [block, value] of feed.blocks) {
        assertSameBytes(value, this.#source.block(block), `${name}, block ${block}`);
      }
    }
  }

  /** Nothing waits for anything when there is nothing to do. */
  #checkRest(): void {
    for (const node of this.#honest) {
      const { name, core } = node;
      const knows = node.feed.writable || this.#watch.isComplete(node);
      assert.ok(knows, `${name} does not say it is complete`);
      const { inFlight, owed, reserved, storing, queuedRequests, queuedBytes } = core.sizes();
      assert.deepEqual(
        { inFlight, owed, reserved, storing, queuedRequests, queuedBytes },
        { inFlight: 0, owed: 0, reserved: 0, storing: 0, queuedRequests: 0, queuedBytes: 0 },
        `${name} is not at rest; liars: ${this.#liars.join(", ")}`,
      );
    }
  }
}
