/**
 * Bytes that no honest peer sends, for one session: noise, recorded transcripts that are cut short,
 * damaged or spliced, and frames of nonsense under a good greeting and the right keystream. A session
 * takes them or ends with a protocol error; it asks for no more memory than the bytes that came.
 */
import assert from "node:assert/strict";
import { LocalProtocolError, RemoteProtocolError } from "../../src/base/errors.ts";
import { concat, equalBytes } from "../../src/base/bytes.ts";
import { MAX_VARINT_BYTES, writeVarint } from "../../src/base/varint.ts";
import { openKeystream } from "../../src/crypto/keystream.ts";
import { discoveryKey } from "../../src/crypto/hash.ts";
import { MAX_FRAME_BYTES } from "../../src/core/wire/frame.ts";
import { Session } from "../../src/core/wire/session.ts";
import { largestAllocation } from "../support/allocations.ts";
import { type EncryptedDirection, encryptedDirections } from "../support/wire_vectors.ts";
import { CaseRandom, noise } from "./mutate.ts";

/** What a frame that spans chunks may take before its bytes are here. */
const SLACK_BYTES = 128 * 1024;

/** What is taken of a transcript, in bytes: frames to come in it are like those that came. */
const MAX_BYTES = 4 * 1024;

/** Chunks of a connection that are cut small; the rest comes in larger ones. */
const MAX_SMALL_CHUNKS = 48;

/** Looking at allocations costs as much as a connection: one in so many is looked at. */
const LOOK_EVERY = 16;

/** One side of a recorded session, and the discovery key that it is about. */
type Recorded = Omit<EncryptedDirection, "name"> & { readonly name: Uint8Array };

export interface SessionFuzzed {
  readonly bytes: number;
  readonly messages: number;
  /** Whether the session ended with a protocol error. */
  readonly refused: boolean;
  /** In bytes; 0 where it was not looked at. */
  readonly largestAllocation: number;
}

export class SessionFuzzer {
  readonly #recorded = encryptedDirections().map((direction) => ({
    ...direction,
    name: discoveryKey(direction.publicKey),
    bytes: direction.bytes.slice(0, MAX_BYTES),
    plain: direction.plain.slice(0, MAX_BYTES),
  }));

  /**
   * One session and what it is given, which follow from the number.
   *
   * @throws {AssertionError} If anything that must hold does not.
   */
  run(seed: number): SessionFuzzed {
    try {
      return this.#run(new CaseRandom(seed), seed % LOOK_EVERY === 0);
    } catch (error) {
      throw new Error(`Seed "${seed}": ${(error as Error).message}`, { cause: error });
    }
  }

  #run(random: CaseRandom, looks: boolean): SessionFuzzed {
    const base = random.pick(this.#recorded);
    const session = sessionFor(random, base);
    const bytes = this.#bytes(random, base);
    const result = { bytes: bytes.length, messages: 0, refused: false, largestAllocation: 0 };
    // The input is cut up before: only what the session itself asks for counts.
    const chunks = cut(random, bytes);
    const giveAll = () => {
      for (const chunk of chunks) {
        if (!receive(session, chunk, result)) break;
        assert.ok(session.partialBytes <= bytes.length, "more bytes wait than came");
      }
    };
    if (looks) result.largestAllocation = largestAllocation(giveAll);
    else giveAll();
    const most = Math.min(MAX_FRAME_BYTES, 2 * bytes.length + SLACK_BYTES);
    assert.ok(
      result.largestAllocation <= most,
      `${result.largestAllocation} bytes allocated for ${bytes.length}`,
    );
    assert.ok(result.messages <= bytes.length, "more messages than bytes");
    if (result.refused) {
      assert.equal(session.phase, "closed");
      assert.deepEqual(session.receive(bytes.slice()), [], "a closed session takes nothing");
      assert.throws(() => session.encode(["keepalive"]), LocalProtocolError);
    }
    session.end();
    assert.equal(session.phase, "closed");
    return result;
  }

  #bytes(random: CaseRandom, base: Recorded): Uint8Array {
    const { bytes, plain } = base;
    switch (random.below(6)) {
      case 0:
        return noise(random, random.below(2000));
      case 1:
        return bytes.slice(0, random.below(bytes.length));
      case 2:
        return flipped(random, bytes);
      case 3:
        return spliced(random, bytes, random.pick(this.#recorded).bytes);
      default: {
        // Behind the greeting everything is encrypted, so it is changed before that.
        const changed = random.below(2) === 0
          ? flipped(random, plain)
          : concat([plain.subarray(0, random.below(plain.length)), nonsense(random)]);
        return encrypted(base, changed);
      }
    }
  }
}

