/**
 * One connection without its socket: bytes in, messages out, and the other way round.
 *
 *     greeting   waiting for the remote's first Feed, which is in clear
 *     keyed      both keys and nonces known, waiting for the remote's Handshake
 *     open       the Handshake arrived
 *     closed     nothing goes in or out any more
 *
 * Each direction starts in clear and is encrypted from the byte after its first Feed on. That byte
 * may lie in the middle of a chunk, so framing, decryption and phase live together here.
 *
 * Source: spec of the wire, sections 6 to 10; limits, sections 2 to 5.
 */
import { EMPTY_BYTES, equalBytes, toHex } from "../../base/bytes.ts";
import { LocalProtocolError, RemoteProtocolError } from "../../base/errors.ts";
import { discoveryKey } from "../../crypto/hash.ts";
import { type Keystream, NONCE_BYTES, openKeystream } from "../../crypto/keystream.ts";
import { decodeMessage } from "./decode.ts";
import { MESSAGE_TYPES } from "./fields.ts";
import {
  FrameReader,
  MAX_CHANNELS,
  MAX_FIRST_FRAME_BYTES,
  MAX_FRAME_BYTES,
  splitFrame,
} from "./frame.ts";
import { frameSize, FrameWriter, type Outgoing } from "./frame_writer.ts";
import type { Feed, Message } from "./messages.ts";
import { SendRules } from "./send_rules.ts";

export type { Outgoing } from "./frame_writer.ts";

/** A message from the remote. `channel` is the remote's number for the feed. */
export interface Received {
  readonly channel: number;
  readonly message: Message;
}

export interface SessionOptions {
  /** Our own nonce: 24 random bytes, new for every connection. */
  readonly nonce: Uint8Array;
  /**
   * For the accepting side: the public key of the feed with this discovery key, or undefined if it
   * is not shared here.
   */
  readonly lookup?: (discoveryKey: Uint8Array) => Uint8Array | undefined;
}

export type SessionPhase = "greeting" | "keyed" | "open" | "closed";

/** Breaches that do not end the connection by themselves; so many of them do. */
export const MAX_STRIKES = 8;

/** A remote may give a channel number to another feed this often. Source: limits, section 4. */
const MAX_CHANNEL_REUSES = 2;

/** The feed that opens the connection: its public key is the key of both keystreams. */
interface PrimaryFeed {
  readonly publicKey: Uint8Array;
  readonly discoveryKey: Uint8Array;
}

const FEED = MESSAGE_TYPES.indexOf("feed");

export class Session {
  readonly #nonce: Uint8Array;
  readonly #lookup: SessionOptions["lookup"];
  #phase: SessionPhase = "greeting";
  #primary: PrimaryFeed | undefined;
  #strikes = 0;

  readonly #frames = new FrameReader(MAX_FIRST_FRAME_BYTES);
  #inward: Keystream | undefined;
  /** By the remote's channel numbers: how many Feed frames named a feed for it. */
  readonly #remoteFeeds = new Uint16Array(MAX_CHANNELS);
  #remoteFeedCount = 0;
  /** How many extension names the remote's Handshake had. */
  #remoteExtensions = 0;
  #keepalives = 0;
  #ignored = 0;

  readonly #writer = new FrameWriter();
  #rules: SendRules | undefined;
  #outward: Keystream | undefined;

  /** @throws {RangeError} If `nonce` is not 24 bytes. */
  constructor({ nonce, lookup }: SessionOptions) {
    if (nonce.length !== NONCE_BYTES) {
      throw new RangeError(`Cannot use ${nonce.length} bytes as nonce, need ${NONCE_BYTES}`);
    }
    this.#nonce = nonce;
    this.#lookup = lookup;
  }

  get phase(): SessionPhase {
    return this.#phase;
  }

  /** Public key of the feed that opens the connection, once it is known. */
  get publicKey(): Uint8Array | undefined {
    return this.#primary?.publicKey;
  }

