/** How a download is spread over sources, and what slow and silent ones cost. Times are virtual. */
import assert from "node:assert/strict";
import { MAX_QUEUE_MS, REQUEST_COST } from "../../../src/core/sync/limits.ts";
import { ownFeed } from "../../support/core_driver.ts";
import { MemoryFeed } from "../../support/memory_feed.ts";
import { PacedDownload, type SourceOptions } from "../../support/paced_sources.ts";
import { Random } from "../../support/random.ts";

const BLOCK_BYTES = 20;
const COST = REQUEST_COST + BLOCK_BYTES;

/** A feed of blocks of one size. */
function evenFeed(blocks: number, blockBytes = BLOCK_BYTES): MemoryFeed {
  const random = new Random(`even ${blocks}`);
  const all = Array.from({ length: blocks }, () => random.bytes(blockBytes));
  return MemoryFeed.owned(3).append(...all);
}

/** A source that answers so many blocks a second. */
function paced(perSecond: number, rttMs: number, rest: Partial<SourceOptions> = {}): SourceOptions {
  return { pace: perSecond * COST / 1000, rttMs, ...rest };
}

/** How long `blocks` take sources that lose no time. */
function idealMs(blocks: number, ...perSecond: readonly number[]): number {
  return 1000 * blocks / perSecond.reduce((sum, rate) => sum + rate, 0);
}

Deno.test("sources have shares in proportion to how fast they answer, near and far", () => {
  const rates = [400, 200, 100];
  for (const rtts of [[5, 60, 300], [300, 60, 1]]) {
    const sources = rates.map((rate, i) => paced(rate, rtts[i]));
    const download = new PacedDownload(evenFeed(6000), sources);
    const ms = download.run(60_000);
    assert.ok(download.isComplete);
    for (const [i, rate] of rates.entries()) {
      const share = download.sources.get(i + 1)!.answered / 6000;
      const fair = rate / 700;
      assert.ok(Math.abs(share / fair - 1) < 0.1, `${rtts}: ${share} of ${rate}, not ${fair}`);
    }
    assert.ok(ms < 1.1 * idealMs(6000, ...rates), `${ms} ms`);
    assert.ok(download.wasted <= 60, `${download.wasted} came twice`);
  }
});

Deno.test("no source has more to answer than it can in a few seconds", () => {
  const rates = [300, 20, 2];
  const download = new PacedDownload(evenFeed(3000), rates.map((rate) => paced(rate, 100)));
  download.run(5000, () => false);
  for (const source of download.sources.values()) source.longest = 0;
  download.run(60_000);
  assert.ok(download.isComplete);
  for (const [i, rate] of rates.entries()) {
    const { longest } = download.sources.get(i + 1)!;
    const most = Math.max(2, rate * (MAX_QUEUE_MS + 500) / 1000);
    assert.ok(longest <= most, `${longest} wait at the source of ${rate}/s`);
  }
});

Deno.test("a single source of any pace and distance is kept busy", () => {
  for (const [rate, rttMs] of [[1000, 1], [400, 100], [200, 600], [3, 300]]) {
    const blocks = 8 * rate;
    const download = new PacedDownload(evenFeed(blocks), [paced(rate, rttMs)]);
    const ms = download.run(60_000);
    const startMs = 6 * rttMs; // the window grows by as much as comes
    assert.ok(ms < 1.05 * idealMs(blocks, rate) + startMs, `${rate}/s, ${rttMs} ms: ${ms} ms`);
    assert.equal(download.wasted, 0);
  }
});

Deno.test("a source that answers a second's worth at a time is kept busy too", () => {
  const download = new PacedDownload(evenFeed(2000), [paced(100, 10, { burstMs: 1000 })]);
  const ms = download.run(60_000);
  const startMs = 4000; // the window doubles from burst to burst
  assert.ok(ms < 1.05 * idealMs(2000, 100) + startMs, `${ms} ms`);
});

