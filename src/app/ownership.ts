/**
 * Before an owner appends: see that no peer holds a history that the append would contradict.
 *
 * A folder and its secret key that were copied to a second machine make two owners. Each append to
 * one that does not know what the other signed splits the archive for ever, so when peers are named
 * they are asked first. Metadata is compared alone: content is only ever reached through it.
 *
 * Source: spec of storage, section 14; of the dat directory, section 2.
 */
import { ForkError, StorageError, type TroveError } from "../base/errors.ts";
import { count } from "../base/format.ts";
import type { StopSignal, World } from "../base/world.ts";
import type { PeerAddress, Report } from "../core/sync/inputs.ts";
import { AHEAD_HINT, BlankFeed, type Comparison, FORKED_HINT } from "../core/sync/probe.ts";
import type { Receiver } from "../csp/channel.ts";
import type { FeedStore } from "../io/feed_store.ts";
import type { PeerNetwork } from "../io/peer_network.ts";
import { METADATA } from "./clone_archive.ts";
import type { Emit } from "./events.ts";
import { checkContentLength } from "./lost_history.ts";
import type { Archive } from "./open_archive.ts";
import { checkServed } from "./served_lengths.ts";
import { type Director, Synchronizer } from "./synchronizer.ts";
import { refuseUnfinishedPull } from "./version_notes.ts";

/**
 * How long a named peer may take to be reached. A peer that is not there must not keep an owner
 * from working; most answer within a second.
 */
export const CONNECT_MS = 5000;

/** How long all of it may take, once a peer is reached. The answer is two small messages. */
export const COMPARE_MS = 15_000;

export interface OwnershipOptions {
  readonly world: World;
  /** Whom to ask; without any there is nothing to do. */
  readonly peers: readonly PeerAddress[];
  readonly network?: PeerNetwork;
  readonly signals?: Receiver<StopSignal>;
  /** Ask no longer than so many milliseconds. */
  readonly timeoutMs?: number;
  readonly emit: Emit;
}

/**
 * See that an archive of our own may be appended to: it has all of its content's length, and the
 * peers hold nothing that contradicts it. Nothing is fetched from them, and nothing of the archive
 * is told. Where none could be compared with there is a warning, and the owner goes on.
 *
 * @throws {ForkError} If a peer holds newer versions, or another history, or more was served before.
 * @throws {StorageError} If parts of the archive here are lost or damaged.
 * @throws {InterruptedError} If a signal came meanwhile.
 */
export async function checkOwnership(archive: Archive, options: OwnershipOptions): Promise<void> {
  const { peers, emit, world } = options;
  refuseUnfinishedPull(archive.paths);
  checkServed(archive, world);
  checkContentLength(archive);
  if (peers.length === 0) return;
  const judge: Judge = (address, found) => contradiction(archive, address, found);
  const check = await compareWithPeers(archive.metadata, options, judge);
  if (check.compared > 0) return;
  const message = `Could not compare this archive with ${check.reasons()}; if it was changed on ` +
    "another machine as well, that goes unnoticed";
  emit({ event: "warning", code: "not-compared", message });
}

/**
 * Before more is fetched into a feed, an archive's metadata or a bare one: see that what peers have goes on from what is here. Two
 * histories of the same length would otherwise pass for the same, and a longer one would be taken
 * in before it shows that it is another. Peers that cannot be reached are met again when fetching.
 *
 * @throws {ForkError} If a peer holds another history. Nothing was changed.
 * @throws {InterruptedError} If a signal came meanwhile.
 */
export async function refuseForks(
  { metadata }: Pick<Archive, "metadata">,
  options: OwnershipOptions,
): Promise<void> {
  if (metadata.length === 0 || options.peers.length === 0) return;
  const judge: Judge = (address, found) => otherHistory(metadata.length, address, found);
  await compareWithPeers(metadata, options, judge);
}

/** What is wrong with what was found at a peer, if anything. */
type Judge = (address: PeerAddress, found: Comparison) => TroveError | undefined;

async function compareWithPeers(
  metadata: FeedStore,
  options: OwnershipOptions,
  judge: Judge,
): Promise<OwnershipCheck> {
  const { world, peers, network, signals } = options;
  const check = new OwnershipCheck(options, judge);
  const sync = new Synchronizer({
    world,
    director: check,
    live: false,
    persistent: false,
    network,
    signals,
  });
  sync.join(METADATA, metadata, METADATA, new BlankFeed(metadata.publicKey));
  sync.input({ kind: "probe", feed: METADATA, against: metadata });
  for (const address of peers) sync.input({ kind: "found", address, primary: METADATA });
  await sync.run();
  return check;
}

