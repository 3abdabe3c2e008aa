/**
 * What we may send, and in which order: our own side of a connection as the remote will judge it.
 *
 * Source: spec of the wire, sections 6.1 (first frames), 8 (channels), 9 (keepalive) and 10
 * (extensions).
 */
import { equalBytes, toHex } from "../../base/bytes.ts";
import { LocalProtocolError } from "../../base/errors.ts";
import type { Outgoing } from "./frame_writer.ts";
import type { Extension, Feed, Handshake, Message } from "./messages.ts";

export class SendRules {
  readonly #discoveryKey: Uint8Array;
  readonly #channels = new Set<number>();
  /** How many extension names our Handshake had; undefined until it was sent. */
  #extensions: number | undefined;

  /** @param discoveryKey Of the feed that opens the connection, 32 bytes. */
  constructor(discoveryKey: Uint8Array) {
    this.#discoveryKey = discoveryKey;
  }

  /**
   * Note that `item` is the next thing we send.
   *
   * @throws {LocalProtocolError} If its turn has not come, or is over.
   */
  check(item: Outgoing): void {
    if (this.#channels.size === 0) return this.#checkFirst(item);
    if (item === "keepalive") return;
    const { channel, message } = item;
    if (message.type === "feed") return this.#checkFeed(channel, message);
    if (!this.#channels.has(channel)) throw illegal(item, "no Feed was sent on it");
    if (message.type === "handshake") return this.#checkHandshake(channel, message);
    if (this.#extensions === undefined) throw illegal(item, "the Handshake comes before it");
    if (message.type === "extension") this.#checkExtension(message, this.#extensions);
  }

  #checkFirst(item: Outgoing): void {
    if (item === "keepalive" || item.message.type !== "feed" || item.channel !== 0) {
      throw illegal(item, "a connection begins with a Feed on channel 0");
    }
    const { discoveryKey } = item.message;
    if (!equalBytes(discoveryKey, this.#discoveryKey)) {
      throw illegal(item, `${toHex(discoveryKey)} is not the feed of this connection`);
    }
    this.#channels.add(0);
  }

  #checkFeed(channel: number, message: Feed): void {
    if (this.#extensions === undefined) {
      throw illegal({ channel, message }, "the Handshake comes before it");
    }
    if (this.#channels.has(channel)) throw illegal({ channel, message }, "the channel is in use");
    if (message.nonce !== undefined) {
      throw illegal({ channel, message }, "only the first has a nonce");
    }
    this.#channels.add(channel);
  }

  #checkHandshake(channel: number, message: Handshake): void {
    if (channel !== 0) throw illegal({ channel, message }, "it belongs on channel 0");
    if (this.#extensions !== undefined) throw illegal({ channel, message }, "it was sent before");
    const names = message.extensions;
    // Peers compare the two lists as they would merge sorted ones.
    if (names.some((name, i) => i > 0 && names[i - 1] >= name)) {
      throw illegal({ channel, message }, "its extensions are not sorted");
    }
    this.#extensions = names.length;
  }

  #checkExtension({ id }: Extension, known: number): void {
    if (id >= known) {
      throw new LocalProtocolError(`Cannot send extension ${id}: our Handshake named ${known}`);
    }
  }
}

function illegal(item: Outgoing, reason: string): LocalProtocolError {
  const what = item === "keepalive" ? item : describe(item);
  return new LocalProtocolError(`Cannot send ${what}: ${reason}`);
}

function describe({ channel, message }: { channel: number; message: Message }): string {
  return `${message.type} on channel ${channel}`;
}
