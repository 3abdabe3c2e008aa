/** The downloading half: what to hear about, what to ask for, and what to make of the answers. */
import { ForkError, ProofError, RemoteProtocolError } from "../../base/errors.ts";
import { EMPTY_BYTES } from "../../base/bytes.ts";
import { requestDigest } from "../feed/digest.ts";
import type { VerifiedBlock } from "../feed/reader.ts";
import { verifyData } from "../feed/verify.ts";
import { decodeHaveRuns } from "../wire/have_bitfield.ts";
import type { Data, Have, Unhave } from "../wire/messages.ts";
import type { FeedState } from "./feed_state.ts";
import {
  MAX_BITFIELD_BYTES,
  MAX_REQUESTS,
  MAX_TRACKED_BLOCKS,
  MAX_WANTS,
  REQUEST_BATCH,
  RESCUE_MS,
  WANT_BLOCKS,
} from "./limits.ts";
import { heldRuns } from "./held_runs.ts";
import type { FeedLink, PeerState } from "./peer_state.ts";
import type { SyncState } from "./state.ts";

/** Ask a peer to tell what it has, and then for blocks. Safe to call at any time. */
export function download(state: SyncState, peer: PeerState, link: FeedLink): void {
  const feed = state.feeds.get(link.feed)!;
  if (peer.phase !== "open" || !link.open || !feed.downloads || state.stopping) return;
  if (!link.compatible) askWhatItHas(state, peer, link, feed);
  if (!feed.onHold && !isBehind(state, peer, feed)) askForBlocks(state, peer, link, feed);
}

/**
 * Whether the peer has entries beside which the feed is announced that are not here. What they say
 * comes first: blocks of files that it has deleted by now a peer may claim and not have, and hyperdrive
 * 9 ends the connection when it is asked for one.
 */
function isBehind(state: SyncState, peer: PeerState, feed: FeedState): boolean {
  const primary = state.feeds.get(feed.primary);
  if (primary === undefined || primary === feed || !primary.follows || primary.forked) return false;
  const link = peer.links.get(primary.id);
  if (link === undefined || !link.open || state.isEmptyClaim(link)) return false;
  if (!link.answered) return true;
  const known = primary.reader.length;
  const missing = primary.firstMissing(Math.min(state.told(primary), known + 1));
  return missing !== -1 && link.remote.has(missing);
}

/** The same for every peer: blocks became free, or new ones are wanted. */
export function downloadFromAll(state: SyncState, feed: FeedState): void {
  for (const { peer, link } of state.linksOf(feed)) download(state, peer, link);
}

export function askWhatItHas(
  state: SyncState,
  peer: PeerState,
  link: FeedLink,
  feed: FeedState,
): void {
  // What others claim says nothing about this peer: a liar must not make us ask it without end.
  const end = feed.wantedEnd(Math.max(feed.reader.length, link.remoteLength));
  // The first region is always asked for: its answer also tells the length.
  while (link.unansweredWants < MAX_WANTS && (link.nextWant === 0 || link.nextWant < end)) {
    state.send(peer, link, { type: "want", start: link.nextWant, length: WANT_BLOCKS });
    link.nextWant += WANT_BLOCKS;
    link.unansweredWants++;
  }
}

/**
 * A feed that is known in part grows by the block behind its end first: the path from there to the
 * signed roots takes in every root that is held, so another history cannot pass for a longer one.
 */
function askForBlocks(state: SyncState, peer: PeerState, link: FeedLink, feed: FeedState): void {
  let free = MAX_REQUESTS;
  for (const other of peer.links.values()) free -= other.inFlight.size;
  if (free < REQUEST_BATCH) return;
  const told = feed.follows ? state.told(feed) : 0;
  const known = feed.reader.length;
  const end = known > 0 ? Math.min(told, known + 1) : told;
  for (; free > 0 && peer.phase === "open"; free--) {
    const block = feed.nextFor(link.remote, end);
    if (block === -1) return;
    request(state, peer, link, block);
  }
}

