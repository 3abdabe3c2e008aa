/** Requests for single blocks, and taking them back. */
import { EMPTY_BYTES } from "../../base/bytes.ts";
import { requestDigest } from "../feed/digest.ts";
import { WANT_BLOCKS } from "./limits.ts";
import type { FeedLink, PeerState } from "./peer_state.ts";
import type { SyncState } from "./state.ts";

/** Ask a peer for a block. */
export function request(state: SyncState, peer: PeerState, link: FeedLink, block: number): void {
  const feed = state.feeds.get(link.feed)!;
  const { reader } = feed;
  claimNothing(state, peer, link);
  feed.reserve(block, peer.id);
  if (link.inFlight.has(block)) return; // it was released, and is owed all the same
  link.expect(block, state.now, feed.cost);
  if (block >= reader.length) link.doubtedSince ??= state.now;
  const nodes = requestDigest(reader, block);
  state.send(peer, link, { type: "request", index: block, bytes: 0, hash: false, nodes });
}

/** hypercore before 6.10.3 crashes on a Request that no Have came before: send an empty one. */
export function claimNothing(state: SyncState, peer: PeerState, link: FeedLink): void {
  if (link.saidHave) return;
  link.saidHave = true;
  const bitfield = EMPTY_BYTES;
  state.send(peer, link, { type: "have", start: 0, length: WANT_BLOCKS, bitfield, ack: false });
}

/** A block is not waited for any more. */
export function cancel(state: SyncState, peer: PeerState, link: FeedLink, block: number): void {
  if (!link.inFlight.has(block)) return;
  link.cancel(block, state.now);
  // The reference ignores it; other peers save themselves the work.
  state.send(peer, link, { type: "cancel", index: block, bytes: 0, hash: false });
}
