/**
 * A swarm over hours of virtual time: an owner that appends every few minutes, links that break or go
 * silent, processes that are started anew, guests that come under new addresses and leave. At the end
 * of each hour all is quiet for a while: then everybody has everything, nothing waits for anything,
 * and nobody holds more than in the hours before.
 */
import assert from "node:assert/strict";
import { emptyCopy } from "../support/core_driver.ts";
import type { MemoryFeed } from "../support/memory_feed.ts";
import { type Node, Swarm } from "../support/swarm.ts";
import { addressOf, feedOf, hasAll } from "./topologies.ts";
import { Watch } from "./watch.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** How long it is quiet at the end of each hour. */
const QUIET_MS = 8 * MINUTE;

/** How often everybody is told where the others are. */
const DISCOVERY_MS = MINUTE;

export interface SoakOptions {
  readonly seed: string;
  readonly hours: number;
  /** Those that stay, the owner among them. */
  readonly nodes?: number;
  /** Told at the end of each hour. */
  readonly onHour?: (hour: SoakHour) => void;
}

/** What the nodes that stay hold when all is quiet, together or the one that holds most. */
export interface SoakHour {
  readonly hour: number;
  /** Blocks of the feed. */
  readonly blocks: number;
  readonly guests: number;
  readonly links: number;
  readonly mostAddresses: number;
  /** Entries of everything else that the cores keep. */
  readonly entries: number;
  /** Dials of one node in one minute, the most there were in the hour. */
  readonly mostDials: number;
  readonly steps: number;
}

/** @throws {AssertionError} If anything that must hold does not. */
export function soak(options: SoakOptions): SoakHour[] {
  const run = new Soak(options);
  try {
    return run.run();
  } catch (error) {
    const { message } = error as Error;
    throw new Error(`Seed "${options.seed}", after ${run.swarm.now} ms: ${message}`, {
      cause: error,
    });
  }
}

class Soak {
  readonly swarm: Swarm;
  readonly #options: SoakOptions;
  readonly #source: MemoryFeed;
  readonly #watch: Watch;
  /** The nodes that stay, and all that are there. */
  readonly #residents: Node[] = [];
  #guests = 0;
  #quiet = false;

  constructor(options: SoakOptions) {
    this.#options = options;
    this.swarm = new Swarm(options.seed);
    const { random } = this.swarm;
    this.#source = feedOf(random, 20, 200);
    this.#watch = new Watch(this.swarm, new Map([[0, this.#source]]));
    this.swarm.shapeOf = () => ({ delayMs: 5 + random.below(100), jitterMs: 20 });
    for (let n = 0; n < (options.nodes ?? 6); n++) {
      this.#residents.push(this.#add(`node ${n}`, n === 0 ? this.#source : undefined, n));
    }
  }

  run(): SoakHour[] {
    const { swarm } = this;
    this.#discover();
    this.#every(5 * MINUTE, () => this.#append());
    this.#every(3 * MINUTE, () => this.#breakLink());
    this.#every(15 * MINUTE, () => this.#restart());
    this.#every(5 * MINUTE, () => this.#invite());
    const hours: SoakHour[] = [];
    for (let hour = 1; hour <= this.#options.hours; hour++) {
      this.#watch.mostDialsOfAll = 0;
      swarm.run(HOUR - QUIET_MS);
      this.#quiet = true;
      swarm.run(QUIET_MS);
      hours.push(this.#look(hour));
      this.#quiet = false;
      this.#options.onHour?.(hours[hours.length - 1]);
    }
    checkFlat(hours);
    return hours;
  }

  #add(name: string, feed: MemoryFeed | undefined, number: number): Node {
    return this.swarm.add(name, {
      feed: feed ?? emptyCopy(this.#source),
      follow: feed === undefined,
      live: true,
      persistent: true,
      forgetful: true,
      address: addressOf(number),
    });
  }

  /** Again and again, but not while it is quiet. */
  #every(ms: number, run: () => void): void {
    this.swarm.after(ms / 2 + this.swarm.random.below(ms), () => {
      if (!this.#quiet) run();
      this.#every(ms, run);
    });
  }

  #discover(): void {
    for (const node of this.swarm.nodes.values()) {
      for (const { address } of this.swarm.nodes.values()) {
        // The one of two whose address is higher dials, as both would make two links.
        if (node.up && node.address > address) {
          this.swarm.give(node, { kind: "found", address, primary: 0 });
        }
      }
    }
    this.swarm.after(DISCOVERY_MS, () => this.#discover());
  }

  #append(): void {
    const { random } = this.swarm;
    const start = this.#source.length;
    this.#source.append(...Array.from({ length: 1 + random.below(4) }, () => random.bytes(200)));
    this.swarm.give(this.#residents[0], { kind: "appended", feed: 0, start });
  }

  #breakLink(): void {
    const node = this.#anyResident();
    const end = [...node.ends.values()][this.swarm.random.below(node.ends.size)];
    if (end === undefined) return;
    if (this.swarm.random.below(2) === 0) this.swarm.cut(node, end.remote);
    else this.swarm.lose(node, end.remote);
  }

