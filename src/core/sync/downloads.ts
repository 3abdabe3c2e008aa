/** The downloading half: what to hear about, what to ask for, and what to make of the answers. */
import { ForkError, ProofError, RemoteProtocolError } from "../../base/errors.ts";
import type { Range } from "../../base/ranges.ts";
import type { VerifiedBlock } from "../feed/reader.ts";
import { verifyData } from "../feed/verify.ts";
import { decodeHaveRuns } from "../wire/have_bitfield.ts";
import type { Data, Have, Unhave } from "../wire/messages.ts";
import type { FeedState } from "./feed_state.ts";
import { heldRuns } from "./held_runs.ts";
import {
  ANSWER_MS,
  ENTRIES_MS,
  MAX_BITFIELD_BYTES,
  MAX_TRACKED_BLOCKS,
  MAX_UNHAVES,
  MAX_WANTS,
  WANT_BLOCKS,
} from "./limits.ts";
import type { FeedLink, PeerState } from "./peer_state.ts";
import { askForBlocks, cancelElsewhere, cancelUnwanted } from "./scheduler.ts";
import type { SyncState } from "./state.ts";
import { costOf } from "./window.ts";

/** Ask a peer to tell what it has, and then for blocks. Safe to call at any time. */
export function download(state: SyncState, peer: PeerState, link: FeedLink): void {
  const feed = state.feeds.get(link.feed)!;
  if (peer.phase !== "open" || !link.open || !feed.downloads || state.stopping) return;
  if (!link.compatible) askWhatItHas(state, peer, link, feed);
  if (feed.onHold || link.isPaused(state.now)) return;
  if (isBehind(state, peer, feed) || isAnswering(state, link, feed)) return;
  askForBlocks(state, peer, link, feed);
}

/**
 * Whether the peer is about to say what it has. What it told of so far is its last block, which everybody
 * who fetches from it would ask for first: source: hypercore, trove as well.
 */
function isAnswering(state: SyncState, link: FeedLink, feed: FeedState): boolean {
  if (link.answered || !link.hasHinted || state.now - link.wantedAt >= ANSWER_MS) return false;
  return state.isShared(feed);
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
  if (!link.answered && link.remoteLength === 0) return state.now - peer.linkedAt < ENTRIES_MS;
  const known = primary.reader.length;
  const missing = primary.firstMissing(Math.min(state.told(primary), known + 1));
  return missing !== -1 && link.remote.has(missing);
}

/** Other blocks are wanted of a feed, or from here on. */
export function onWanted(state: SyncState, feed: FeedState): void {
  cancelUnwanted(state, feed);
  feed.firstMissing(state.told(feed)); // every search begins there
  downloadFromAll(state, feed);
  checkComplete(state, feed);
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
    if (link.nextWant === 0) link.wantedAt = state.now;
    state.send(peer, link, { type: "want", start: link.nextWant, length: WANT_BLOCKS });
    link.nextWant += WANT_BLOCKS;
    link.unansweredWants++;
  }
}