function request(state: SyncState, peer: PeerState, link: FeedLink, block: number): void {
  const { reader, reserved } = state.feeds.get(link.feed)!;
  claimNothing(state, peer, link);
  reserved.set(block, peer.id);
  link.expect(block, state.now);
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

/**
 * Where a peer has nothing to do, let it take over what another keeps us waiting for. The other may
 * still answer: whoever is first counts.
 */
export function rescue(state: SyncState, feed: FeedState): void {
  if (!feed.downloads || feed.onHold || state.stopping || feed.reserved.size === 0) return;
  for (const { peer, link } of state.linksOf(feed)) {
    const busy = [...peer.links.values()].some(({ inFlight }) => inFlight.size > 0);
    if (!busy) takeOver(state, peer, link, feed);
  }
}

function takeOver(state: SyncState, peer: PeerState, link: FeedLink, feed: FeedState): void {
  let free = MAX_REQUESTS;
  for (const slow of state.linksOf(feed)) {
    if (slow.peer === peer || state.now - slow.link.oldestSince < RESCUE_MS) continue;
    for (const block of slow.link.inFlight) {
      if (free === 0 || peer.phase !== "open") return;
      if (feed.reserved.get(block) !== slow.peer.id || !link.remote.has(block)) continue;
      if (!feed.isWanted(block)) continue;
      request(state, peer, link, block);
      free--;
    }
  }
}

export function onHave(state: SyncState, peer: PeerState, link: FeedLink, have: Have): void {
  // A Have that acknowledges our Data says nothing new to a feed that is complete here.
  const length = Math.max(1, have.length);
  if (have.start + length > Number.MAX_SAFE_INTEGER) return state.strike(peer, "Have beyond 2^53");
  if (have.bitfield === undefined) {
    link.remote.add(have.start, Math.min(have.start + length, MAX_TRACKED_BLOCKS));
  } else if (!applyBitfield(link, have.start, have.length, have.bitfield)) {
    return state.strike(peer, "Have with an unusable bitfield");
  }
  link.remoteLength = link.remote.end;
  if (have.bitfield !== undefined) {
    link.answered = true;
    // Source: hypercore up to 6.22 answers any Want with everything it has, and no length.
    if (have.length <= 1) link.compatible = true;
  }
  if (have.length === WANT_BLOCKS && link.unansweredWants > 0) link.unansweredWants--;
  const feed = state.feeds.get(link.feed)!;
  if (feed.follows && link.remoteLength > feed.reader.length) feed.completed = false;
  download(state, peer, link);
  checkComplete(state, feed);
}

function applyBitfield(link: FeedLink, start: number, length: number, bits: Uint8Array): boolean {
  if (bits.length > MAX_BITFIELD_BYTES) return false;
  // Without a usable length the bitfield covers the whole feed, however long that is.
  const maxBits = length > 1 ? length : MAX_TRACKED_BLOCKS;
  try {
    const runs = decodeHaveRuns(bits, { maxBits });
    // The remote leaves trailing zeros out, so the whole range is replaced.
    if (length > 1) link.remote.remove(start, start + maxBits);
    for (const run of runs) {
      const end = Math.min(start + run.end, MAX_TRACKED_BLOCKS);
      link.remote.add(start + run.start, end);
      if (end === MAX_TRACKED_BLOCKS) break;
    }
    return true;
  } catch (error) {
    if (error instanceof RemoteProtocolError) return false;
    throw error;
  }
}

export function onUnhave(state: SyncState, peer: PeerState, link: FeedLink, gone: Unhave): void {
  const end = Math.min(gone.start + Math.max(1, gone.length), Number.MAX_SAFE_INTEGER);
  link.remote.remove(gone.start, end);
  link.remoteLength = link.remote.end;
  const feed = state.feeds.get(link.feed)!;
  let released = false;
  for (const block of [...link.inFlight]) {
    if (block < gone.start || block >= end) continue;
    link.settle(block, state.now);
    feed.release(block, peer.id);
    released = true;
  }
  if (released) downloadFromAll(state, feed);
  else download(state, peer, link);
  checkComplete(state, feed);
}

export function onData(state: SyncState, peer: PeerState, link: FeedLink, data: Data): void {
  const feed = state.feeds.get(link.feed)!;
  if (!link.settle(data.index, state.now)) {
    if (feed.reader.hasBlock(data.index)) return; // late, and harmless
    if (data.value === undefined) return; // after an Unhave, for programs that wait for an answer
    if (link.remoteWants) {
      state.send(peer, link, { type: "unhave", start: data.index, length: 1 });
    }
    return state.strike(peer, `block ${data.index} came without being asked for`);
  }
  peer.answeredAt = state.now;
  feed.release(data.index, peer.id);
  if (feed.reader.hasBlock(data.index)) return; // another peer was faster
  if (!feed.isWanted(data.index)) return; // not wanted any more: there may be no place for it
  let block: VerifiedBlock;
  try {
    // We only ever ask for whole blocks, so an answer of hashes alone is no answer.
    if (data.value === undefined) {
      throw new ProofError(`Cannot use the answer for block ${data.index}: it has no block`);
    }
    block = verifyData(feed.reader, data);
  } catch (error) {
    if (error instanceof ForkError) return onFork(state, feed, error);
    if (!(error instanceof ProofError)) throw error;
    state.unlink(peer, error);
    return downloadFromAll(state, feed);
  }
  peer.useful = true;
  link.doubtedSince = undefined;
  if (feed.follows) feed.completed = false; // its claims count again
  feed.sources.set(block.block, peer.id);
  state.effects.push({ kind: "store", feed: feed.id, block });
  const bytes = data.value.length;
  state.report({ kind: "downloaded", feed: feed.id, block: data.index, bytes });
}

/** The owner signed two histories. What we hold stays; the feed takes no further part. */
export function onFork(state: SyncState, feed: FeedState, error: ForkError): void {
  feed.forked = true;
  for (const { link } of state.linksOf(feed)) link.inFlight.clear();
  feed.reserved.clear();
  state.report({ kind: "forked", feed: feed.id, error });
}

/** Blocks are on disk: tell others, say thanks to who wants that, and see whether we are done. */
export function onStored(state: SyncState, feed: FeedState, blocks: readonly number[]): void {
  for (const { peer, link } of state.linksOf(feed)) {
    if (peer.remoteAck) {
      for (const start of blocks) {
        if (feed.sources.get(start) !== peer.id) continue;
        state.send(peer, link, { type: "have", start, length: 1, ack: true });
      }
    }
    if (!link.remoteWants) continue;
    announce(state, peer, link, blocks.filter((block) => feed.sources.get(block) !== peer.id));
  }
  for (const block of blocks) feed.sources.delete(block);
  checkComplete(state, feed);
}

/** One Have per run of neighbouring blocks. */
function announce(
  state: SyncState,
  peer: PeerState,
  link: FeedLink,
  blocks: readonly number[],
): void {
  const sorted = [...blocks].sort((a, b) => a - b);
  for (let i = 0; i < sorted.length;) {
    const start = sorted[i];
    let length = 1;
    while (sorted[i + length] === start + length) length++;
    tellRun(state, peer, link, { start, length });
    i += length;
  }
}

/** The owner added blocks at the end, of which some may be gone again, or not to be had yet. */
export function onAppended(state: SyncState, feed: FeedState, start: number): void {
  const runs = [...heldRuns(feed.reader, start, feed.reader.length)];
  for (const { peer, link } of state.linksOf(feed)) {
    if (!link.remoteWants) continue;
    for (const run of runs) {
      tellRun(state, peer, link, { start: start + run.start, length: run.end - run.start });
    }
  }
}

function tellRun(
  state: SyncState,
  peer: PeerState,
  link: FeedLink,
  run: { start: number; length: number },
): void {
  link.saidHave = true;
  state.send(peer, link, { type: "have", ...run, ack: false });
}

/** Report `complete` when everything wanted is on disk and, following, somebody told the length. */
export function checkComplete(state: SyncState, feed: FeedState): void {
  if (feed.completed || !feed.downloads || feed.sources.size > 0) return;
  if (feed.follows) {
    let answered = false;
    for (const { link } of state.linksOf(feed)) answered ||= link.answered;
    if (!answered) return;
  }
  if (feed.firstMissing(state.told(feed)) !== -1) return;
  feed.completed = true;
  state.report({ kind: "complete", feed: feed.id });
}