class OwnershipCheck implements Director {
  readonly #world: World;
  readonly #timeoutMs: number;
  readonly #judge: Judge;
  readonly #startedAt: number;
  /** Peers that are still awaited. */
  readonly #awaited: Set<PeerAddress>;
  readonly #reached = new Set<PeerAddress>();
  /** Why the others could not be compared with, as far as is known. */
  readonly #reasons = new Map<PeerAddress, string>();
  /** How many peers were compared with. */
  compared = 0;

  constructor({ world, peers, timeoutMs = Infinity }: OwnershipOptions, judge: Judge) {
    this.#judge = judge;
    this.#timeoutMs = timeoutMs;
    this.#world = world;
    this.#startedAt = world.clock.monotonic();
    this.#awaited = new Set(peers);
    for (const peer of peers) this.#reasons.set(peer, "it does not answer");
  }

  /** Each peer, and why it could not be compared with. */
  reasons(): string {
    return [...this.#reasons].map(([peer, reason]) => `peer ${peer} (${reason})`).join(", ");
  }

  onReport(report: Report, sync: Synchronizer): void {
    switch (report.kind) {
      case "peer-opened":
        this.#reached.add(report.address);
        return;
      case "probed":
        return this.#take(report.address, report.found, sync);
      case "peer-failed":
        this.#reasons.set(report.address, report.reason);
        if (report.retryMs === undefined) this.#settle(report.address, sync);
        return;
      case "peer-closed": {
        const { address, reason } = report;
        if (typeof reason === "string") return;
        this.#reasons.set(address, reason.message);
        return this.#settle(address, sync);
      }
      case "alone":
        return sync.stop();
    }
  }

  onTick(sync: Synchronizer): void {
    const elapsed = this.#world.clock.monotonic() - this.#startedAt;
    if (elapsed < Math.min(CONNECT_MS, this.#timeoutMs)) return;
    for (const peer of this.#awaited) {
      if (elapsed >= Math.min(COMPARE_MS, this.#timeoutMs) || !this.#reached.has(peer)) {
        this.#settle(peer, sync);
      }
    }
  }

  #take(address: PeerAddress, found: Comparison, sync: Synchronizer): void {
    const error = this.#judge(address, found);
    if (error !== undefined) return sync.stop(error);
    if (found.kind === "unproven" || found.kind === "unclear") {
      this.#reasons.set(address, "it cannot prove what it has");
    } else {
      this.compared++;
    }
    this.#settle(address, sync);
  }

  #settle(address: PeerAddress, sync: Synchronizer): void {
    this.#awaited.delete(address);
    if (this.#awaited.size === 0) sync.stop();
  }
}

/** Why nothing may be fetched after what was found at a peer; undefined if it may. */
function otherHistory(
  length: number,
  address: PeerAddress,
  found: Comparison,
): TroveError | undefined {
  if (found.kind !== "forked") return undefined;
  return new ForkError(
    `Cannot fetch from peer ${address}: it has another history (version ${found.length - 1} ` +
      `there, ${length - 1} here), signed with the same secret key`,
    { hint: "nothing was changed; ask the owner which of the two goes on" },
  );
}

/** Why nothing may be appended after what was found at a peer; undefined if it may. */
function contradiction(
  { metadata, paths }: Archive,
  address: PeerAddress,
  found: Comparison,
): TroveError | undefined {
  const ours = metadata.length;
  switch (found.kind) {
    case "forked":
      return new ForkError(
        `Cannot add to this archive: peer ${address} has another history (version ` +
          `${found.length - 1} there, ${ours - 1} here), signed elsewhere with the same secret key`,
        { hint: FORKED_HINT },
      );
    case "unclear":
      // Without the nodes to show that it goes on from ours it is newer all the same.
      if (found.length <= ours) return undefined;
      return newer(address, found.length - ours);
    case "ahead":
      return newer(address, found.length - ours);
    case "damaged":
      return new StorageError(
        `Cannot compare the archive in "${paths.dir}" with what peers have: its tree node ` +
          `${found.node} is damaged`,
        { hint: "run trove verify, then trove repair" },
      );
    default:
      return undefined;
  }
}

function newer(address: PeerAddress, versions: number): ForkError {
  return new ForkError(
    `Cannot add to this archive: peer ${address} has ${count(versions, "newer version")}, signed ` +
      "elsewhere with the same secret key",
    { hint: AHEAD_HINT },
  );
}
