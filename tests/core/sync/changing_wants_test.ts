/** What is wanted changes all the time, and peers differ in what they make of a Cancel. */
import assert from "node:assert/strict";
import { HEEDS_CANCEL } from "../../../src/core/sync/cancels.ts";
import { answerFor, CoreDriver, emptyCopy } from "../../support/core_driver.ts";
import { MemoryFeed } from "../../support/memory_feed.ts";
import { Random } from "../../support/random.ts";

const SEEDS = 60;
const STEP_MS = 10;
const KINDS = [
  { name: "hypercore", promises: false, heeds: false },
  { name: "trove", promises: true, heeds: true },
  { name: "liar", promises: true, heeds: false },
  { name: "other", promises: false, heeds: true },
] as const;

interface Remote {
  readonly peer: number;
  readonly heeds: boolean;
  /** It says that it heeds a Cancel, and does not: its own backlog may be the end of its link. */
  readonly isLiar: boolean;
  /** What it was asked for and has not answered. */
  readonly queue: number[];
  answerMs: number;
  nextAt: number;
}

/** A download from some peers, each of which answers one block after the other. */
class Download {
  readonly source = MemoryFeed.owned(1);
  readonly driver: CoreDriver;
  readonly remotes: Remote[];
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
    const blockBytes = [300, 4000, 20_000][random.below(3)];
    const blocks = 50 + random.below(200);
    for (let n = 0; n < blocks; n++) this.source.append(new Uint8Array(blockBytes).fill(n));
    this.driver = new CoreDriver(emptyCopy(this.source));
    this.remotes = Array.from({ length: 1 + random.below(4) }, (_, n) => {
      const { promises, heeds } = KINDS[random.below(KINDS.length)];
      this.driver.open(n + 1, { extensions: promises ? [HEEDS_CANCEL] : [] });
      this.driver.have(n + 1, 0, blocks);
      const isLiar = promises && !heeds;
      return { peer: n + 1, heeds, isLiar, queue: [], answerMs: 5 + random.below(400), nextAt: 0 };
    });
  }

  get length(): number {
    return this.source.length;
  }

  get isComplete(): boolean {
    return this.driver.feeds.get(0)!.blocks.size === this.length;
  }

  want(start: number, end: number): void {
    const ranges = end > start ? [{ start, end }] : [];
    this.driver.give({ kind: "want", feed: 0, ranges });
  }

  run(steps: number, until: () => boolean = () => false): void {
    for (; steps > 0 && !until(); steps--) this.#step();
  }

  #step(): void {
    const { driver } = this;
    driver.now += STEP_MS;
    for (const { peer, message } of driver.news()) {
      const { queue, heeds } = this.remotes[peer - 1];
      if (message.type === "request") queue.push(message.index);
      const at = message.type === "cancel" && heeds ? queue.indexOf(message.index) : -1;
      if (at !== -1) queue.splice(at, 1);
    }
    for (const remote of this.remotes) {
      if (driver.now < remote.nextAt) continue;
      const block = remote.queue.shift();
      driver.give({ kind: "heard", peer: remote.peer, partialBytes: 0 });
      if (block === undefined) continue;
      driver.say(remote.peer, answerFor(this.source, driver.feeds.get(0)!, block));
      if (this.#random.below(60) === 0) remote.answerMs = 5 + this.#random.below(1000);
      remote.nextAt = driver.now + remote.answerMs;
    }
    if (driver.now % 1000 === 0) driver.give({ kind: "tick" });
  }
}

Deno.test(`${SEEDS} downloads whose wants change again and again complete, and nothing is owed then`, () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const random = new Random(`changing wants ${seed}`);
    const download = new Download(random);
    const { length } = download;
    for (let changes = random.below(30); changes > 0; changes--) {
      const start = random.below(length);
      const [from, to] =
        [[0, 0], [start, Math.min(length, start + 40)], [0, length]][random.below(3)];
      download.want(from, to);
      download.run(random.below(60));
    }
    download.want(0, length);
    download.run(60_000, () => download.isComplete);
    const honest = download.remotes.filter(({ isLiar }) => !isLiar);
    if (honest.length > 0) assert.ok(download.isComplete, `seed ${seed}`);
    for (const { peer } of honest) assert.ok(!download.driver.ended.has(peer), `seed ${seed}`);
    download.run(3000);
    assert.equal(download.driver.core.sizes().owed, 0, `seed ${seed}`);
  }
});