  /** How many bytes of an unfinished frame have come. */
  get partialBytes(): number {
    return this.#frames.partialBytes;
  }

  /** How many keepalives came: a flood of them is the only message that is not delivered. */
  get keepalivesReceived(): number {
    return this.#keepalives;
  }

  /** How many frames came that are skipped by rule: empty ones and those of unassigned types. */
  get ignoredReceived(): number {
    return this.#ignored;
  }

  /**
   * The dialling side names the feed it wants, before anything is sent or received.
   *
   * @throws {LocalProtocolError} If the connection has its feed already.
   */
  open(publicKey: Uint8Array): void {
    if (this.#phase !== "greeting" || this.#primary !== undefined) {
      throw new LocalProtocolError("Cannot name the feed of a connection twice");
    }
    this.#setPrimary(publicKey);
  }

  /**
   * The messages that `chunk` completes. Keepalives and what is skipped by rule are left out; a
   * closed session gives none.
   *
   * `chunk` is decrypted in place and belongs to the session from here on: byte fields of messages
   * share memory with it, or with a buffer made for one frame, and stay as they are.
   *
   * @throws {RemoteProtocolError} If the peer broke the protocol. The session is closed then.
   */
  receive(chunk: Uint8Array): Received[] {
    const received: Received[] = [];
    if (this.#phase === "closed") return received;
    return this.#orClose(() => {
      this.#inward?.apply(chunk);
      this.#frames.push(chunk);
      for (let frame = this.#frames.next(); frame !== undefined; frame = this.#frames.next()) {
        const item = this.#readFrame(frame);
        if (item !== undefined) received.push(item);
      }
      return received;
    });
  }

  /**
   * The bytes of these frames, in order. The first message of a connection is the Feed of its own
   * feed on channel 0, which gets our nonce here; the second is the Handshake.
   *
   * The result is a view of an internal buffer and valid until the next call.
   *
   * @throws {LocalProtocolError} If one of them must not be sent now. The session is closed then.
   */
  encode(outgoing: readonly Outgoing[]): Uint8Array {
    return this.#orClose(() => {
      const rules = this.#rules;
      if (rules === undefined || this.#phase === "closed") {
        throw new LocalProtocolError(
          `Cannot send: the connection ${rules === undefined ? "has no feed yet" : "is closed"}`,
        );
      }
      for (const item of outgoing) rules.check(item);
      if (outgoing.length === 0) return EMPTY_BYTES;
      const frames = this.#outward === undefined ? this.#withNonce(outgoing) : outgoing;
      const bytes = this.#writer.encode(frames);
      if (this.#outward === undefined) {
        this.#outward = openKeystream(this.#primary!.publicKey, this.#nonce);
        this.#outward.apply(bytes.subarray(frameSize(frames[0])));
      } else {
        this.#outward.apply(bytes);
      }
      return bytes;
    });
  }

  /**
   * Count a breach that is not fatal by itself.
   *
   * @throws {RemoteProtocolError} If it was one too many. The session is closed then.
   */
  strike(reason: string): void {
    this.#strikes++;
    if (this.#strikes < MAX_STRIKES) return;
    this.#phase = "closed";
    throw new RemoteProtocolError(`Cannot go on after ${this.#strikes} breaches, last: ${reason}`);
  }

  /**
   * The remote's bytes have ended: close the session. Answers whether they ended inside a frame;
   * after an earlier end, no.
   */
  end(): boolean {
    const truncated = this.#phase !== "closed" && this.#frames.partialBytes > 0;
    this.#phase = "closed";
    return truncated;
  }

  /** Whatever goes wrong in `work` is the end of the session. */
  #orClose<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      this.#phase = "closed";
      throw error;
    }
  }

  #setPrimary(publicKey: Uint8Array): PrimaryFeed {
    const primary = { publicKey, discoveryKey: discoveryKey(publicKey) };
    this.#primary = primary;
    this.#rules = new SendRules(primary.discoveryKey);
    return primary;
  }

  // Receiving.

  #readFrame(frame: Uint8Array): Received | undefined {
    if (frame.length === 0) {
      this.#keepalives++;
      return undefined;
    }
    // A header without a payload means nothing, not even a header. Source: wire, section 3.
    if (frame.length === 1) return this.#ignore();

    const { channel, type, payload } = splitFrame(frame);
    if (type === FEED) return { channel, message: this.#readFeed(channel, payload) };
    if (this.#phase === "greeting") {
      throw new RemoteProtocolError(`Cannot begin with a message of type ${type}, need a Feed`);
    }
    if (this.#remoteFeeds[channel] === 0) {
      throw new RemoteProtocolError(`Cannot accept a message on channel ${channel}: not opened`);
    }
    const message = this.#decodeOrStrike(type, payload);
    if (message === undefined || !this.#isDue(message)) return this.#ignore();
    return { channel, message };
  }

  #ignore(): undefined {
    this.#ignored++;
  }

  #decodeOrStrike(type: number, payload: Uint8Array): Message | undefined {
    try {
      return decodeMessage(type, payload);
    } catch (error) {
      if (!(error instanceof RemoteProtocolError)) throw error;
      this.strike(`${MESSAGE_TYPES[type]}: ${error.message}`);
      return undefined;
    }
  }

  /** The first Handshake counts, and an extension must be on the list in it. */
  #isDue(message: Message): boolean {
    if (message.type === "extension") return message.id < this.#remoteExtensions;
    if (message.type !== "handshake") return true;
    if (this.#phase === "open") return false;
    this.#phase = "open";
    this.#remoteExtensions = message.extensions.length;
    return true;
  }

  /** A Feed that cannot be read ends the connection. */
  #readFeed(channel: number, payload: Uint8Array): Feed {
    const feed = decodeMessage(FEED, payload) as Feed;
    if (this.#phase === "greeting") this.#greet(feed);
    if (++this.#remoteFeedCount > MAX_CHANNELS) {
      throw new RemoteProtocolError(`Cannot accept more than ${MAX_CHANNELS} Feed messages`);
    }
    if (++this.#remoteFeeds[channel] > 1 + MAX_CHANNEL_REUSES) {
      this.strike(`channel ${channel} was given to another feed again`);
    }
    return feed;
  }

  /** Everything after this Feed is encrypted, what came in the same chunk included. */
  #greet(feed: Feed): void {
    if (feed.nonce === undefined) {
      throw new RemoteProtocolError("Cannot decrypt: the first Feed of the peer has no nonce");
    }
    if (equalBytes(feed.nonce, this.#nonce)) {
      throw new RemoteProtocolError("Cannot accept our own nonce: the stream comes back to us");
    }
    const primary = this.#primary ?? this.#setPrimary(this.#find(feed.discoveryKey));
    if (!equalBytes(primary.discoveryKey, feed.discoveryKey)) {
      throw new RemoteProtocolError(
        `Cannot sync: the peer shares another archive, ${toHex(feed.discoveryKey)}`,
      );
    }
    this.#inward = openKeystream(primary.publicKey, feed.nonce);
    this.#inward.apply(this.#frames.unread);
    this.#frames.limit = MAX_FRAME_BYTES;
    this.#phase = "keyed";
  }

  #find(wanted: Uint8Array): Uint8Array {
    const publicKey = this.#lookup?.(wanted);
    if (publicKey !== undefined) return publicKey;
    throw new RemoteProtocolError(`Cannot serve the peer: no archive ${toHex(wanted)} here`);
  }

  // Sending.

  /** The first frames of all: the rules have seen that a Feed leads them. */
  #withNonce([first, ...rest]: readonly Outgoing[]): Outgoing[] {
    const { channel, message } = first as { channel: number; message: Feed };
    if (message.nonce !== undefined && !equalBytes(message.nonce, this.#nonce)) {
      throw new LocalProtocolError("Cannot send a nonce other than the connection's own");
    }
    return [{ channel, message: { ...message, nonce: this.#nonce } }, ...rest];
  }
}
