/** Opening feeds for tests, on a disk in memory or on a real one. */
import { join } from "node:path";
import type { RandomAccess } from "../../src/base/random_access.ts";
import { requestDigest } from "../../src/core/feed/digest.ts";
import { prove } from "../../src/core/feed/prove.ts";
import type { FeedReader, VerifiedBlock } from "../../src/core/feed/reader.ts";
import { verifyData } from "../../src/core/feed/verify.ts";
import { type KeyPair, keyPair } from "../../src/crypto/sign.ts";
import { DataFile } from "../../src/io/data_file.ts";
import type { BlockStore } from "../../src/core/feed/block_store.ts";
import { type FeedFiles, FeedStore } from "../../src/io/feed_store.ts";
import { openFile } from "../../src/io/random_access.ts";
import type { MemoryDisk } from "./memory_access.ts";

/** The key pair of the feeds that tests make. */
export const TEST_KEYS: KeyPair = keyPair(new Uint8Array(32).fill(1));

export interface OpenOptions {
  readonly publicKey?: Uint8Array;
  readonly secretKey?: Uint8Array;
  readonly access?: "read" | "write";
  /** In place of a `data` file. */
  readonly blocks?: BlockStore;
  /** Whether there is a file for the bits of staged blocks. */
  readonly staged?: boolean;
}

/** Open a feed for writing, without its secret key, unless asked for otherwise. */
export function openOn(disk: MemoryDisk, options: OpenOptions = {}): FeedStore {
  return openFeed((name) => disk.open(name), options);
}

/** The same with the secret key of the feeds that tests make. */
export function openOwn(disk: MemoryDisk, options: OpenOptions = {}): FeedStore {
  return openOn(disk, { secretKey: TEST_KEYS.secretKey, ...options });
}

/** The same in a folder. */
export function openIn(folder: string, options: OpenOptions = {}): FeedStore {
  const { access = "write" } = options;
  return openFeed((name) => openFile(join(folder, name), { access }), options);
}

function openFeed(
  file: (name: string) => RandomAccess,
  { publicKey = TEST_KEYS.publicKey, secretKey, access = "write", blocks, staged }: OpenOptions,
): FeedStore {
  const files: FeedFiles = {
    tree: file("tree"),
    signatures: file("signatures"),
    bitfield: file("bitfield"),
    ...(staged && { staged: file("staged") }),
    blocks: blocks ?? new DataFile(file("data")),
  };
  return FeedStore.open({ files, publicKey, secretKey, access });
}

/** What a peer with the feed `from` sends to the feed `to` for a block, verified. */
export function fetchBlock(
  from: FeedReader,
  to: FeedReader,
  { block, value }: { block: number; value?: Uint8Array },
): VerifiedBlock {
  const hashOnly = value === undefined;
  const proof = prove(from, { block, digest: requestDigest(to, block), hashOnly });
  if (proof === undefined) throw new Error(`No proof for block ${block}`);
  return verifyData(to, { index: block, value, ...proof });
}