/** Gives one chunk; answers whether the session goes on. */
function receive(
  session: Session,
  chunk: Uint8Array,
  result: { messages: number; refused: boolean },
): boolean {
  try {
    result.messages += session.receive(chunk).length;
    return true;
  } catch (error) {
    assert.ok(error instanceof RemoteProtocolError, `an error of another kind: ${error}`);
    result.refused = true;
    return false;
  }
}

/** As the other side of a recorded session: it dialled, or it looks the feed up. */
function sessionFor(random: CaseRandom, { name, publicKey, otherNonce }: Recorded): Session {
  const session = new Session({
    nonce: otherNonce,
    lookup: (wanted) => equalBytes(wanted, name) ? publicKey : undefined,
  });
  if (random.below(2) === 0) session.open(publicKey);
  return session;
}

/** The first frame stays in clear, what follows is encrypted: as the sender would have. */
function encrypted({ publicKey, nonce }: Recorded, plain: Uint8Array): Uint8Array {
  // A Feed's frame is shorter than 128 bytes, so its length takes one.
  const clear = Math.min(plain.length, 1 + (plain[0] ?? 0));
  openKeystream(publicKey, nonce).apply(plain.subarray(clear));
  return plain;
}

function flipped(random: CaseRandom, bytes: Uint8Array): Uint8Array {
  const changed = bytes.slice();
  for (let left = 1 + random.below(8); left > 0 && changed.length > 0; left--) {
    changed[random.below(changed.length)] ^= 1 << random.below(8);
  }
  return changed;
}

/** Pieces of both, in any order, some of them twice. */
function spliced(random: CaseRandom, a: Uint8Array, b: Uint8Array): Uint8Array {
  return concat(Array.from({ length: 1 + random.below(6) }, () => {
    const from = random.below(3) > 0 ? a : b;
    const start = random.below(2) * random.below(from.length);
    return from.subarray(start, start + random.below(from.length - start + 1));
  }));
}

/** Frames with good lengths, mostly, and anything inside. */
function nonsense(random: CaseRandom): Uint8Array {
  return concat(Array.from({ length: 1 + random.below(12) }, () => {
    const body = noise(random, random.below(120));
    // A channel that is open, and any type.
    if (body.length > 0 && random.below(4) > 0) body[0] = random.below(16);
    const claimed = random.below(12) === 0 ? random.below(2 ** 31) : body.length;
    return concat([varint(claimed), body]);
  }));
}

function varint(value: number): Uint8Array {
  const bytes = new Uint8Array(MAX_VARINT_BYTES);
  return bytes.slice(0, writeVarint(bytes, 0, value));
}

/** Cut into chunks of any size, which share the memory that is theirs to change. */
function cut(random: CaseRandom, bytes: Uint8Array): Uint8Array[] {
  const small = random.pick([1 + random.below(40), 1 + random.below(2000), bytes.length + 1]);
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const most = chunks.length < MAX_SMALL_CHUNKS ? small : bytes.length;
    const end = at + 1 + random.below(most);
    chunks.push(bytes.subarray(at, end));
    at = end;
  }
  return chunks;
}
