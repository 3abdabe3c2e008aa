/**
 * Comparing the history that a peer holds with ours, without taking any of it in.
 *
 * A feed must grow in one place only: whoever appends to a copy of it that is behind signs a second
 * history, and nobody who knows the first can ever follow. So before an append the peers are asked
 * for the proof of their last block, hashes alone: the nodes end in roots that the key signed, and
 * these are compared with ours. Source: spec of replication, sections 6 to 9; of storage, section 14.
 */
import { EMPTY_BYTES, equalBytes } from "../../base/bytes.ts";
import { ForkError, ProofError } from "../../base/errors.ts";
import { count } from "../../base/format.ts";
import { discoveryKey, rootHash } from "../../crypto/hash.ts";
import { verify } from "../../crypto/sign.ts";
import { parentOf } from "../feed/append.ts";
import { blocksUpTo, fullRoots, parent, sibling } from "../feed/flat_tree.ts";
import type { TreeNode } from "../feed/node.ts";
import type { FeedReader, VerifiedBlock } from "../feed/reader.ts";
import { verifyData } from "../feed/verify.ts";
import type { Data } from "../wire/messages.ts";
import { askWhatItHas, onFork } from "./downloads.ts";
import type { FeedState } from "./feed_state.ts";
import type { FeedLink, PeerState } from "./peer_state.ts";
import { MAX_PROBE_REFUSALS } from "./limits.ts";
import { claimNothing } from "./requests.ts";
import type { SyncState } from "./state.ts";
import { costOf } from "./window.ts";

/** What a peer holds of a feed, beside what we hold. Lengths in blocks. */
export type Comparison =
  /** Nothing at all. */
  | { readonly kind: "nothing" }
  /** The same history up to the same length. */
  | { readonly kind: "same" }
  /** The first `length` blocks of ours. */
  | { readonly kind: "behind"; readonly length: number }
  /** All of ours and more, up to `length`. */
  | { readonly kind: "ahead"; readonly length: number }
  /** `length` signed blocks; too few nodes are here or there to say how they go with ours. */
  | { readonly kind: "unclear"; readonly length: number }
  /** Another history of `length` blocks under the same key. */
  | { readonly kind: "forked"; readonly length: number }
  /** Cannot be told, because our own tree node `node` does not go with our signature. */
  | { readonly kind: "damaged"; readonly node: number }
  /** Blocks that it claims and cannot prove. */
  | { readonly kind: "unproven" };

/** How far the comparison on one link has come. */
export interface LinkProbe {
  /** The block whose proof was asked for and has not come. */
  asked?: number;
  /** What the proof of the peer's last block said, while that of ours is awaited. */
  first?: Comparison;
  /** Proofs that the peer announced and then did not have. */
  refused: number;
  done: boolean;
}

/**
 * A feed of this key of which nothing is known: to meet peers with, without telling them anything
 * of the feed that they are compared with.
 */
export class BlankFeed implements FeedReader {
  readonly publicKey: Uint8Array;
  readonly discoveryKey: Uint8Array;
  readonly length = 0;
  readonly byteLength = 0;
  readonly writable = false;

  constructor(publicKey: Uint8Array) {
    this.publicKey = publicKey;
    this.discoveryKey = discoveryKey(publicKey);
  }

  hasBlock(): boolean {
    return false;
  }

  nextMissing(from: number, to: number): number {
    return from < to ? from : -1;
  }

  nextHeld(): number {
    return -1;
  }

  countHeld(): number {
    return 0;
  }

  hasNode(): boolean {
    return false;
  }

  node(): undefined {}

  signature(): undefined {}
}

/**
 * Compare a proof, which led from a block to signed roots by its own nodes, with a feed of ours.
 * Safe with a feed that is damaged: only what our own signature covers can contradict it.
 */
export function compareHistories(ours: FeedReader, { nodes, signed }: VerifiedBlock): Comparison {
  const { length } = signed!;
  const matching = new Set<number>();
  for (const node of nodes) {
    if (blocksUpTo(node.index) > ours.length) continue;
    const held = ours.node(node.index);
    if (held === undefined) continue;
    if (equalBytes(held.hash, node.hash)) matching.add(node.index);
    else if (isSigned(ours, held)) return { kind: "forked", length };
    else return { kind: "damaged", node: node.index };
  }
  const common = Math.min(length, ours.length);
  if (!fullRoots(common).every((root) => matching.has(root))) return { kind: "unclear", length };
  if (length === ours.length) return { kind: "same" };
  return length < ours.length ? { kind: "behind", length } : { kind: "ahead", length };
}

/** Whether a node that is held hangs together with the roots that our newest signature is for. */
function isSigned(ours: FeedReader, held: TreeNode): boolean {
  const roots: TreeNode[] = [];
  for (const index of fullRoots(ours.length)) {
    const root = ours.node(index);
    if (root === undefined) return false;
    roots.push(root);
  }
  let top = held;
  while (!roots.some((root) => root.index === top.index)) {
    const beside = ours.node(sibling(top.index));
    const above = ours.node(parent(top.index));
    if (beside === undefined || above === undefined) return false;
    if (!equalBytes(parentOf(top, beside).hash, above.hash)) return false;
    top = above;
  }
  return verify(rootHash(roots), ours.signature(ours.length) ?? EMPTY_BYTES, ours.publicKey);
}

