/** Shaking hands with a peer and nothing more: whether it is there, and has an archive. */
import { RemoteProtocolError, TroveError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import type { PeerAddress } from "../core/sync/inputs.ts";
import { HANDSHAKE_MS } from "../core/sync/limits.ts";
import type { Outgoing, Received } from "../core/wire/session.ts";
import { Session } from "../core/wire/session.ts";
import { discoveryKey } from "../crypto/hash.ts";
import { NONCE_BYTES } from "../crypto/keystream.ts";
import { type Connection, writeAll } from "../io/connection.ts";
import type { PeerNetwork } from "../io/peer_network.ts";

/** What came of it. */
export interface Greeting {
  readonly address: PeerAddress;
  /** It shook hands, so it has the archive or a part of it. */
  readonly answered: boolean;
  /** Why not, or what it said, as a clause for people. */
  readonly message: string;
}

/** Bytes of a greeting at a time; the whole of it is some hundred. */
const READ_BYTES = 4096;

/** Connect, name the archive, and wait for the Handshake. Does not throw, but when it is aborted. */
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
    return { address, answered: false, message: error.message };
  }
  const deadline = AbortSignal.timeout(HANDSHAKE_MS);
  const close = () => connection.close();
  deadline.addEventListener("abort", close);
  signal.addEventListener("abort", close);
  try {
    return { address, ...await shakeHands(connection, publicKey, world) };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof RemoteProtocolError) {
      return { address, answered: false, message: error.message };
    }
    const message = deadline.aborted
      ? `connected, but no Dat peer answered within ${HANDSHAKE_MS / 1000} s`
      : "connected, and the peer hung up";
    return { address, answered: false, message };
  } finally {
    deadline.removeEventListener("abort", close);
    signal.removeEventListener("abort", close);
    connection.close();
  }
}

async function shakeHands(
  connection: Connection,
  publicKey: Uint8Array,
  world: World,
): Promise<Omit<Greeting, "address">> {
  const session = new Session({ nonce: world.randomBytes(NONCE_BYTES) });
  session.open(publicKey);
  const id = world.randomBytes(32);
  const outgoing: Outgoing[] = [
    { channel: 0, message: { type: "feed", discoveryKey: discoveryKey(publicKey) } },
    { channel: 0, message: { type: "handshake", id, live: false, extensions: [], ack: false } },
  ];
  await writeAll(connection, session.encode(outgoing));
  while (session.phase !== "open") {
    const piece = new Uint8Array(READ_BYTES);
    const size = await connection.read(piece);
    if (size === null) {
      const message = "connected, and the peer hung up: most likely it does not have this archive";
      return { answered: false, message };
    }
    const received: Received[] = session.receive(piece.subarray(0, size));
    if (received.some(({ message }) => message.type === "handshake")) break;
  }
  return { answered: true, message: "it answered, and has this archive" };
}
