/** The uploading half: telling what we have, and answering requests in their order. */
import { blockAtByte } from "../feed/byte_offsets.ts";
import { MAX_BLOCKS } from "../feed/flat_tree.ts";
import { prove } from "../feed/prove.ts";
import type { BlockRequest, Proof } from "../feed/reader.ts";
import { MAX_FRAME_BYTES } from "../wire/frame.ts";
import { encodeHaveRuns } from "../wire/have_bitfield.ts";
import type { Cancel, Request, Want } from "../wire/messages.ts";
import type { FeedState } from "./feed_state.ts";
import { MAX_QUEUED_REQUESTS, MAX_WANT_MEMORY, WANT_ALIGNMENT, WANT_REPEAT_MS } from "./limits.ts";
import { heldRuns } from "./held_runs.ts";
import type { FeedLink, PeerState } from "./peer_state.ts";
import type { SyncState } from "./state.ts";

/** What a node takes in a Data at most, and what all else besides the block does. */
const MAX_NODE_BYTES = 64;
const MAX_DATA_OVERHEAD_BYTES = 128;

export function onWant(state: SyncState, peer: PeerState, link: FeedLink, want: Want): void {
  // Source: hypercore ignores others silently, and does not remember them either.
  if (want.start % WANT_ALIGNMENT !== 0 || want.length % WANT_ALIGNMENT !== 0) return;
  if (!isDue(link, want.start, state.now)) return;
  const { reader, forked } = state.feeds.get(link.feed)!;
  const tells = !forked && state.options.uploads !== false;
  const last = reader.length - 1;
  if (!link.remoteWants && tells && last >= 0 && reader.hasBlock(last)) {
    // Tells the length even when it lies beyond the wanted region.
    state.send(peer, link, { type: "have", start: last, length: 1, ack: false });
  }
  link.remoteWants = true;
  link.saidHave = true;
  const { start, length } = want;
  // hypercore up to 6.22 asks for everything by leaving the length out.
  const asked = length > 0 ? length : start === 0 ? Math.ceil(reader.length / 8) * 8 : 0;
  const held = tells ? heldRuns(reader, start, start + asked) : [];
  const bitfield = encodeHaveRuns(held, asked);
  state.send(peer, link, { type: "have", start, length, bitfield, ack: false });
}

/** Whether a Want for the region at `start` may be answered, and so again only after a while. */
function isDue({ wantAnswers }: FeedLink, start: number, now: number): boolean {
  const answeredAt = wantAnswers.get(start);
  if (answeredAt !== undefined && now - answeredAt < WANT_REPEAT_MS) return false;
  wantAnswers.delete(start);
  // The oldest come first, so the first that is not over ends this.
  for (const [region, at] of wantAnswers) {
    if (now - at < WANT_REPEAT_MS) break;
    wantAnswers.delete(region);
  }
  if (wantAnswers.size >= MAX_WANT_MEMORY) return false;
  wantAnswers.set(start, now);
  return true;
}

export function onRequest(state: SyncState, peer: PeerState, link: FeedLink, ask: Request): void {
  if (peer.requests.length >= MAX_QUEUED_REQUESTS) {
    return state.strike(peer, `more than ${MAX_QUEUED_REQUESTS} requests at once`);
  }
  const { reader } = state.feeds.get(link.feed)!;
  let request: BlockRequest = { block: ask.index, hashOnly: ask.hash, digest: ask.nodes };
  if (ask.bytes > 0) {
    // A seek: answered for the block that holds the byte, with the full proof.
    const found = blockAtByte(reader, ask.bytes);
    if (found !== undefined) request = { block: found.block, hashOnly: ask.hash, digest: 0 };
  }
  peer.requests.push({ link, request, bytes: ask.bytes });
  serve(state, peer);
}

/** Drop a request that still waits for its turn. */
export function onCancel(peer: PeerState, link: FeedLink, cancel: Cancel): void {
  const at = peer.requests.findIndex((queued) =>
    queued.link === link && queued.bytes === cancel.bytes &&
    queued.request.hashOnly === cancel.hash &&
    (cancel.bytes > 0 || queued.request.block === cancel.index)
  );
  if (at !== -1) peer.requests.splice(at, 1);
}

/** Answer as many requests as the link's outbox has room for, in order. */
export function serve(state: SyncState, peer: PeerState): void {
  while (
    peer.phase === "open" && !peer.loading && peer.requests.length > 0 && peer.outbox.hasRoom
  ) {
    const { link, request } = peer.requests.shift()!;
    const feed = state.feeds.get(link.feed)!;
    if (feed.forked || state.options.uploads === false) {
      refuse(state, peer, link, request.block);
    } else if (request.block >= MAX_BLOCKS || !feed.reader.hasNode(2 * request.block)) {
      // hypercore would drop the whole connection; a race with new data can make this innocent.
      state.strike(peer, `block ${request.block} was never announced`);
      if (peer.phase === "open") refuse(state, peer, link, request.block);
    } else if (request.hashOnly) {
      answer(state, peer, link, feed, request, undefined);
    } else if (!feed.reader.hasBlock(request.block)) {
      tellGone(state, peer, link, feed, request);
    } else {
      peer.loading = true;
      state.effects.push({ kind: "load", peer: peer.id, feed: feed.id, request });
    }
  }
}

export function onLoaded(
  state: SyncState,
  peer: PeerState,
  link: FeedLink,
  request: BlockRequest,
  value: Uint8Array | undefined,
): void {
  const feed = state.feeds.get(link.feed)!;
  peer.loading = false;
  if (value === undefined) {
    state.report({ kind: "damaged", feed: feed.id, block: request.block });
    feed.recheck();
    tellGone(state, peer, link, feed, request);
  } else {
    answer(state, peer, link, feed, request, value);
  }
  serve(state, peer);
}

function answer(
  state: SyncState,
  peer: PeerState,
  link: FeedLink,
  feed: FeedState,
  request: BlockRequest,
  value: Uint8Array | undefined,
): void {
  const proof = prove(feed.reader, request);
  // No proof: we hold the block under a length whose signature we never got. And a block that came
  // with a short proof may be too large to be sent on with a long one.
  if (proof === undefined || !fitsFrame(value, proof)) {
    return refuse(state, peer, link, request.block);
  }
  const { nodes, signature } = proof;
  state.send(peer, link, { type: "data", index: request.block, value, nodes, signature });
  if (value === undefined) return;
  peer.useful = true;
  peer.uploadedAt = state.now;
  const { id, address } = peer;
  state.report({ kind: "uploaded", peer: id, address, feed: feed.id, bytes: value.length });
}

/**
 * Refuse a block that was announced and is gone. Source: hypercore does not take an Unhave for an
 * answer and ends the connection some seconds later, but it does take a Data without the block.
 */
function tellGone(
  state: SyncState,
  peer: PeerState,
  link: FeedLink,
  feed: FeedState,
  request: BlockRequest,
): void {
  refuse(state, peer, link, request.block);
  const proof = prove(feed.reader, { ...request, hashOnly: true });
  if (proof === undefined) return;
  const { nodes, signature } = proof;
  state.send(peer, link, { type: "data", index: request.block, nodes, signature });
}

function fitsFrame(value: Uint8Array | undefined, { nodes }: Proof): boolean {
  const valueBytes = value?.length ?? 0;
  return valueBytes + nodes.length * MAX_NODE_BYTES + MAX_DATA_OVERHEAD_BYTES <= MAX_FRAME_BYTES;
}

function refuse(state: SyncState, peer: PeerState, link: FeedLink, block: number): void {
  state.send(peer, link, { type: "unhave", start: block, length: 1 });
}
