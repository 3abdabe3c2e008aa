/** Which of many archives are to be closed, and which are to be opened next. */
import type { PeerAddress } from "../core/sync/inputs.ts";
import type { HostedArchive, Wanted } from "./hosted_archive.ts";
import { IDLE_MS, LOOK_MS, MAX_DIALLED, REOPEN_MS, REVISIT_MS, STALL_MS } from "./seed_limits.ts";
import type { Complaints } from "./seed_news.ts";
import type { FoundPeer } from "./synchronizer.ts";

/** Where a peer of one archive may be. */
export type FoundAddress = Omit<FoundPeer, "primary">;

/** All that is kept of an archive while it is not open. */
export interface Hosted {
  readonly wanted: Wanted;
  readonly link: string;
  /** The discovery key in hex. */
  readonly name: string;
  readonly complaints: Complaints;
  /** Why it could not be opened, as it was told. */
  readonly openComplaints: Complaints;
  /** Our own is served as it is; everything else is kept up to date. */
  owned?: boolean;
  open?: HostedArchive;
  /** It is being closed. */
  closing?: Promise<void>;
  /** Not to be opened before. */
  retryAt: number;
  /** To be visited from then on, to be kept up to date. */
  dueAt: number;
  /** The version whose files were all here when it was looked at last. */
  synced?: number;
  /** Addresses that discovery named, the latest last. */
  readonly found: Map<PeerAddress, FoundAddress>;
  removed: boolean;
}

/** Whether its turn to be visited has come. */
function isDue({ open, closing, dueAt, retryAt }: Hosted, now: number): boolean {
  return open === undefined && closing === undefined && dueAt <= now && retryAt <= now;
}

export function hasDue(all: Iterable<Hosted>, now: number): boolean {
  for (const hosted of all) if (isDue(hosted, now)) return true;
  return false;
}

/** Those whose turn it is, the longest due first, at most so many. */
export function dueOf(all: Iterable<Hosted>, now: number, most: number): Hosted[] {
  if (most <= 0) return [];
  const due = [...all].filter((hosted) => isDue(hosted, now));
  return due.sort((a, b) => a.dueAt - b.dueAt).slice(0, most);
}

/** How many archives may be linked to all of `peers` at once, of at most so many. */
export function placesFor(most: number, peers: number): number {
  const places = Math.floor(MAX_DIALLED / 2 / Math.max(1, peers));
  return Math.min(most, Math.max(1, places));
}

/** Open on our own initiative, because something is missing. */
export function isFetching({ follower, guests }: HostedArchive): boolean {
  return follower?.isComplete === false && guests.size === 0;
}

/** Complete, and open only so as to hear of news. */
export function isResting({ follower, guests }: HostedArchive): boolean {
  return follower?.isComplete === true && guests.size === 0;
}

export function isToBeClosed(
  open: HostedArchive,
  now: number,
  { visits, othersWait }: { visits: boolean; othersWait: () => boolean },
): boolean {
  if (open.follower === undefined && isOver(open, now)) return true;
  const isLeftAlone = open.peers === 0 && now - open.quietSince >= IDLE_MS;
  if (!isFetching(open)) return isLeftAlone;
  if (!visits) return isLeftAlone;
  // What gets nowhere makes room, but is looked for on while nothing else is to be done.
  return now - open.follower!.newsAt >= STALL_MS && othersWait();
}

/** Whether an archive that is only read is to be opened anew. */
function isOver(open: HostedArchive, now: number): boolean {
  const age = now - open.openedAt;
  if (age < REOPEN_MS) return false;
  // One that should be followed is tried again, for the other process may have ended.
  if (!open.archive.owned && (open.peers === 0 || age >= REVISIT_MS)) return true;
  return open.peers > 0 && now - open.lookedAt >= LOOK_MS && open.isOutdated;
}

/** The one to be closed where there are too many; none if each has peers that came by themselves. */
export function idlestOf(open: Iterable<Hosted>): Hosted | undefined {
  let idlest: Hosted | undefined;
  for (const hosted of open) {
    if (hosted.open!.guests.size > 0) continue;
    if (idlest === undefined || isIdler(hosted.open!, idlest.open!)) idlest = hosted;
  }
  return idlest;
}

/** Those without a peer go before those that follow one. */
function isIdler(one: HostedArchive, other: HostedArchive): boolean {
  const isAlone = one.peers === 0;
  if (isAlone !== (other.peers === 0)) return isAlone;
  return one.quietSince < other.quietSince;
}