/** Go on with the comparison on one link. Safe to call at any time. */
export function probe(state: SyncState, peer: PeerState, link: FeedLink): void {
  const feed = state.feeds.get(link.feed)!;
  if (peer.phase !== "open" || !link.open || state.stopping || feed.forked) return;
  if (feed.against === undefined) {
    if (!watches(feed)) return;
    askWhatItHas(state, peer, link, feed);
    if (link.remoteLength <= feed.reader.length) return;
  }
  const status = link.probe ??= { refused: 0, done: false };
  if (status.done) return;
  if (status.asked !== undefined) {
    if (link.inFlight.has(status.asked)) return;
    // It said that it does not have this one after all.
    status.asked = undefined;
    status.refused++;
  }
  if (feed.against !== undefined) compareWith(state, peer, link, feed);
  else if (status.refused <= MAX_PROBE_REFUSALS) askForLast(state, peer, link);
}

/**
 * Whether peers are watched for more blocks than there are here: the owner knows them all, so others
 * can only have been signed elsewhere. Asked of an archive's primary feed alone, for peers tell of
 * every block they get from then on, and the primary feed is the small one.
 */
function watches({ reader, downloads, id, primary }: FeedState): boolean {
  return reader.writable && !downloads && id === primary;
}

function compareWith(state: SyncState, peer: PeerState, link: FeedLink, feed: FeedState): void {
  const { first, refused } = link.probe!;
  if (first !== undefined) return finish(state, peer, link, first);
  askWhatItHas(state, peer, link, feed);
  if (!link.answered) return;
  if (link.remoteLength > 0 && refused <= MAX_PROBE_REFUSALS) askForLast(state, peer, link);
  else finish(state, peer, link, { kind: refused > 0 ? "unproven" : "nothing" });
}

function askForLast(state: SyncState, peer: PeerState, link: FeedLink): void {
  askForProof(state, peer, link, link.remoteLength - 1);
}

/** With a digest of 0 the answer has every node up to the roots, and the signature. */
function askForProof(state: SyncState, peer: PeerState, link: FeedLink, block: number): void {
  link.probe!.asked = block;
  claimNothing(state, peer, link);
  link.expect(block, state.now, costOf(0));
  state.send(peer, link, { type: "request", index: block, bytes: 0, hash: true, nodes: 0 });
}

function finish(
  state: SyncState,
  peer: PeerState,
  link: FeedLink,
  found: Comparison,
  proof?: VerifiedBlock,
): void {
  link.probe!.done = true;
  const { id, address } = peer;
  const ahead = found.kind === "ahead" ? { proof } : {};
  state.report({ kind: "probed", peer: id, address, feed: link.feed, found, ...ahead });
}

/** Take a Data that answers a comparison. Answers false if it is none. */
export function onProof(state: SyncState, peer: PeerState, link: FeedLink, data: Data): boolean {
  const status = link.probe;
  if (status?.asked === undefined || status.asked !== data.index) return false;
  if (!link.answer(data.index, state.now, costOf(0))) return false;
  status.asked = undefined;
  peer.answeredAt = state.now;
  peer.stalled = false;
  const feed = state.feeds.get(link.feed)!;
  let proof: VerifiedBlock;
  try {
    // Checked by itself: what we hold must not stand in for what the peer leaves out.
    proof = verifyData(new BlankFeed(feed.reader.publicKey), data);
  } catch (error) {
    if (!(error instanceof ProofError)) throw error;
    state.unlink(peer, error);
    return true;
  }
  if (feed.against === undefined) tellOwner(state, peer, feed, proof);
  else compareNext(state, peer, link, { ours: feed.against, proof });
  return true;
}

/**
 * The proof of a last block beyond ours need not have our roots among its nodes. The path from our
 * own last block has, for it ends in the same signed roots.
 */
function compareNext(
  state: SyncState,
  peer: PeerState,
  link: FeedLink,
  { ours, proof }: { ours: FeedReader; proof: VerifiedBlock },
): void {
  const status = link.probe!;
  const found = compareHistories(ours, proof);
  const last = ours.length - 1;
  if (status.first === undefined && found.kind === "unclear" && link.remote.has(last)) {
    status.first = found;
    return askForProof(state, peer, link, last);
  }
  // A copy with holes may prove our last block under an older length: no news about the newest one.
  const older = found.kind === "same" || found.kind === "behind";
  finish(state, peer, link, older ? status.first ?? found : found, proof);
}

/** A peer of a feed that we serve has proven blocks that we never signed. */
function tellOwner(
  state: SyncState,
  peer: PeerState,
  feed: FeedState,
  proof: VerifiedBlock,
): void {
  const found = compareHistories(feed.reader, proof);
  const { length } = proof.signed!;
  if (found.kind !== "forked" && length <= feed.reader.length) return; // we grew meanwhile
  const what = found.kind === "forked"
    ? "another history"
    : `${count(length - feed.reader.length, "newer block")}`;
  onFork(
    state,
    feed,
    new ForkError(
      `Cannot go on sharing: peer ${peer.address} has ${what}, signed elsewhere with the secret ` +
        "key of this archive",
      { hint: found.kind === "forked" ? FORKED_HINT : AHEAD_HINT },
    ),
  );
}

/** What to do when another machine went on with the archive. */
export const AHEAD_HINT = "run trove pull first, so that this folder goes on from there";

/** What to do when both machines did. */
export const FORKED_HINT =
  "decide which machine goes on; here, keep this folder as it is, clone from that machine into " +
  "another folder and copy over what only this one has";
