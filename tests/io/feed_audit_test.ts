/** Checking feeds on disk: whole ones are clean, and damage is blamed on the place where it is. */
import assert from "node:assert/strict";
import type { RangeSet } from "../../src/base/ranges.ts";
import { DataFile } from "../../src/io/data_file.ts";
import { auditFeed, type FeedAudit } from "../../src/io/feed_audit.ts";
import { RawFeed } from "../../src/io/raw_feed.ts";
import { MemoryDisk } from "../support/memory_access.ts";
import { TEST_KEYS } from "../support/open_feed.ts";
import { allFeeds } from "../support/stored_feeds.ts";

const NAMES = ["tree", "signatures", "bitfield"] as const;

function audit(disk: MemoryDisk, publicKey = TEST_KEYS.publicKey): FeedAudit {
  const [tree, signatures, bitfield] = NAMES.map((name) => disk.open(name));
  const raw = new RawFeed({ tree, signatures, bitfield });
  const data = new DataFile(disk.open("data"));
  const blocks = { read: data.read.bind(data), mayHold: () => true };
  return auditFeed(raw, { publicKey, blocks, turnsBlocks: true });
}

/** Everything wrong, in short; counts and lengths apart. */
function wrongs(found: FeedAudit): Record<string, number[]> {
  const sets: Record<string, RangeSet> = {
    blocks: found.badBlocks,
    unmarkedBlocks: found.unmarkedBlocks,
    nodes: found.badNodes,
    unmarkedNodes: found.unmarkedNodes,
    signatures: found.badSignatures,
    strayBlocks: found.strayBlocks,
    strayNodes: found.strayNodes,
  };
  return Object.fromEntries(
    Object.entries(sets).filter(([, set]) => !set.isEmpty)
      .map(([name, set]) => [name, numbersOf(set)]),
  );
}

function numbersOf(set: RangeSet): number[] {
  return [...set].flatMap(({ start, end }) =>
    Array.from({ length: end - start }, (_, i) => start + i)
  );
}

for (const feed of allFeeds()) {
  Deno.test(`${feed.name} is clean`, () => {
    const disk = new MemoryDisk();
    for (const name of [...NAMES, "data"] as const) {
      const bytes = feed.file(name);
      if (bytes !== undefined) disk.open(name).write(bytes, 0);
    }
    const latestMode = feed.file("data") === undefined;
    const found = audit(disk, feed.publicKey);
    assert.equal(found.length, feed.length);
    assert.equal(found.proven, true);
    const wrong = wrongs(found);
    // The bytes of working files are not at hand here.
    if (latestMode) delete wrong.blocks;
    // Cleared blocks whose bytes are still there are a clear that nobody can tell from lost bits.
    if (feed.name === "hc6-cleared") delete wrong.unmarkedBlocks;
    assert.deepEqual(wrong, {});
  });
}
