/**
 * Two links to the same process for the same archive: one is enough.
 *
 * Both ends must choose the same one without a word. Source: discovery-swarm, by the rule that links
 * opened by the side with the smaller id stay. Ids are nothing that a peer proves, so a link that
 * works is given up for one that somebody else opened only so often.
 */
import { toHex } from "../../base/bytes.ts";
import { REPLACE_MS, SILENT_MS } from "./limits.ts";
import type { PeerState } from "./peer_state.ts";
import type { SyncState } from "./state.ts";

/** A peer told its id. Answers whether its link stays; if so, it is the only one to that peer. */
export function settleDuplicate(state: SyncState, peer: PeerState): boolean {
  const other = linkTo(state, peer, peer.remoteId);
  if (other === undefined) return true;
  const ours = toHex(state.options.id);
  const theirs = peer.remoteId!;
  const mustGo = peer.dialled ? theirs < ours : theirs > ours;
  const isTooSoon = !peer.dialled && state.now - other.replacedAt < REPLACE_MS;
  // Whoever dials us again after its link broke knows better than we do: ours is silent, and would
  // keep the peer out until that is noticed.
  const isDead = !peer.dialled && !other.dialled && state.now - other.heardAt >= SILENT_MS;
  const loser = !isDead && (mustGo || isTooSoon) ? peer : other;
  if (loser === other) peer.replacedAt = state.now;
  loser.duplicate = true;
  state.unlink(loser, "closed");
  return loser === other;
}

/** Another open link for the archive of this one, to the process of that id. */
export function linkTo(
  state: SyncState,
  peer: PeerState,
  remoteId: string | undefined,
): PeerState | undefined {
  if (remoteId === undefined || peer.primary === undefined) return undefined;
  for (const other of state.peersOf(peer.primary)) {
    if (other !== peer && other.phase === "open" && other.remoteId === remoteId) return other;
  }
  return undefined;
}
