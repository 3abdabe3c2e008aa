/** How much the synchronizer holds: what must stay bounded, whatever peers do and however long. */
import type { SyncState } from "./state.ts";

export interface SyncSizes {
  readonly feeds: number;
  /** Links, those that shook hands, and those among the accepted ones that did not. */
  readonly peers: number;
  readonly openPeers: number;
  readonly halfOpenPeers: number;
  /** Where peers may be: of all archives, of the one that has most, and those being dialled. */
  readonly addresses: number;
  readonly mostAddresses: number;
  readonly dialling: number;
  /** Feeds that peers named on links, known to us or not, and the channels they gave them. */
  readonly links: number;
  readonly unknownFeeds: number;
  readonly channels: number;
  /** Blocks asked for: of all peers, and of the one that was asked for most. */
  readonly inFlight: number;
  readonly mostInFlight: number;
  /** Requests that peers count as owing: those, and cancelled ones that may be answered yet. */
  readonly owed: number;
  /** Blocks that were cancelled, and those that peers gave back. */
  readonly cancelled: number;
  readonly returned: number;
  /** Blocks asked for by us and of whom, and those that are being stored. */
  readonly reserved: number;
  readonly storing: number;
  /** Requests of peers that wait: of all, and of the one that has most. */
  readonly queuedRequests: number;
  readonly mostQueuedRequests: number;
  /** Bytes handed to links and not flushed: to all, and to the one that has most. */
  readonly queuedBytes: number;
  readonly mostQueuedBytes: number;
  /** Messages kept until their feed is known: of all, and the bytes of the peer that has most. */
  readonly earlyMessages: number;
  readonly mostEarlyBytes: number;
  /** Regions whose last Want is remembered: of all links, and of the one that has most. */
  readonly wantAnswers: number;
  readonly mostWantAnswers: number;
  /** Ranges and pages that say what peers hold: of all, and of the one that takes most. */
  readonly claims: number;
  readonly mostClaims: number;
  /** Runs of what peers got since they were looked at. */
  readonly newsRuns: number;
}

export function sizesOf({ feeds, peers, addresses, dials }: SyncState): SyncSizes {
  const sizes = {
    feeds: feeds.size,
    peers: peers.size,
    openPeers: 0,
    halfOpenPeers: 0,
    addresses: 0,
    mostAddresses: 0,
    dialling: dials.count,
    links: 0,
    unknownFeeds: 0,
    channels: 0,
    inFlight: 0,
    mostInFlight: 0,
    owed: 0,
    cancelled: 0,
    returned: 0,
    reserved: 0,
    storing: 0,
    queuedRequests: 0,
    mostQueuedRequests: 0,
    queuedBytes: 0,
    mostQueuedBytes: 0,
    earlyMessages: 0,
    mostEarlyBytes: 0,
    wantAnswers: 0,
    mostWantAnswers: 0,
    claims: 0,
    mostClaims: 0,
    newsRuns: 0,
  };
  for (const { size } of addresses.values()) {
    sizes.addresses += size;
    sizes.mostAddresses = Math.max(sizes.mostAddresses, size);
  }
  for (const { reserved, sources, returned } of feeds.values()) {
    sizes.reserved += reserved.size;
    sizes.storing += sources.size;
    sizes.returned += returned.size;
  }
  for (const peer of peers.values()) {
    if (peer.phase === "open") sizes.openPeers++;
    else if (peer.phase === "greeting" && !peer.dialled) sizes.halfOpenPeers++;
    sizes.links += peer.links.size;
    sizes.unknownFeeds += peer.unknown.size;
    sizes.channels += peer.channels.size;
    sizes.queuedRequests += peer.requests.length;
    sizes.mostQueuedRequests = Math.max(sizes.mostQueuedRequests, peer.requests.length);
    sizes.queuedBytes += peer.outbox.bytes;
    sizes.mostQueuedBytes = Math.max(sizes.mostQueuedBytes, peer.outbox.bytes);
    sizes.earlyMessages += peer.early.size;
    sizes.mostEarlyBytes = Math.max(sizes.mostEarlyBytes, peer.early.bytes);
    let inFlight = 0;
    for (const link of peer.links.values()) {
      inFlight += link.inFlight.size;
      sizes.cancelled += link.cancelled.size;
      sizes.wantAnswers += link.wantAnswers.size;
      sizes.mostWantAnswers = Math.max(sizes.mostWantAnswers, link.wantAnswers.size);
      sizes.claims += link.remote.parts;
      sizes.mostClaims = Math.max(sizes.mostClaims, link.remote.parts);
      sizes.newsRuns += link.search.news.runs;
    }
    sizes.inFlight += inFlight;
    sizes.owed += peer.window.count;
    sizes.mostInFlight = Math.max(sizes.mostInFlight, inFlight);
  }
  return sizes;
}
