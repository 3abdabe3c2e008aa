/** The recorded proofs of proofs.json, with bytes for hex. */
import { fromHex } from "../../src/base/bytes.ts";
import type { TreeNode } from "../../src/core/feed/node.ts";
import type { BlockRequest } from "../../src/core/feed/reader.ts";
import { type BlockData, verifyData } from "../../src/core/feed/verify.ts";
import { MemoryFeed } from "./memory_feed.ts";
import { readVector } from "./vectors.ts";

interface JsonProof {
  readonly index: number;
  readonly digest: number;
  readonly hash?: boolean;
  readonly value?: string;
  readonly nodes: readonly { index: number; size: number; hash: string }[];
  readonly signature: string | null;
}

interface JsonProofs {
  readonly single: readonly {
    length: number;
    byteLength: number;
    publicKey: string;
    cases: readonly JsonProof[];
  }[];
  readonly sessions: readonly {
    length: number;
    appendedInBatchesOf: number;
    publicKey: string;
    steps: readonly JsonProof[];
  }[];
}

/** A Request and the Data that answered it. */
export interface Exchange {
  readonly request: BlockRequest;
  readonly data: BlockData;
}

export interface RecordedFeed {
  readonly name: string;
  /** Blocks. */
  readonly length: number;
  /** Bytes, where the recording says so. */
  readonly byteLength?: number;
  readonly publicKey: Uint8Array;
  readonly exchanges: readonly Exchange[];
}

/** Answers to readers who hold nothing: each exchange stands for itself. */
export function singleProofs(): RecordedFeed[] {
  return readVector<JsonProofs>("proofs.json").single.map((feed) => ({
    name: `the feed of ${feed.length} blocks`,
    length: feed.length,
    byteLength: feed.byteLength,
    publicKey: fromHex(feed.publicKey),
    exchanges: feed.cases.map(exchange),
  }));
}

/** Readers who take blocks in some order, and hold what the steps before gave them. */
export function proofSessions(): RecordedFeed[] {
  return readVector<JsonProofs>("proofs.json").sessions.map((session) => ({
    name: `the session over ${session.length} blocks in batches of ${session.appendedInBatchesOf}`,
    length: session.length,
    publicKey: fromHex(session.publicKey),
    exchanges: session.steps.map(exchange),
  }));
}

function exchange({ index, digest, hash, value, nodes, signature }: JsonProof): Exchange {
  return {
    request: { block: index, digest, hashOnly: hash === true },
    data: {
      index,
      nodes: nodes.map((node): TreeNode => ({ ...node, hash: fromHex(node.hash) })),
      ...(value !== undefined && { value: fromHex(value) }),
      ...(signature !== null && { signature: fromHex(signature) }),
    },
  };
}

/**
 * A feed with every node that the exchanges let a reader know, and the signature of its length: as
 * good as the feed that gave the answers.
 */
export function answeringFeed({ publicKey, exchanges }: RecordedFeed): MemoryFeed {
  const feed = new MemoryFeed(publicKey);
  // Those without a value only prove their hash; the leaf is among the nodes if it was asked for.
  for (const { request, data } of exchanges) {
    if (request.hashOnly || data.value !== undefined) feed.store(verifyData(feed, data));
  }
  return feed;
}
