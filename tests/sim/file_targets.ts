/** The readers of files that somebody else wrote or a disk damaged: feeds, keys, captures, notes. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { toUtf8 } from "../../src/base/bytes.ts";
import { TroveError } from "../../src/base/errors.ts";
import { archiveIn } from "../../src/app/archive_folder.ts";
import { readDatJson } from "../../src/app/dat_json.ts";
import { readCapture } from "../../src/app/inspect_wire.ts";
import { describeSleepFile, readSlot } from "../../src/app/inspect_sleep.ts";
import { readPublicKey } from "../../src/app/open_archive.ts";
import { rememberedPeers } from "../../src/app/remembered_peers.ts";
import { readSelection } from "../../src/app/selection_note.ts";
import { SavedNodes } from "../../src/discovery/saved_nodes.ts";
import { NameCache } from "../../src/discovery/name_cache.ts";
import { MemoryDisk } from "../support/memory_access.ts";
import { MemoryFiles } from "../support/memory_files.ts";
import { openOn } from "../support/open_feed.ts";
import { FILE_NAMES, type FileName, sleepFeeds, type StoredFeed } from "../support/stored_feeds.ts";
import { encryptedDirections } from "../support/wire_vectors.ts";
import { type CaseRandom, damage, mutate } from "./mutate.ts";
import { type ParserTarget, refusing } from "./parser_fuzz.ts";

/** Feeds whose files are small enough to be copied for each case, in bytes. */
const MAX_FEED_BYTES = 8000;

/** What a feed's files say after something happened to one or two of them. */
export function feedsTarget(): ParserTarget {
  const feeds = sleepFeeds().map((feed) => ({ feed, files: filesOf(feed) }))
    .filter(({ files }) => [...files.values()].every(({ length }) => length < MAX_FEED_BYTES));
  assert.ok(feeds.length > 3);
  return {
    name: "feeds",
    samples: [new Uint8Array(1)],
    maxBytes: 1,
    // A page of bits, a chunk of nodes: whatever the file says.
    slackBytes: 256 * 1024,
    run(_bytes, random) {
      const { feed, files } = random.pick(feeds);
      const changed = new Map<string, Uint8Array>(files);
      for (let left = 1 + random.below(2); left > 0; left--) {
        const name = random.pick(FILE_NAMES);
        changed.set(name, damaged(changed.get(name) ?? new Uint8Array(0), random));
      }
      const access = random.below(6) === 0 ? "write" : "read";
      const { publicKey } = feed;
      // Whether keys belong together says nothing of files, and costs more than all else.
      const secretKey = access === "write" && random.below(2) === 0 ? feed.secretKey : undefined;
      refusing(TroveError, () => {
        using store = openOn(new MemoryDisk(changed), { publicKey, secretKey, access });
        for (let look = 0; look < 6; look++) {
          const block = random.below(Math.min(store.length, 1e6) + 2);
          const bytes = store.readMatching(block);
          if (bytes !== undefined) assert.equal(bytes.length, store.node(2 * block)!.size);
          store.hasNode(2 * block + 1);
          store.signature(block);
        }
        store.nextMissing(0, store.length);
      });
    },
  };
}

function filesOf(feed: StoredFeed): Map<FileName, Uint8Array> {
  return new Map(FILE_NAMES.flatMap((name) => {
    const bytes = feed.file(name);
    return bytes === undefined ? [] : [[name, bytes]];
  }));
}

function damaged(bytes: Uint8Array, random: CaseRandom): Uint8Array {
  if (random.below(4) === 0) return mutate(random, [bytes], 2 * MAX_FEED_BYTES);
  const copy = bytes.slice();
  for (let left = 1 + random.below(6); left > 0 && copy.length > 0; left--) damage(random, copy);
  return copy;
}

/** Small files by name, each with something like what belongs in it. In memory. */
export class FilesTarget implements ParserTarget, Disposable {
  readonly name = "files";
  readonly samples: readonly Uint8Array[];
  readonly maxBytes = 700;
  readonly slackBytes = 600 * 1024;
  readonly #files = new MemoryFiles("/trove-fuzz/folder");
  readonly #publicKey: Uint8Array;

  constructor() {
    const [{ bytes, publicKey }] = encryptedDirections();
    this.#publicKey = publicKey;
    const [tree] = sleepFeeds().map((feed) => feed.file("tree")).filter((file) =>
      file !== undefined
    );
    this.samples = [
      toUtf8(JSON.stringify({ title: "a", description: "b", links: { c: ["d"] } })),
      toUtf8(JSON.stringify({ select: ["a/**"], exclude: ["b"] })),
      toUtf8(JSON.stringify({ nodes: ["127.0.0.1:1", { host: "127.0.0.2", port: 2 }] })),
      toUtf8(JSON.stringify({ "example.org": { key: "6b".repeat(32), found: 1, until: 2 } })),
      toUtf8("127.0.0.1:3282\n[::1]:99\nws://127.0.0.1:1/x\n"),
      bytes.slice(0, 600),
      tree.slice(0, 600),
      publicKey,
    ];
    for (const name of ["key", "tree"]) this.#files.put(`.dat/metadata.${name}`, publicKey);
  }

  run(bytes: Uint8Array, random: CaseRandom): void {
    const { path } = this.#files;
    const file = (name: string) => this.#files.put(name, bytes);
    refusing(TroveError, () => {
      switch (random.below(7)) {
        case 0:
          file("dat.json");
          return readDatJson(path);
        case 1:
          return [
            ...readCapture(file("capture"), random.below(4) > 0 ? this.#publicKey : undefined),
          ];
        case 2:
          describeSleepFile(file("sleep"));
          return readSlot(join(path, "sleep"), random.below(50));
        case 3:
          file(".dat/trove.select");
          return readSelection(archiveIn(path)!);
        case 4:
          file(".dat/trove.peers");
          return rememberedPeers(archiveIn(path)!);
        case 5:
          file("x-nodes.json");
          return new SavedNodes(path, "x").read();
        default:
          file(".dat/metadata.key");
          refusing(TroveError, () => readPublicKey(archiveIn(path)!));
          return new NameCache(file("names")).get("example.org");
      }
    });
  }

  [Symbol.dispose](): void {
    this.#files[Symbol.dispose]();
  }
}
