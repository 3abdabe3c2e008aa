/** The feeds that other programs left on disk (`sleep/` and `archives/` of the vectors). */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fromHex } from "../../src/base/bytes.ts";
import { contentSeed } from "../../src/crypto/hash.ts";
import { keyPair } from "../../src/crypto/sign.ts";
import { readVector, vectorsDir } from "./vectors.ts";

/** Blocks [start, end). */
export type Run = readonly [start: number, end: number];

export type FileName = "tree" | "signatures" | "bitfield" | "data";

/** Every file that makes up a feed, apart from its keys. */
export const FILE_NAMES: readonly FileName[] = ["tree", "signatures", "bitfield", "data"];

/** A feed and what is known of it. */
export interface StoredFeed {
  readonly name: string;
  readonly publicKey: Uint8Array;
  readonly discoveryKey: Uint8Array;
  /** Absent for copies of other people's feeds. */
  readonly secretKey?: Uint8Array;
  /** Blocks. */
  readonly length: number;
  /** Bytes. */
  readonly byteLength: number;
  /** Which blocks are held. */
  readonly present: readonly Run[];
  /** Where the description says so. */
  readonly rootHash?: string;
  readonly roots?: readonly { index: number; size: number; hash: string }[];
  /** Bytes in hex of all blocks or of some. */
  readonly knownBlocks: ReadonlyMap<number, string>;
  /** Sizes in bytes, null where unknown. */
  readonly blockSizes?: readonly (number | null)[];
  /** The contents of one of its files, or undefined if it is not there. */
  file(name: FileName): Uint8Array | undefined;
}

interface JsonFeed {
  readonly dir: string;
  readonly key: string;
  readonly discoveryKey: string;
  readonly length: number;
  readonly byteLength: number;
  readonly present: readonly Run[];
  readonly rootHash: string | null;
  readonly roots: readonly { index: number; size: number; hash: string }[];
  readonly blockSizes: readonly (number | null)[] | { readonly all: number | null };
  readonly sampleBlocks: Readonly<Record<string, string>>;
  readonly secretKeyForTests?: string;
}

interface JsonArchive {
  readonly key: string;
  readonly discoveryKey: string;
  readonly contentKey: string;
  readonly contentDiscoveryKey: string;
  readonly metadataLength: number;
  readonly metadataByteLength: number;
  readonly contentLength: number;
  readonly contentByteLength: number;
  readonly contentBlocksPresent: readonly Run[];
  readonly metadata: readonly { readonly seq: number; readonly bytes: string }[];
  readonly secretKey?: string;
}

/** All of them. */
export function allFeeds(): StoredFeed[] {
  return [...sleepFeeds(), ...archiveFeeds()];
}

/** Those of `sleep/`. */
export function sleepFeeds(): StoredFeed[] {
  return readVector<{ feeds: readonly JsonFeed[] }>("sleep/expected.json").feeds.map((json) => {
    const dir = join(vectorsDir(), "sleep", json.dir);
    const secretKey = json.secretKeyForTests === undefined
      ? readIfThere(join(dir, "secret_key"))
      : fromHex(json.secretKeyForTests);
    const { blockSizes } = json;
    return {
      name: json.dir,
      publicKey: fromHex(json.key),
      discoveryKey: fromHex(json.discoveryKey),
      secretKey,
      length: json.length,
      byteLength: json.byteLength,
      present: json.present,
      rootHash: json.rootHash ?? undefined,
      roots: json.roots,
      knownBlocks: new Map(Object.entries(json.sampleBlocks).map(([at, hex]) => [Number(at), hex])),
      blockSizes: "all" in blockSizes
        ? Array<number | null>(json.length).fill(blockSizes.all)
        : blockSizes,
      file: (name) => readIfThere(join(dir, name)),
    };
  });
}

/** The two feeds of each of `archives/`. */
export function archiveFeeds(): StoredFeed[] {
  const dir = join(vectorsDir(), "archives");
  const names = readdirSync(dir).filter((name) => name.endsWith(".json")).sort();
  return names.flatMap((file) => {
    const json = readVector<JsonArchive>(`archives/${file}`);
    const name = file.slice(0, -".json".length);
    const hidden = join(dir, name, ".dat");
    const files = existsSync(hidden) ? hidden : join(dir, name);
    const secretKey = json.secretKey === undefined ? undefined : fromHex(json.secretKey);
    const metadata: StoredFeed = {
      name: `${name}, metadata`,
      publicKey: fromHex(json.key),
      discoveryKey: fromHex(json.discoveryKey),
      secretKey,
      length: json.metadataLength,
      byteLength: json.metadataByteLength,
      present: [[0, json.metadataLength]],
      knownBlocks: new Map(json.metadata.map(({ seq, bytes }) => [seq, bytes])),
      file: (name) => readIfThere(join(files, `metadata.${name}`)),
    };
    const content: StoredFeed = {
      name: `${name}, content`,
      publicKey: fromHex(json.contentKey),
      discoveryKey: fromHex(json.contentDiscoveryKey),
      secretKey: secretKey && keyPair(contentSeed(secretKey)).secretKey,
      length: json.contentLength,
      byteLength: json.contentByteLength,
      present: json.contentBlocksPresent,
      knownBlocks: new Map(),
      file: (name) => readIfThere(join(files, `content.${name}`)),
    };
    return [metadata, content];
  });
}

function readIfThere(path: string): Uint8Array | undefined {
  return existsSync(path) ? new Uint8Array(readFileSync(path)) : undefined;
}

/** The block numbers of runs. */
export function blocksIn(runs: readonly Run[]): number[] {
  return runs.flatMap(([start, end]) => Array.from({ length: end - start }, (_, i) => start + i));
}
