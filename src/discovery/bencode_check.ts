/**
 * Reading bencode strictly, before a package does so less strictly: `bencode` goes round for ever
 * over a length below zero. Source: BEP 3, "bencoding"; limits: spec of errors and limits, section 8.
 */

export type Bencode = number | Uint8Array | readonly Bencode[] | ReadonlyMap<string, Bencode>;

/** Lists and dictionaries in each other; a message of the DHT has three. */
const MAX_DEPTH = 16;

const [ZERO, NINE, MINUS, COLON] = [0x30, 0x39, 0x2d, 0x3a];
const [DICT, LIST, INTEGER, END] = [0x64, 0x6c, 0x69, 0x65];

/** Digits of a number that are still read: more than any port, length or error code has. */
const MAX_DIGITS = 15;

/** What the bytes say; undefined if they are not bencode, or more than bencode. Shares memory. */
export function readBencode(bytes: Uint8Array): Bencode | undefined {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  return reader.at === bytes.length ? value : undefined;
}

/** Each reading gives undefined where there is no such thing. */
class Reader {
  at = 0;
  constructor(readonly bytes: Uint8Array) {}

  value(depth: number): Bencode | undefined {
    switch (this.bytes[this.at]) {
      case DICT:
        return depth < MAX_DEPTH ? this.#dictionary(depth) : undefined;
      case LIST:
        return depth < MAX_DEPTH ? this.#list(depth) : undefined;
      case INTEGER:
        this.at++;
        return this.#number(END);
      default:
        return this.#string();
    }
  }

  #dictionary(depth: number): Bencode | undefined {
    const entries = new Map<string, Bencode>();
    for (this.at++; this.bytes[this.at] !== END;) {
      const key = this.#string();
      const value = key === undefined ? undefined : this.value(depth + 1);
      if (value === undefined) return undefined;
      entries.set(String.fromCharCode(...key!), value);
    }
    this.at++;
    return entries;
  }

  #list(depth: number): Bencode | undefined {
    const values: Bencode[] = [];
    for (this.at++; this.bytes[this.at] !== END;) {
      const value = this.value(depth + 1);
      if (value === undefined) return undefined;
      values.push(value);
    }
    this.at++;
    return values;
  }

  #string(): Uint8Array | undefined {
    if (this.bytes[this.at] === MINUS) return undefined;
    const length = this.#number(COLON);
    if (length === undefined || length > this.bytes.length - this.at) return undefined;
    return this.bytes.subarray(this.at, this.at += length);
  }

  #number(end: number): number | undefined {
    const start = this.bytes[this.at] === MINUS ? this.at + 1 : this.at;
    let value = 0;
    let at = start;
    for (; this.bytes[at] >= ZERO && this.bytes[at] <= NINE && at - start < MAX_DIGITS; at++) {
      value = value * 10 + this.bytes[at] - ZERO;
    }
    if (at === start || this.bytes[at] !== end) return undefined;
    const isNegative = start > this.at;
    this.at = at + 1;
    return isNegative ? -value : value;
  }
}