Deno.test("a source that falls silent costs little, whenever it does and whatever it takes", () => {
  for (const ignoresCancel of [false, true]) {
    for (const stallsAt of [50, 5000, 9500]) {
      const silent = paced(100, 20, { stallsAt, ignoresCancel });
      const blocks = 3000;
      const download = new PacedDownload(evenFeed(blocks), [
        silent,
        paced(100, 20),
        paced(100, 20),
      ]);
      const ms = download.run(60_000);
      const ideal = stallsAt + idealMs(blocks - 0.3 * stallsAt, 200);
      assert.ok(ms < 1.1 * ideal, `silent from ${stallsAt} on: ${ms} ms, not ${ideal}`);
      assert.ok(download.wasted <= 60, `${download.wasted} came twice`);
    }
  }
});

Deno.test("a source that goes on after a pause is used again", () => {
  const pausing = paced(100, 20, { stallsAt: 2000, resumesAt: 6000, ignoresCancel: true });
  const download = new PacedDownload(evenFeed(4000), [pausing, paced(100, 20), paced(100, 20)]);
  const ms = download.run(60_000);
  const { answered } = download.sources.get(1)!;
  assert.ok(answered > 800, `${answered} blocks`);
  assert.ok(ms < 1.1 * idealMs(4400, 300), `${ms} ms`);
  assert.ok(download.wasted <= 80, `${download.wasted} came twice`);
  assert.equal(download.ended.size, 0);
});

Deno.test("a source that never goes on is dropped at last", () => {
  const silent = paced(100, 20, { stallsAt: 2000 });
  const download = new PacedDownload(evenFeed(6000), [silent, paced(100, 20)]);
  download.run(90_000);
  assert.ok(download.isComplete);
  assert.deepEqual([...download.ended.keys()], [1]);
});

Deno.test("at the end a slow source is raced by one that is idle, and the loser is told", () => {
  for (const ignoresCancel of [false, true]) {
    const slow = paced(12, 300, { ignoresCancel });
    const download = new PacedDownload(evenFeed(1000), [slow, paced(200, 10)]);
    const ms = download.run(60_000);
    assert.ok(ms < 1.1 * idealMs(1000, 212), `${ms} ms`);
    assert.ok(download.cancels > 0);
    download.run(download.now + 10_000, () => false);
    assert.ok(download.wasted <= 14, `${download.wasted} came twice, not 4 and one in a hundred`);
    assert.equal(download.ended.size, 0, "late answers are no breach");
  }
});

Deno.test("a source is not late because blocks turned out to be larger than thought", () => {
  // 64 KiB each, where a few hundred bytes are usual: the slow one takes a minute for what it is asked
  // at first, in time by its own pace.
  for (const ignoresCancel of [false, true]) {
    const slow = { pace: 20, rttMs: 40, ignoresCancel };
    const download = new PacedDownload(evenFeed(60, 65_536), [{ pace: 200, rttMs: 40 }, slow]);
    const ms = download.run(120_000);
    assert.ok(download.isComplete);
    assert.ok(ms < 25_000, `${ms} ms`);
    assert.ok(download.wasted <= 2, `${download.wasted} came twice`);
  }
});

Deno.test("blocks that few have are fetched before those that many have", () => {
  const source = ownFeed(600);
  const all = { start: 0, end: 600 };
  const most = [{ start: 0, end: 500 }];
  const download = new PacedDownload(source, [
    paced(50, 10, { has: [all] }),
    paced(50, 10, { has: most }),
    paced(50, 10, { has: most }),
  ]);
  download.run(3500, () => false);
  const rare = [...download.copy.blocks.keys()].filter((block) => block >= 500).length;
  assert.ok(rare >= 95, `${rare} of 100 after ${download.copy.blocks.size} blocks`);
  download.run(60_000);
  assert.ok(download.isComplete);
});

Deno.test("the order may be chosen: that of the feed, though sources are partial", () => {
  const source = ownFeed(300);
  const download = new PacedDownload(source, []);
  download.give({ kind: "follow", feed: 0, order: "linear" });
  download.addSource(1, paced(50, 10));
  download.addSource(2, paced(50, 10, { has: [{ start: 0, end: 200 }] }));
  download.run(1500, () => false);
  const held = [...download.copy.blocks.keys()].filter((block) => block > 0);
  assert.ok(Math.max(...held) < 250 && held.length > 80, `${held.length}`);
  download.run(60_000);
  assert.ok(download.isComplete);
});
