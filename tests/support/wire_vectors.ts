/** Recorded sessions between existing peers: `wire.json` of the vectors, in our own terms. */
import { fromHex } from "../../src/base/bytes.ts";
import type { DataNode, Message } from "../../src/core/wire/messages.ts";
import type { Outgoing } from "../../src/core/wire/frame_writer.ts";
import { readVector } from "./vectors.ts";

interface RecordedMessage {
  readonly frame: string;
  readonly channel?: number;
  readonly type?: number;
  readonly name?: string;
  readonly fields?: Record<string, unknown>;
}

interface RecordedDirection {
  readonly nonce: string | null;
  readonly chunkLengths: number[];
  readonly bytes: string;
  readonly plain: string;
  readonly messages: RecordedMessage[];
  readonly replayAtOddCuts?: { readonly cutLengths: number[]; readonly messagesAfterFeed: number };
}

interface RecordedSession {
  readonly name: string;
  readonly firstFeedKey: string;
  readonly aToB: RecordedDirection;
  readonly bToA: RecordedDirection;
}

/** A frame as it was sent, and what it says. */
export interface Frame {
  readonly bytes: Uint8Array;
  readonly item: Outgoing;
  /** Set bits of a Have's bitfield, as [start, end). */
  readonly bitfieldRuns?: readonly (readonly [number, number])[];
}

/** Everything one side sent. */
export interface Direction {
  readonly name: string;
  /** Of the feed that opened the connection. */
  readonly publicKey: Uint8Array;
  /** Of the sender, and of the other side; undefined if the session was not encrypted. */
  readonly nonce: Uint8Array | undefined;
  readonly otherNonce: Uint8Array | undefined;
  readonly bytes: Uint8Array;
  readonly plain: Uint8Array;
  readonly frames: readonly Frame[];
  /** How the sender emitted the bytes. */
  readonly chunkLengths: readonly number[];
  /** Cuts at which an existing peer read the same messages; used in turn, over and over. */
  readonly oddCutLengths: readonly number[];
  readonly messagesAfterFeed: number | undefined;
}

export type EncryptedDirection = Direction & {
  readonly nonce: Uint8Array;
  readonly otherNonce: Uint8Array;
};

/** Both directions of all sessions. */
export function recordedDirections(): Direction[] {
  const { sessions } = readVector<{ sessions: RecordedSession[] }>("wire.json");
  return sessions.flatMap((session) => [
    toDirection(session, session.aToB, session.bToA, "a to b"),
    toDirection(session, session.bToA, session.aToB, "b to a"),
  ]);
}

/** Those that were encrypted, as all real ones are. */
export function encryptedDirections(): EncryptedDirection[] {
  return recordedDirections().filter(isEncrypted);
}

export function isEncrypted(direction: Direction): direction is EncryptedDirection {
  return direction.nonce !== undefined && direction.otherNonce !== undefined;
}

/** Copies of the pieces of `bytes` that have these lengths, used in turn until nothing is left. */
export function cutIntoChunks(bytes: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const end = at + lengths[i % lengths.length];
    chunks.push(bytes.slice(at, end));
    at = end;
  }
  return chunks;
}

function toDirection(
  session: RecordedSession,
  sent: RecordedDirection,
  other: RecordedDirection,
  direction: string,
): Direction {
  return {
    name: `${session.name}, ${direction}`,
    publicKey: fromHex(session.firstFeedKey),
    nonce: sent.nonce === null ? undefined : fromHex(sent.nonce),
    otherNonce: other.nonce === null ? undefined : fromHex(other.nonce),
    bytes: Uint8Array.fromBase64(sent.bytes),
    plain: Uint8Array.fromBase64(sent.plain),
    frames: sent.messages.map(toFrame),
    chunkLengths: sent.chunkLengths,
    oddCutLengths: sent.replayAtOddCuts?.cutLengths ?? [1, 2, 3],
    messagesAfterFeed: sent.replayAtOddCuts?.messagesAfterFeed,
  };
}

function toFrame({ frame, channel, name, fields }: RecordedMessage): Frame {
  const bytes = fromHex(frame);
  if (frame === "00") return { bytes, item: "keepalive" };
  const { bitfieldRuns, ...rest } = fields!;
  const message = toMessage(name!.toLowerCase(), rest);
  return {
    bytes,
    item: { channel: channel!, message },
    bitfieldRuns: bitfieldRuns as [number, number][] | undefined,
  };
}

const BYTE_FIELDS = new Set([
  "discoveryKey",
  "nonce",
  "id",
  "userData",
  "bitfield",
  "value",
  "signature",
  "payload",
]);

function toMessage(type: string, fields: Record<string, unknown>): Message {
  const message: Record<string, unknown> = { type };
  for (const [field, value] of Object.entries(fields)) {
    if (field === "nodes" && Array.isArray(value)) message.nodes = value.map(toNode);
    else if (BYTE_FIELDS.has(field) && typeof value === "string") message[field] = fromHex(value);
    else if (type !== "extension" || field !== "name") message[field] = value;
  }
  return message as unknown as Message;
}

function toNode(node: { index: number; hash: string; size: number }): DataNode {
  return { index: node.index, hash: fromHex(node.hash), size: node.size };
}
