/** Shaking hands with a peer, and hearing whether it has anything of an archive. */
import { RemoteProtocolError, TroveError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import type { PeerAddress } from "../core/sync/inputs.ts";
import { HANDSHAKE_MS, WANT_BLOCKS } from "../core/sync/limits.ts";
import { decodeHaveRuns } from "../core/wire/have_bitfield.ts";
import type { Have } from "../core/wire/messages.ts";
import type { Outgoing } from "../core/wire/session.ts";
import { Session } from "../core/wire/session.ts";
import { discoveryKey } from "../crypto/hash.ts";
import { NONCE_BYTES } from "../crypto/keystream.ts";
import { type Connection, writeAll } from "../io/connection.ts";
import type { PeerNetwork } from "../io/peer_network.ts";

/** What came of it. */
export interface Greeting {
  readonly address: PeerAddress;
  /** `silent`: no Dat peer of this archive. `empty`: one that has nothing of it, as far as it says. */
  readonly result: "silent" | "empty" | "has";
  /** Somebody took the connection, whoever that is. */
  readonly connected: boolean;
  /** What it said, or what went wrong, as a clause for people. */
  readonly message: string;
}

/** Bytes of a greeting at a time; the whole of it is some hundred. */
const READ_BYTES = 4096;

/**
 * Connect, name the archive, wait for the Handshake and for the first Have. Does not throw, but when
 * it is aborted.
 */
export async function greetPeer(
  address: PeerAddress,
  publicKey: Uint8Array,
  { world, network, signal }: {
    readonly world: World;
    readonly network: PeerNetwork;
    readonly signal: AbortSignal;
  },
): Promise<Greeting> {
  let connection: Connection;
  try {
    connection = await network.dial(address, { signal });
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof TroveError)) throw error;
    return { address, result: "silent", connected: false, message: error.message };
  }
  const deadline = AbortSignal.timeout(HANDSHAKE_MS);
  const close = () => connection.close();
  deadline.addEventListener("abort", close);
  signal.addEventListener("abort", close);
  const reached = { address, connected: true } as const;
  const session = new Session({ nonce: world.randomBytes(NONCE_BYTES) });
  try {
    return await hearOf(session, { connection, publicKey, world })
      ? { ...reached, result: "has", message: "it answered, and has this archive" }
      : {
        ...reached,
        result: "empty",
        message: "it answered, and has nothing of this archive yet",
      };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof RemoteProtocolError) {
      return { ...reached, result: "silent", message: error.message };
    }
    if (session.phase === "open") {
      const end = deadline.aborted ? "does not say what it has" : "hung up at once";
      return { ...reached, result: "empty", message: `it answered, and ${end}` };
    }
    const message = deadline.aborted
      ? `connected, but no Dat peer answered within ${HANDSHAKE_MS / 1000} s`
      : "connected, and the peer hung up: most likely it does not have this archive";
    return { ...reached, result: "silent", message };
  } finally {
    deadline.removeEventListener("abort", close);
    signal.removeEventListener("abort", close);
    connection.close();
  }
}

/** Whether it says that it has anything. Throws when the connection ends before it says so. */
async function hearOf(
  session: Session,
  { connection, publicKey, world }: {
    readonly connection: Connection;
    readonly publicKey: Uint8Array;
    readonly world: World;
  },
): Promise<boolean> {
  session.open(publicKey);
  const id = world.randomBytes(32);
  const outgoing: Outgoing[] = [
    { channel: 0, message: { type: "feed", discoveryKey: discoveryKey(publicKey) } },
    { channel: 0, message: { type: "handshake", id, live: true, extensions: [], ack: false } },
    { channel: 0, message: { type: "want", start: 0, length: WANT_BLOCKS } },
  ];
  await writeAll(connection, session.encode(outgoing));
  for (;;) {
    const piece = new Uint8Array(READ_BYTES);
    const size = await connection.read(piece);
    if (size === null) throw new TroveError("The peer hung up");
    for (const { message } of session.receive(piece.subarray(0, size))) {
      if (message.type === "have") return hasAny(message);
    }
  }
}

function hasAny({ length, bitfield }: Have): boolean {
  if (bitfield === undefined) return length > 0;
  return !decodeHaveRuns(bitfield, { maxBits: Math.max(length, WANT_BLOCKS) }).next().done;
}
