/** Publishing what is appended to an archive that is being served. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { StorageError } from "../../src/base/errors.ts";
import { importFolder } from "../../src/app/import_folder.ts";
import { createArchive } from "../../src/app/open_archive.ts";
import { PublishedArchive } from "../../src/app/published_archive.ts";
import { readServed } from "../../src/app/served_lengths.ts";
import type { Synchronizer } from "../../src/app/synchronizer.ts";
import type { FeedReader } from "../../src/core/feed/reader.ts";
import type { Input } from "../../src/core/sync/inputs.ts";
import { put, testIn } from "../support/importing.ts";

const FEEDS = { metadata: 4, content: 7 };

/** What a synchronizer is given. */
class Recorder {
  readonly inputs: Input[] = [];
  readonly readers = new Map<number, FeedReader>();

  join(feed: number, _store: unknown, _primary: number, reader: FeedReader): void {
    this.readers.set(feed, reader);
  }

  input(input: Input): void {
    this.inputs.push(input);
  }
}

testIn("peers hear of what is on disk and noted, content first", async ({ dir, world }) => {
  using archive = createArchive(dir, world);
  const sync = new Recorder();
  const published = new PublishedArchive(archive, world);
  published.join(sync as unknown as Synchronizer, FEEDS);
  const { publicKey } = archive.metadata;
  const lengths = () => [...sync.readers.values()].map(({ length }) => length);
  const noted = () => {
    const { metadata, content } = readServed(publicKey, world)!;
    return [metadata.length, content.length];
  };
  const importAll = (onCommit?: () => void) =>
    importFolder(archive, { world, emit() {}, signal: new AbortController().signal, onCommit });
  assert.deepEqual([lengths(), noted()], [[1, 0], [1, 0]]);

  put(dir, "a", 100_000);
  put(dir, "b", 10);
  await importAll(() => {
    assert.deepEqual([lengths(), noted()], [[1, 0], [1, 0]]);
    published.publish();
  });
  assert.deepEqual([lengths(), noted()], [[3, 3], [3, 3]]);
  assert.deepEqual(sync.inputs.splice(0), [
    { kind: "appended", feed: FEEDS.content, start: 0 },
    { kind: "appended", feed: FEEDS.metadata, start: 1 },
  ]);

  // Where it cannot be noted, nobody hears of it; the next time does for both.
  const home = join(world.homeFolder!, ".dat", "trove", "served");
  Deno.renameSync(home, `${home}-away`);
  Deno.writeTextFileSync(home, "in the way");
  put(dir, "c", 10);
  await assert.rejects(importAll(() => published.publish()), StorageError);
  assert.deepEqual([lengths(), sync.inputs], [[3, 3], []]);
  Deno.removeSync(home);
  Deno.renameSync(`${home}-away`, home);
  published.publish();
  assert.deepEqual([lengths(), noted()], [[4, 4], [4, 4]]);
  assert.deepEqual(sync.inputs.splice(0).map(({ kind }) => kind), ["appended", "appended"]);
});

testIn("blocks are read from the files that have them by now", async ({ dir, world }) => {
  using archive = createArchive(dir, world);
  const published = new PublishedArchive(archive, world);
  const importAll = () =>
    importFolder(archive, {
      ...{ world, emit() {}, signal: new AbortController().signal },
      onCommit: (found) => published.publish(found),
    });
  const content = archive.content!;
  const held = () =>
    Array.from({ length: content.length }, (_, block) => content.readVerified(block)?.length);
  put(dir, "a", 70_000);
  put(dir, "b", 10);
  await importAll();
  assert.deepEqual(held(), [65536, 4464, 10]);
  Deno.renameSync(join(dir, "a"), join(dir, "folder"));
  put(dir, "b", "another text");
  await importAll();
  assert.deepEqual(held(), [undefined, undefined, undefined, 12, 65536, 4464]);
  Deno.removeSync(join(dir, "folder"));
  put(dir, "folder/inside", "x");
  await importAll();
  assert.deepEqual(held().slice(3), [12, undefined, undefined, 1]);
});
