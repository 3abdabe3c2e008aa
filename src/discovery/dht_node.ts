/** What the two DHTs have in common to the rest: one node of ours that takes part in a DHT. */
import type { HostPort } from "../io/peer_address.ts";
import type { Candidate } from "./source.ts";

/** A way through the DHT towards a target, node by node, each naming others that are closer. */
export interface Visit {
  /** Ends it early. */
  readonly signal: AbortSignal;
  /** A node answered. */
  onAnswer(): void;
}

export interface PeerVisit extends Visit {
  /** As long as the DHT's ids. */
  readonly target: Uint8Array;
  /** The TCP port to announce at the nodes closest to the target. */
  readonly announce: number | undefined;
  /** @param from The address of the node that said so. */
  onAddress(candidate: Candidate, from: string): void;
}

/**
 * Neither throws nor rejects: how a visit went is how many nodes answered. Each visit is limited in
 * nodes, and ends soon after its signal.
 */
export interface DhtNode {
  /** Look for the nodes that are close to our own id, beginning with those given. */
  enter(nodes: readonly HostPort[], visit: Visit): Promise<void>;
  /** Ask for the peers of a target, and announce ourselves if that is wanted. One at a time each. */
  visit(visit: PeerVisit): Promise<void>;
  /** Take back an announcement, where the DHT has a way to do so. */
  withdraw?(target: Uint8Array, port: number, visit: Visit): Promise<void>;
  /** Nodes that have answered, those that are worth most last time first. */
  nodes(): HostPort[];
  close(): Promise<void>;
}

/**
 * Nodes that may answer on one visit. An honest one takes 40 to 120 (20 closest, 16 asked at once);
 * nodes that invent closer ones without end are left alone after this many.
 */
export const MAX_ANSWERS = 256;

/** Addresses that are taken from one visit. Source: spec of errors and limits, section 8. */
export const MAX_ADDRESSES = 1000;
