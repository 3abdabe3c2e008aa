/** The messages of hypercore-protocol 6. */

/** Names a feed on a channel. On the first frame of a direction it carries the nonce. */
export interface Feed {
  readonly type: "feed";
  /** 32 bytes. */
  readonly discoveryKey: Uint8Array;
  /** 24 bytes; only meaningful in the first frame of a direction. */
  readonly nonce?: Uint8Array;
}

export interface Handshake {
  readonly type: "handshake";
  /** Normally 32 random bytes. */
  readonly id?: Uint8Array;
  readonly live: boolean;
  readonly userData?: Uint8Array;
  /** Sorted by UTF-16 code units. */
  readonly extensions: readonly string[];
  readonly ack: boolean;
}

export interface Info {
  readonly type: "info";
  readonly uploading: boolean;
  readonly downloading: boolean;
}

export interface Have {
  readonly type: "have";
  readonly start: number;
  /** Number of blocks; decoded as 1 when absent. */
  readonly length: number;
  /** Run-length encoded; see have_bitfield.ts. */
  readonly bitfield?: Uint8Array;
  readonly ack: boolean;
}

export interface Unhave {
  readonly type: "unhave";
  readonly start: number;
  /** Decoded as 1 when absent. */
  readonly length: number;
}

export interface Want {
  readonly type: "want";
  readonly start: number;
  /** 0 means everything from `start`. */
  readonly length: number;
}

export interface Unwant {
  readonly type: "unwant";
  readonly start: number;
  readonly length: number;
}

export interface Request {
  readonly type: "request";
  readonly index: number;
  /** Byte offset to seek to; 0 means this is not a byte request. */
  readonly bytes: number;
  /** Only hashes, no block data. */
  readonly hash: boolean;
  /** Digest of the tree nodes the requester holds. */
  readonly nodes: number;
}

export interface Cancel {
  readonly type: "cancel";
  readonly index: number;
  readonly bytes: number;
  readonly hash: boolean;
}

export interface DataNode {
  readonly index: number;
  /** 32 bytes. */
  readonly hash: Uint8Array;
  readonly size: number;
}

export interface Data {
  readonly type: "data";
  readonly index: number;
  /** Present and empty is a zero-length block; absent means hashes only. */
  readonly value?: Uint8Array;
  readonly nodes: readonly DataNode[];
  /** 64 bytes. */
  readonly signature?: Uint8Array;
}

export interface Extension {
  readonly type: "extension";
  /** Index in the sender's own Handshake list. */
  readonly id: number;
  readonly payload: Uint8Array;
}

export type Message =
  | Feed
  | Handshake
  | Info
  | Have
  | Unhave
  | Want
  | Unwant
  | Request
  | Cancel
  | Data
  | Extension;
