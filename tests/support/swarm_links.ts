/**
 * Links of a simulated swarm: latency, jitter and bandwidth under virtual time.
 *
 *     outbox of the link -> the node's line out -> window of the link -> the other node's line in
 *                           (links take turns)     (up to WINDOW_BYTES)
 *
 * Bytes are carried in pieces, so that a large block on a slow line does not arrive out of nothing.
 * What the window has room for counts as flushed: beyond it, a node that takes nothing makes the
 * outbox of the other one grow, as with TCP.
 */
import type { PeerId } from "../../src/core/sync/inputs.ts";
import type { EventQueue } from "./event_queue.ts";
import type { Random } from "./random.ts";
import type { Node } from "./swarm_node.ts";

/** Bytes on their way on one link, and those that the system keeps for it. */
const WINDOW_BYTES = 256 * 1024;

/** What is carried at once. */
const PIECE_BYTES = 16 * 1024;

export interface LinkShape {
  /** One way, in milliseconds. */
  readonly delayMs: number;
  /** Each piece may take up to so much longer. */
  readonly jitterMs?: number;
  /** Each way; unlimited if absent. */
  readonly bytesPerSecond?: number;
}

/** Something that is carried whole: a frame. */
export interface Parcel {
  /** What `flushed` counts for it. */
  readonly flushBytes: number;
  /** On the wire. */
  readonly bytes: number;
  readonly arrive: (remote: Node, peer: PeerId) => void;
}

/** One end of a link. */
export class End {
  readonly peer: PeerId;
  readonly node: Node;
  readonly remote: Node;
  readonly remotePeer: PeerId;
  readonly shape: LinkShape;
  open = true;
  /** Nothing gets through, either way, and nobody is told. */
  lost = false;
  /** To be closed when everything that was sent has arrived. */
  ending = false;
  readonly outbox: Parcel[] = [];
  /** Bytes of the first of them that left already. */
  gone = 0;
  /** Bytes in the window. */
  onWay = 0;
  waits = false;
  /** What reached the other node while it takes nothing. */
  readonly held: (() => void)[] = [];
  /** When the line of the link is free. */
  freeAt = 0;
  /** When the last piece sent arrives: links keep the order. */
  arrivesAt = 0;

  constructor(node: Node, remote: Node, { peer, remotePeer, shape }: {
    peer: PeerId;
    remotePeer: PeerId;
    shape: LinkShape;
  }) {
    this.node = node;
    this.remote = remote;
    this.peer = peer;
    this.remotePeer = remotePeer;
    this.shape = shape;
  }

  get isDrained(): boolean {
    return this.outbox.length === 0 && this.onWay === 0;
  }
}

export interface CarrierEvents {
  /** The system took this of what was sent. */
  flushed(end: End, bytes: number): void;
  /** Some of a frame arrived that is not complete yet. */
  partial(end: End, bytes: number): void;
  /** Everything arrived on a link that is ending. */
  drained(end: End): void;
}

export class Carrier {
  readonly #queue: EventQueue;
  readonly #random: Random;
  readonly #events: CarrierEvents;

  constructor(queue: EventQueue, random: Random, events: CarrierEvents) {
    this.#queue = queue;
    this.#random = random;
    this.#events = events;
  }

  send(end: End, parcel: Parcel): void {
    end.outbox.push(parcel);
    this.#queueUp(end);
    this.#pump(end.node);
  }

  /** A node takes in again what was sent to it. */
  resume(node: Node): void {
    for (const end of node.ends.values()) {
      const other = end.remote.ends.get(end.remotePeer);
      for (let land = other?.held.shift(); land !== undefined; land = other?.held.shift()) land();
    }
  }

  #queueUp(end: End): void {
    if (end.waits || end.outbox.length === 0 || end.onWay >= WINDOW_BYTES || !end.open) return;
    end.waits = true;
    end.node.turns.push(end);
  }

  /** Let the node's links have their turns while its line out is free. */
  #pump(node: Node): void {
    while (!node.sending) {
      const end = node.turns.shift();
      if (end === undefined) return;
      end.waits = false;
      if (!end.open) continue;
      const bytes = this.#sendPiece(end);
      this.#queueUp(end);
      const ms = millisecondsFor(bytes, node.options.upBytesPerSecond);
      if (ms === 0) continue;
      node.sending = true;
      this.#queue.after(ms, () => {
        node.sending = false;
        this.#pump(node);
      });
    }
  }

  #sendPiece(end: End): number {
    const [parcel] = end.outbox;
    const bytes = Math.min(PIECE_BYTES, parcel.bytes - end.gone);
    end.gone += bytes;
    const arrived = end.gone;
    const isWhole = end.gone === parcel.bytes;
    if (isWhole) {
      end.outbox.shift();
      end.gone = 0;
      if (parcel.flushBytes > 0) {
        this.#queue.after(1, () => this.#events.flushed(end, parcel.flushBytes));
      }
    }
    end.onWay += bytes;
    this.#queue.after(
      this.#travelTime(end, bytes),
      () => this.#reach(end, () => this.#land(end, parcel, { bytes, arrived, isWhole })),
    );
    return bytes;
  }

  #travelTime(end: End, bytes: number): number {
    const { now } = this.#queue;
    const { delayMs, jitterMs = 0, bytesPerSecond } = end.shape;
    const { remote } = end;
    end.freeAt = Math.max(end.freeAt, now) + millisecondsFor(bytes, bytesPerSecond);
    const jitter = jitterMs > 0 ? this.#random.below(jitterMs + 1) : 0;
    let arrivesAt = Math.max(end.arrivesAt, end.freeAt + delayMs + jitter);
    const { downBytesPerSecond } = remote.options;
    if (downBytesPerSecond !== undefined) {
      arrivesAt = Math.max(arrivesAt, remote.downFreeAt) +
        millisecondsFor(bytes, downBytesPerSecond);
      remote.downFreeAt = arrivesAt;
    }
    end.arrivesAt = arrivesAt;
    return arrivesAt - now;
  }

  #reach(end: End, land: () => void): void {
    if (!end.open || end.lost) return;
    // It stays in the window until somebody takes it.
    if (end.remote.deaf || end.held.length > 0) end.held.push(land);
    else land();
  }

  #land(
    end: End,
    parcel: Parcel,
    piece: { bytes: number; arrived: number; isWhole: boolean },
  ): void {
    const { remote } = end;
    if (!end.open || !remote.up) return;
    end.onWay -= piece.bytes;
    if (piece.isWhole) parcel.arrive(remote, end.remotePeer);
    else this.#events.partial(end, piece.arrived);
    this.#queueUp(end);
    this.#pump(end.node);
    if (end.ending && end.open && end.isDrained) this.#events.drained(end);
  }
}

function millisecondsFor(bytes: number, bytesPerSecond: number | undefined): number {
  return bytesPerSecond === undefined ? 0 : bytes * 1000 / bytesPerSecond;
}
