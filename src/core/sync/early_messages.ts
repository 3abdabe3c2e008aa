/**
 * Messages that came before we could act on them: no Handshake was there yet, or the feed was not
 * ours yet. A peer tells only once what it wants, so that is kept until we know the feed.
 *
 * Source: hypercore-protocol 6.12 keeps as many per channel, and ends the connection beyond.
 */
import type { Have, Message } from "../wire/messages.ts";
import { MAX_EARLY_BYTES, MAX_EARLY_MESSAGES } from "./limits.ts";

/** What belongs to a feed. */
export type FeedMessage = Exclude<Message, { type: "feed" | "handshake" | "extension" }>;

export class EarlyMessages {
  readonly #byChannel = new Map<number, FeedMessage[]>();
  #bytes = 0;

  /** Keep a message, in a copy. Answers false if there is no room. */
  add(channel: number, message: FeedMessage): boolean {
    // Nothing was asked for, so a block is no answer.
    if (message.type === "data") return true;
    const waiting = this.#byChannel.get(channel) ?? [];
    const bytes = heldBytes(message);
    if (waiting.length >= MAX_EARLY_MESSAGES || this.#bytes + bytes > MAX_EARLY_BYTES) return false;
    this.#bytes += bytes;
    waiting.push(message.type === "have" ? copyOf(message) : message);
    this.#byChannel.set(channel, waiting);
    return true;
  }

  /** The messages of a channel in their order. They are not kept any longer. */
  take(channel: number): readonly FeedMessage[] {
    const waiting = this.#byChannel.get(channel) ?? [];
    this.#byChannel.delete(channel);
    for (const message of waiting) this.#bytes -= heldBytes(message);
    return waiting;
  }

  /** How many messages are kept. */
  get size(): number {
    let size = 0;
    for (const waiting of this.#byChannel.values()) size += waiting.length;
    return size;
  }

  /** The channels with messages. */
  get channels(): readonly number[] {
    return this.#byChannel.size === 0 ? [] : [...this.#byChannel.keys()];
  }
}

/** The bitfield lies in a buffer that is about to be used again. */
function copyOf(have: Have): Have {
  return have.bitfield === undefined ? have : { ...have, bitfield: have.bitfield.slice() };
}

function heldBytes(message: FeedMessage): number {
  return message.type === "have" ? message.bitfield?.length ?? 0 : 0;
}