  #restart(): void {
    this.swarm.restart(this.#anyResident());
  }

  #anyResident(): Node {
    return this.#residents[this.swarm.random.below(this.#residents.length)];
  }

  /** Somebody comes, and leaves after a while, with a word or without. */
  #invite(): void {
    const { swarm } = this;
    const number = 256 + this.#guests++;
    const guest = this.#add(`guest ${number}`, undefined, number);
    for (const { address } of this.#residents) {
      swarm.give(guest, { kind: "found", address, primary: 0 });
      for (const node of this.#residents) {
        swarm.give(node, { kind: "found", address: guest.address, primary: 0 });
      }
    }
    const polite = swarm.random.below(2) === 0;
    swarm.after(MINUTE + swarm.random.below(4 * MINUTE), () => {
      if (polite) swarm.give(guest, { kind: "stop" });
      swarm.after(polite ? 5 * SECOND : 0, () => swarm.remove(guest));
    });
  }

  #look(hour: number): SoakHour {
    const all = this.#residents.map((node) => ({ node, sizes: node.core.sizes() }));
    const sum = { links: 0, entries: 0, mostAddresses: 0 };
    for (const { node, sizes } of all) {
      const { name, feed } = node;
      assert.ok(hasAll(node, this.#source), `${name} has ${feed.blocks.size} blocks`);
      const { inFlight, owed, reserved, storing, queuedRequests, queuedBytes, earlyMessages } =
        sizes;
      assert.deepEqual(
        { inFlight, owed, reserved, storing, queuedRequests, queuedBytes, earlyMessages },
        {
          inFlight: 0,
          owed: 0,
          reserved: 0,
          storing: 0,
          queuedRequests: 0,
          queuedBytes: 0,
          earlyMessages: 0,
        },
        `${name} is not at rest`,
      );
      assert.ok(sizes.peers > 0, `${name} is alone`);
      assert.ok(sizes.peers < 2 * all.length, `${name} has ${sizes.peers} links`);
      sum.links += sizes.links;
      sum.mostAddresses = Math.max(sum.mostAddresses, sizes.addresses);
      sum.entries += sizes.channels + sizes.unknownFeeds + sizes.wantAnswers + sizes.claims;
    }
    return {
      hour,
      blocks: this.#source.length,
      guests: this.#guests,
      ...sum,
      mostDials: this.#watch.mostDialsOfAll,
      steps: this.#watch.steps,
    };
  }
}

/** What is held in the second half is not more than in the first. */
function checkFlat(hours: readonly SoakHour[]): void {
  const half = hours.length >> 1;
  for (const what of ["links", "entries"] as const) {
    const before = Math.max(...hours.slice(0, half).map((hour) => hour[what]));
    const after = Math.max(...hours.slice(half).map((hour) => hour[what]));
    assert.ok(after <= 1.25 * before + 8, `${what} grew from ${before} to ${after}`);
  }
}