export function onHave(state: SyncState, peer: PeerState, link: FeedLink, have: Have): void {
  // A Have that acknowledges our Data says nothing new to a feed that is complete here.
  const length = Math.max(1, have.length);
  if (have.start + length > Number.MAX_SAFE_INTEGER) return state.strike(peer, "Have beyond 2^53");
  if (have.bitfield === undefined) {
    link.hasHinted = length === 1 && link.remoteLength === 0;
    const end = Math.min(have.start + length, MAX_TRACKED_BLOCKS);
    link.remote.add(have.start, end);
    link.search.gained(have.start, end);
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
  feed.rarity.invalidate();
  if (isAwaited(feed, have)) link.movedAt = -Infinity;
  if (feed.follows && link.remoteLength > feed.reader.length) feed.completed = false;
  download(state, peer, link);
  checkComplete(state, feed);
}

/** Whether some block was asked of another peer, as far as few are told of. */
function isAwaited({ reserved }: FeedState, { start, length, bitfield }: Have): boolean {
  if (reserved.size === 0) return false;
  if (bitfield !== undefined || length > reserved.size) return true;
  for (let block = start; block < start + Math.max(1, length); block++) {
    if (reserved.has(block)) return true;
  }
  return false;
}

function applyBitfield(link: FeedLink, start: number, length: number, bits: Uint8Array): boolean {
  if (bits.length > MAX_BITFIELD_BYTES) return false;
  // Without a usable length the bitfield covers the whole feed, however long that is.
  const maxBits = length > 1 ? length : MAX_TRACKED_BLOCKS;
  try {
    const runs = decodeHaveRuns(bits, { maxBits });
    // The remote leaves trailing zeros out, so the whole range is replaced.
    if (length > 1) link.remote.remove(start, start + maxBits);
    link.search.lost(start);
    for (const run of runs) {
      const end = Math.min(start + run.end, MAX_TRACKED_BLOCKS);
      link.remote.add(start + run.start, end);
      link.search.gained(start + run.start, end);
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
  link.search.lost(gone.start);
  link.remoteLength = link.remote.end;
  const feed = state.feeds.get(link.feed)!;
  feed.rarity.invalidate();
  let released = false;
  for (const block of [...link.inFlight.keys()]) {
    if (block < gone.start || block >= end) continue;
    link.settle(block, state.now);
    feed.release(block, peer.id);
    released = true;
  }
  // "Not here" is an answer too, and so it is where the block is not waited for any more.
  if (link.forgive(gone.start) || released) peer.stalled = false;
  if (released) downloadFromAll(state, feed);
  else download(state, peer, link);
  checkComplete(state, feed);
}

export function onData(state: SyncState, peer: PeerState, link: FeedLink, data: Data): void {
  const feed = state.feeds.get(link.feed)!;
  const { index, value } = data;
  const bytes = value?.length ?? 0;
  const askedAt = link.askedAt(index);
  if (!link.answer(index, state.now, costOf(bytes))) return onUnasked(state, peer, link, data);
  peer.answeredAt = state.now;
  peer.stalled = false;
  const isHere = feed.reader.hasBlock(index);
  feed.received(index, bytes, isHere);
  state.line.add(costOf(bytes));
  if (isHere) return; // another peer was faster
  // Not wanted any more: there may be no place for it.
  if (!feed.isWanted(index)) return feed.settle(index);
  let block: VerifiedBlock;
  try {
    // We only ever ask for whole blocks, so an answer of hashes alone is no answer.
    if (value === undefined) {
      throw new ProofError(`Cannot use the answer for block ${index}: it has no block`);
    }
    block = verifyData(feed.reader, data);
  } catch (error) {
    if (error instanceof ForkError) return onFork(state, feed, error);
    if (!(error instanceof ProofError)) throw error;
    feed.release(index, peer.id);
    // Entries have no excuse: they lie in a file that nobody else writes to.
    const isExcusable = feed.id !== feed.primary && value !== undefined;
    if (!isExcusable || link.pause(askedAt, state.now)) state.unlink(peer, error);
    return downloadFromAll(state, feed);
  }
  const isOwed = feed.raced.has(index) || feed.reserved.get(index) !== peer.id;
  feed.settle(index);
  if (isOwed) cancelElsewhere(state, feed, index, peer);
  peer.useful = true;
  peer.brings = true;
  link.doubtedSince = undefined;
  if (feed.follows) feed.completed = false; // its claims count again
  feed.sources.set(index, peer.id);
  state.effects.push({ kind: "store", feed: feed.id, block });
  state.report({ kind: "downloaded", feed: feed.id, block: index, bytes });
}

/** A block that this peer does not owe us. */
function onUnasked(state: SyncState, peer: PeerState, link: FeedLink, data: Data): void {
  const { reader } = state.feeds.get(link.feed)!;
  if (reader.hasBlock(data.index)) return; // late, and harmless
  if (data.value === undefined) return; // after an Unhave, for programs that wait for an answer
  if (link.remoteWants) {
    state.send(peer, link, { type: "unhave", start: data.index, length: 1 });
  }
  state.strike(peer, `block ${data.index} came without being asked for`);
}

/** The owner signed two histories. What we hold stays; the feed takes no further part. */
export function onFork(state: SyncState, feed: FeedState, error: ForkError): void {
  feed.forked = true;
  for (const { link } of state.linksOf(feed)) link.forgetRequests();
  feed.forgetRequests();
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

/**
 * Blocks are held no more: whoever heard that they are is told, and what is wanted is fetched. Where
 * they lie in very many places, peers hear of each when they ask for it.
 */
export function onCleared(state: SyncState, feed: FeedState, ranges: readonly Range[]): void {
  feed.recheck();
  for (const { peer, link } of state.linksOf(feed)) {
    if (!link.remoteWants || ranges.length > MAX_UNHAVES) continue;
    for (const { start, end } of ranges) tellLost(state, peer, link, { start, end });
  }
  downloadFromAll(state, feed);
  checkComplete(state, feed);
}

/**
 * hypercore 7 takes an Unhave of all blocks that it knows of for the end of the feed, and asks for
 * nothing that comes later: so the first block goes by itself, and not at all where it is the only one.
 */
function tellLost(state: SyncState, peer: PeerState, link: FeedLink, { start, end }: Range): void {
  const { length } = state.feeds.get(link.feed)!.reader;
  const unhave = (from: number, to: number) => {
    if (from < to) state.send(peer, link, { type: "unhave", start: from, length: to - from });
  };
  if (start === 0 && length > 1) unhave(0, Math.min(1, end));
  unhave(Math.max(1, start), end);
}

function tellRun(
  state: SyncState,
  peer: PeerState,
  link: FeedLink,
  run: { start: number; length: number },
): void {
  if (state.options.uploads === false) return;
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
