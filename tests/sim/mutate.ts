/** Input that nobody honest sends, made of what somebody honest did: cheap, and the same for the same number. */
import { EMPTY_BYTES } from "../../src/base/bytes.ts";

/** Values at which length fields and tags go wrong. */
const EDGES = [0, 1, 0x7f, 0x80, 0xfe, 0xff, 0x0a, 0x22, 0x2e, 0x2f, 0x5c, 0x7b];

/** A generator that costs nothing to begin (splitmix32, as in PractRand), for one case. */
export class CaseRandom {
  #state: number;

  constructor(seed: number) {
    // Neighbouring numbers must not make alike cases, and those above 2^32 count.
    this.#state = Math.imul(seed % 0x1_0000_0000, 0x9e37_79b1) ^
      Math.floor(seed / 0x1_0000_0000);
    this.next();
  }

  /** The next 32 bits, from 0 on. */
  next(): number {
    this.#state = (this.#state + 0x9e37_79b9) | 0;
    let word = this.#state ^ (this.#state >>> 16);
    word = Math.imul(word, 0x21f0_aaad);
    word ^= word >>> 15;
    word = Math.imul(word, 0x735a_2d97);
    return (word ^ (word >>> 15)) >>> 0;
  }

  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor(this.next() / 0x1_0000_0000 * limit);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }
}

/**
 * A sample as it is (seldom), damaged in a few places, cut short, joined with another one, repeated,
 * or nothing but noise. A new array of at most `maxBytes` bytes.
 */
export function mutate(
  random: CaseRandom,
  samples: readonly Uint8Array[],
  maxBytes: number,
): Uint8Array {
  const sample = random.pick(samples);
  switch (random.below(16)) {
    case 0:
      return noise(random, random.below(Math.min(maxBytes, 300)));
    case 1:
      return sample.slice(0, Math.min(maxBytes, random.below(sample.length + 1)));
    case 2:
    case 3:
      return spliced(random, sample, random.pick(samples), maxBytes);
    case 4:
      return repeated(random, sample, maxBytes);
    case 5:
      return withHole(random, sample.slice(0, maxBytes));
    default: {
      const bytes = sample.slice(0, maxBytes);
      for (let left = random.below(5); left >= 0 && bytes.length > 0; left--) damage(random, bytes);
      return bytes;
    }
  }
}

/** Change one place. */
export function damage(random: CaseRandom, bytes: Uint8Array): void {
  const at = random.below(bytes.length);
  switch (random.below(4)) {
    case 0:
      bytes[at] = random.pick(EDGES);
      break;
    case 1:
      bytes[at] = random.next();
      break;
    case 2:
      // What is huge in a varint, and what is huge in a fixed field.
      bytes.fill(0xff, at, at + 1 + random.below(9));
      break;
    default:
      bytes[at] ^= 1 << random.below(8);
  }
}

/** Bytes that say nothing. */
export function noise(random: CaseRandom, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++) bytes[at] = random.next();
  return bytes;
}

function spliced(random: CaseRandom, a: Uint8Array, b: Uint8Array, maxBytes: number): Uint8Array {
  const head = a.subarray(0, random.below(a.length + 1));
  const tail = b.subarray(random.below(b.length + 1));
  const bytes = new Uint8Array(head.length + tail.length);
  bytes.set(head);
  bytes.set(tail, head.length);
  return bytes.subarray(0, maxBytes);
}

function repeated(random: CaseRandom, sample: Uint8Array, maxBytes: number): Uint8Array {
  const start = random.below(sample.length);
  const piece = sample.subarray(start, start + 1 + random.below(40));
  if (piece.length === 0) return EMPTY_BYTES;
  const bytes = new Uint8Array(Math.min(maxBytes, sample.length + random.below(400)));
  bytes.set(sample.subarray(0, Math.min(start, bytes.length)));
  for (let at = start; at < bytes.length; at += piece.length) {
    bytes.set(piece.subarray(0, bytes.length - at), at);
  }
  return bytes;
}

/** Some bytes are taken out: what follows moves up. */
function withHole(random: CaseRandom, bytes: Uint8Array): Uint8Array {
  const at = random.below(bytes.length + 1);
  const count = 1 + random.below(8);
  bytes.copyWithin(at, Math.min(bytes.length, at + count));
  return bytes.subarray(0, Math.max(at, bytes.length - count));
}
