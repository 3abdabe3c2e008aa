/** How a link opens and ends: Feed, Handshake and Info. */
import { RemoteProtocolError } from "../../base/errors.ts";
import { equalBytes, toHex } from "../../base/bytes.ts";
import type { Feed, Handshake, Info } from "../wire/messages.ts";
import { admitTo } from "./admission.ts";
import { HEEDS_CANCEL } from "./cancels.ts";
import { download } from "./downloads.ts";
import { settleDuplicate } from "./duplicates.ts";
import type { FeedState } from "./feed_state.ts";
import { askFirst, askHoldings } from "./holdings.ts";
import { MAX_ID_BYTES, MAX_UNKNOWN_CHANNELS } from "./limits.ts";
import { FeedLink, type PeerState } from "./peer_state.ts";
import { probe } from "./probe.ts";
import type { SyncState } from "./state.ts";

/** Open our side of a link: the primary feed, the handshake, then the feeds beside it. */
export function greet(state: SyncState, peer: PeerState, primary: FeedState): void {
  state.assign(peer, primary.id);
  const link = name(state, peer, primary);
  const { id, live, ack = false } = state.options;
  const extensions = [HEEDS_CANCEL];
  state.send(peer, link, { type: "handshake", id, live, extensions, ack });
  for (const feed of state.archiveOf(primary.id)) {
    if (feed !== primary) name(state, peer, feed);
  }
}

/** Name a feed on a link that is already greeted. */
export function name(state: SyncState, peer: PeerState, feed: FeedState): FeedLink {
  const link = new FeedLink(feed.id, peer.nextChannel++, peer.window);
  peer.links.set(feed.id, link);
  state.send(peer, link, { type: "feed", discoveryKey: feed.reader.discoveryKey });
  const channel = peer.unknown.get(feed.name);
  if (channel !== undefined) {
    // The remote named it before we knew it.
    peer.unknown.delete(feed.name);
    peer.channels.set(channel, link);
    link.open = true;
    begin(state, peer, link);
  }
  return link;
}

export function onFeed(state: SyncState, peer: PeerState, channel: number, message: Feed): void {
  const dk = toHex(message.discoveryKey);
  const feed = state.feedNamed(dk);
  if (peer.primary === undefined) {
    // The session looked the key up to decrypt what follows, so the feed is one of ours.
    if (feed === undefined) {
      return state.unlink(
        peer,
        new RemoteProtocolError(`Cannot serve the archive a peer asks for`),
      );
    }
    if (!admitTo(state, peer, feed.id)) return;
    greet(state, peer, feed);
  }
  closeChannel(state, peer, channel);
  // Only what belongs to the archive that opened the link: whoever can read that one has shown no
  // right to read another.
  const link = feed?.primary === peer.primary ? peer.links.get(feed!.id) : undefined;
  if (link === undefined) {
    if (peer.unknown.size >= MAX_UNKNOWN_CHANNELS) {
      return state.unlink(peer, new RemoteProtocolError("Cannot keep track of so many feeds"));
    }
    peer.unknown.set(dk, channel);
    peer.channels.set(channel, undefined);
    return;
  }
  peer.channels.set(channel, link);
  if (link.open) return; // named twice: one state serves both
  link.open = true;
  begin(state, peer, link);
}

/** A channel number is used anew: what it stood for ends. */
function closeChannel(state: SyncState, peer: PeerState, channel: number): void {
  if (!peer.channels.has(channel)) return;
  state.strike(peer, `channel ${channel} was used twice`);
  peer.channels.delete(channel);
  peer.early.take(channel);
  for (const [dk, number] of peer.unknown) if (number === channel) peer.unknown.delete(dk);
}

export function onHandshake(state: SyncState, peer: PeerState, message: Handshake): void {
  if (peer.phase !== "greeting") return; // only the first one counts
  if (message.id !== undefined && equalBytes(message.id, state.options.id)) {
    // Both ends are ours. The one that dialled ends the link, for it knows the address to forget.
    if (!peer.dialled) return;
    state.addresses.get(peer.primary!)?.ban(peer.address);
    return state.unlink(peer, new RemoteProtocolError("Cannot link to ourselves"));
  }
  if (peer.dialled) state.addresses.get(peer.primary!)?.answered(peer.address);
  if (message.id !== undefined && message.id.length <= MAX_ID_BYTES) {
    peer.remoteId = toHex(message.id);
    if (!settleDuplicate(state, peer)) return;
  }
  peer.phase = "open";
  peer.remoteLive = message.live;
  peer.remoteAck = message.ack;
  peer.window.cancels.isPromised = message.extensions.includes(HEEDS_CANCEL);
  const { primary, address } = peer;
  state.report({ kind: "peer-opened", peer: peer.id, primary, address, dialled: peer.dialled });
  for (const link of peer.links.values()) if (link.open) begin(state, peer, link);
}

/** Both sides named the feed and shook hands. */
function begin(state: SyncState, peer: PeerState, link: FeedLink): void {
  if (peer.phase !== "open") return;
  download(state, peer, link);
  probe(state, peer, link);
  askFirst(state, peer, link);
}

export function onInfo(state: SyncState, peer: PeerState, link: FeedLink, info: Info): void {
  link.remoteDownloads = info.downloading;
  const links = [...peer.links.values()];
  // A feed that the remote has not named yet it may be about to fetch.
  if (links.some((other) => !other.open || other.remoteDownloads)) return;
  if (!peer.saidFinished) {
    peer.saidFinished = true;
    const { id, primary, address } = peer;
    state.report({ kind: "peer-finished", peer: id, primary, address });
    askHoldings(state, peer);
  }
  // A remote that stays for news keeps the link; one that does not waits for us to end it. If we
  // do not stay ourselves, it is our director who knows when we are done.
  if (peer.remoteLive || !state.options.live) return;
  const busy = links.some((other) => {
    const feed = state.feeds.get(other.feed)!;
    return feed.downloads && !feed.completed;
  });
  if (!busy && peer.requests.length === 0) farewell(state, peer, false);
}

/** Say on every feed that we are done, then end the link in good order. */
export function farewell(state: SyncState, peer: PeerState, uploading: boolean): void {
  if (peer.phase === "open") {
    for (const link of peer.links.values()) {
      if (!link.open || link.saidFinished) continue;
      // Who came to compare never meant to download: there is nothing to be done with.
      if (state.feeds.get(link.feed)!.against !== undefined) continue;
      link.saidFinished = true;
      state.send(peer, link, { type: "info", uploading, downloading: false });
    }
  }
  // Who did not shake hands is owed nothing.
  state.unlink(peer, peer.phase === "open" ? "done" : "closed");
}
