/** How much the core keeps of everything that could grow: what must not, over days, can be watched. */
import type { SyncState } from "./state.ts";

export interface SyncSizes {
  readonly feeds: number;
  /** Links, those that shook hands, and those among the accepted ones that did not. */
  readonly peers: number;
  readonly openPeers: number;
  readonly halfOpenPeers: number;
  /** Feeds on links. */
  readonly links: number;
  /** Blocks asked of peers and not answered; cancelled; given back by peers. */
  readonly inFlight: number;
  readonly cancelled: number;
  readonly returned: number;
  /** Requests of peers that wait for their turn. */
  readonly queuedRequests: number;
  /** Bytes handed to links and not taken by the system. */
  readonly queuedBytes: number;
  /** Addresses remembered, and those being dialled. */
  readonly addresses: number;
  readonly dialling: number;
  /** Messages of feeds that we may get to know. */
  readonly earlyMessages: number;
  /** Pages of 1 KiB of what peers have, and runs of what they got since they were looked at. */
  readonly remotePages: number;
  readonly newsRuns: number;
}

export function sizesOf(state: SyncState): SyncSizes {
  const sizes = {
    feeds: state.feeds.size,
    peers: state.peers.size,
    openPeers: 0,
    halfOpenPeers: 0,
    links: 0,
    inFlight: 0,
    cancelled: 0,
    returned: 0,
    queuedRequests: 0,
    queuedBytes: 0,
    addresses: 0,
    dialling: state.dials.count,
    earlyMessages: 0,
    remotePages: 0,
    newsRuns: 0,
  };
  for (const peer of state.peers.values()) {
    if (peer.phase === "open") sizes.openPeers++;
    else if (peer.phase === "greeting" && !peer.dialled) sizes.halfOpenPeers++;
    sizes.queuedRequests += peer.requests.length;
    sizes.queuedBytes += peer.queuedBytes;
    sizes.earlyMessages += peer.early.size;
    for (const link of peer.links.values()) {
      sizes.links++;
      sizes.inFlight += link.inFlight.size;
      sizes.cancelled += link.cancelled.size;
      sizes.remotePages += link.remote.mixedPages;
      sizes.newsRuns += link.search.news.runs;
    }
  }
  for (const feed of state.feeds.values()) sizes.returned += feed.returned.size;
  for (const book of state.addresses.values()) sizes.addresses += book.size;
  return sizes;
}
