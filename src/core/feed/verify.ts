/**
 * Checking a Data message against what is already trusted of a feed. Source: spec of replication,
 * section 9, and of storage, section 12.
 *
 * From the leaf, climb by siblings out of the proof or out of the feed, hashing parents, until the
 * climb meets a node that the feed holds, or reaches the full roots of a length that the feed's
 * owner signed. Nothing is stored here and nothing of a failed proof gets out.
 */
import { equalBytes } from "../../base/bytes.ts";
import { ForkError, ProofError } from "../../base/errors.ts";
import { HASH_BYTES, leafHash, rootHash } from "../../crypto/hash.ts";
import { SIGNATURE_BYTES, verify } from "../../crypto/sign.ts";
import { parentOf, totalSize } from "./append.ts";
import { blocksUpTo, fullRoots, MAX_BLOCKS, parent, sibling } from "./flat_tree.ts";
import type { TreeNode } from "./node.ts";
import type { FeedReader, VerifiedBlock } from "./reader.ts";

/** Most nodes that a proof may have. Source: spec of errors and limits, section 5. */
export const MAX_PROOF_NODES = 128;

/** The part of a feed that proofs are checked against. */
export type TrustedFeed = Pick<
  FeedReader,
  "publicKey" | "length" | "byteLength" | "node"
>;

/** A Data message, as far as proofs care. */
export interface BlockData {
  /** Block number. */
  readonly index: number;
  /** Absent when only hashes were asked for; then the leaf is the first of `nodes`. */
  readonly value?: Uint8Array;
  readonly nodes: readonly TreeNode[];
  readonly signature?: Uint8Array;
}

/**
 * Prove a block, or the hash of one, against a feed. Only hashing touches `value`, which the result
 * passes on uncopied; hashes and signature are copied out of the message.
 *
 * The result's nodes are those not held before, with one exception: a leaf that came without its
 * block may be there again with another size. See `mendLeaves`.
 *
 * @throws {ProofError} If anything about the proof is wrong.
 * @throws {ForkError} If the proof is good and yet contradicts what was proven before: the owner
 * has signed two histories.
 */
export function verifyData(feed: TrustedFeed, data: BlockData): VerifiedBlock {
  checkForm(data);
  return new Climb(feed, data).run();
}

