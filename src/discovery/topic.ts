/** What is looked for: the discovery key of an archive, under the names that networks use for it. */
import { toHex } from "../base/bytes.ts";

/** Bytes of a discovery key that dat's own networks use. Source: spec of discovery, section 1. */
const SHORT_BYTES = 20;

export class Topic {
  /** All 32 bytes. */
  readonly discoveryKey: Uint8Array;
  /** All of it in hex: the name that everything of ours goes by. */
  readonly name: string;

  constructor(discoveryKey: Uint8Array) {
    this.discoveryKey = discoveryKey;
    this.name = toHex(discoveryKey);
  }

  /** The first 20 bytes: the infohash of the BitTorrent DHT. */
  get infoHash(): Uint8Array {
    return this.discoveryKey.subarray(0, SHORT_BYTES);
  }

  /** The same as 40 hex digits: the label of DNS names. */
  get label(): string {
    return this.name.slice(0, 2 * SHORT_BYTES);
  }
}