/** Everything that can be said about a proof without hashing. */
function checkForm({ index, nodes, signature }: BlockData): void {
  if (!Number.isSafeInteger(index) || index < 0 || index >= MAX_BLOCKS) {
    throw new ProofError(`Cannot verify block ${index}: block numbers are below 2^52`);
  }
  if (nodes.length > MAX_PROOF_NODES) {
    throw new ProofError(
      `Cannot verify block ${index}: ${nodes.length} proof nodes, at most ${MAX_PROOF_NODES} are fine`,
    );
  }
  for (const node of nodes) {
    if (!isCount(node.index) || !isCount(node.size) || node.hash.length !== HASH_BYTES) {
      throw new ProofError(
        `Cannot verify block ${index}: proof node ${node.index} has size ${node.size} and a hash of ` +
          `${node.hash.length} bytes`,
      );
    }
  }
  if (signature !== undefined && signature.length !== SIGNATURE_BYTES) {
    throw new ProofError(
      `Cannot verify block ${index}: signature of ${signature.length} bytes, need ${SIGNATURE_BYTES}`,
    );
  }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** One walk from a leaf to something trusted. */
class Climb {
  readonly #feed: TrustedFeed;
  readonly #data: BlockData;
  /** How many of the proof's nodes are used up. */
  #used = 0;
  /** Nodes met that the feed does not hold. */
  readonly #fresh: TreeNode[] = [];
  /** The first node met that the feed holds with another hash. */
  #conflict?: TreeNode;

  constructor(feed: TrustedFeed, data: BlockData) {
    this.#feed = feed;
    this.#data = data;
  }

  run(): VerifiedBlock {
    let top = this.#leaf();
    let held = this.#meet(top);
    if (held !== undefined && equalBytes(held.hash, top.hash)) {
      // Without the block, the size that came along says nothing about the one held.
      if (this.#data.value === undefined) return this.#accept([]);
      return this.#accept(
        mendLeaves(this.#feed, top) ??
          this.#fail(`its size of ${top.size} bytes is not the signed one`),
      );
    }
    while (true) {
      const beside = this.#sibling(top);
      if (beside === undefined) return this.#acceptRoots(top);
      top = parentOf(top, beside);
      held = this.#meet(top);
      if (held === undefined || !equalBytes(held.hash, top.hash)) continue;
      // Only the owner can make a node whose size is not that of its children.
      if (held.size !== top.size) {
        this.#fail(`the sizes below node ${top.index} do not add up to its own`);
      }
      return this.#accept(this.#fresh);
    }
  }

  #leaf(): TreeNode {
    const { index, value } = this.#data;
    if (value !== undefined) {
      return { index: 2 * index, hash: leafHash(value), size: value.length };
    }
    const leaf = this.#take(2 * index);
    return leaf ?? this.#fail("neither its bytes nor its hash are there");
  }

  /** The proof's next node, copied, if it is node `index`. */
  #take(index: number): TreeNode | undefined {
    const next = this.#data.nodes[this.#used];
    if (next === undefined || next.index !== index) return undefined;
    this.#used++;
    return { index, hash: new Uint8Array(next.hash), size: next.size };
  }

  #sibling(top: TreeNode): TreeNode | undefined {
    const index = sibling(top.index);
    const sent = this.#take(index);
    if (sent === undefined) return this.#feed.node(index);
    this.#meet(sent);
    return sent;
  }

  /** Note a node down as fresh or, if the feed holds another one there, as a conflict. */
  #meet(node: TreeNode): TreeNode | undefined {
    const held = this.#feed.node(node.index);
    if (held === undefined) this.#fresh.push(node);
    else if (!equalBytes(held.hash, node.hash)) this.#conflict ??= held;
    return held;
  }

  /** Finish at `top`, which must be a root of the length that the signature is for. */
  #acceptRoots(top: TreeNode): VerifiedBlock {
    const { nodes, signature } = this.#data;
    if (signature === undefined) this.#fail("it does not lead to a held node or a signature");
    // What is left of the proof are other roots; the last of them lies furthest to the right.
    const last = this.#used < nodes.length ? nodes[nodes.length - 1].index : top.index;
    const length = Math.max(blocksUpTo(top.index), blocksUpTo(last));
    if (length > MAX_BLOCKS) this.#fail("its proof is for more than 2^52 blocks");
    const roots = fullRoots(length).map((index) => this.#root(index, top));
    if (!roots.includes(top)) this.#fail(`node ${top.index} is no root of ${length} blocks`);
    if (this.#used < nodes.length) this.#fail("its proof holds nodes that lead nowhere");
    const byteLength = totalSize(roots);
    if (!Number.isSafeInteger(byteLength)) this.#fail("its sizes add up to more than 2^53 - 1");

    if (!verify(rootHash(roots), signature, this.#feed.publicKey)) {
      this.#fail(`it and its proof do not match the signature for ${length} blocks`);
    }
    this.#checkMeasure(length, byteLength);
    return this.#accept(this.#fresh, { length, byteLength, signature: new Uint8Array(signature) });
  }

  #root(index: number, top: TreeNode): TreeNode {
    if (index === top.index) return top;
    const sent = this.#take(index);
    if (sent !== undefined) {
      this.#meet(sent);
      return sent;
    }
    return this.#feed.node(index) ?? this.#fail(`tree root ${index} is missing`);
  }

  /**
   * A good signature for another length may contradict the feed without a node in common. (For a
   * length signed before, the feed holds every root, and each was compared.)
   */
  #checkMeasure(length: number, byteLength: number): void {
    const grown = Math.sign(length - this.#feed.length);
    const grownBytes = Math.sign(byteLength - this.#feed.byteLength);
    // Blocks may be empty, so more of them need not mean more bytes; but never fewer.
    if (grown === 0 ? grownBytes !== 0 : grown === -grownBytes) {
      this.#fork(
        `${length} blocks of ${byteLength} bytes and ${this.#feed.length} of ${this.#feed.byteLength}`,
      );
    }
  }

  #accept(nodes: readonly TreeNode[], signed?: VerifiedBlock["signed"]): VerifiedBlock {
    if (this.#conflict !== undefined) {
      this.#fork(`tree node ${this.#conflict.index} is signed with two hashes`);
    }
    const { index: block, value } = this.#data;
    return {
      block,
      nodes,
      ...(value !== undefined && { value }),
      ...(signed !== undefined && { signed }),
    };
  }

  #fail(why: string): never {
    throw new ProofError(`Cannot verify block ${this.#data.index}: ${why}`);
  }

  #fork(what: string): never {
    throw new ForkError(
      `Cannot trust this feed any more: its owner signed two histories, ${what}`,
      {
        hint: "Keep the data that is here, and ask the owner for a new link",
      },
    );
  }
}

/**
 * What to store when the block's leaf is held already: nothing, unless the size held is wrong.
 *
 * A parent's hash covers the sum of its children's sizes, not each of them. With the block at hand
 * that is enough, for its own size is known. A leaf and its sibling that came as hashes only can
 * have had bytes moved between their sizes by whoever sent them; the leaf's hash, which covers the
 * length of the block, settles it once the block is here.
 *
 * @returns undefined if that cannot be the reason.
 */
function mendLeaves(feed: TrustedFeed, leaf: TreeNode): readonly TreeNode[] | undefined {
  if (feed.node(leaf.index)?.size === leaf.size) return [];
  const beside = feed.node(sibling(leaf.index));
  const above = feed.node(parent(leaf.index));
  if (beside === undefined || above === undefined || above.size < leaf.size) return undefined;
  return [leaf, { ...beside, size: above.size - leaf.size }];
}
