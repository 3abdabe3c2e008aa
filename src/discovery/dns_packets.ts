/**
 * The packets of dat's own discovery servers, which are DNS packets. Sources: dns-discovery 6.2.3
 * `index.js`, RFC 1035 section 4; spec of discovery, sections 3 and 4.
 */
import { Buffer } from "node:buffer";
import packet from "dns-packet";

/** A record that says something here; those of other types are left out. */
export type DnsRecord =
  | { readonly type: "TXT"; readonly name: string; readonly values: ReadonlyMap<string, string> }
  | { readonly type: "SRV"; readonly name: string; readonly port: number; readonly target: string };

/** A packet that came. Names are in lower case, without a final dot. */
export interface DnsPacket {
  readonly id: number;
  readonly type: "query" | "response";
  readonly answers: readonly DnsRecord[];
  readonly additionals: readonly DnsRecord[];
}

/** What is asked of a server about an archive. */
export interface DnsRequest {
  /** 40 hex digits, a dot and the domain. */
  readonly name: string;
  readonly token: string;
  /** Be told of those who announce it later. */
  readonly subscribe: boolean;
  readonly announce?: number;
  readonly unannounce?: number;
}

/** An answer with 100 peers has about 1000 bytes. */
const MAX_PACKET_BYTES = 4096;

/** An answer has one record, and a query two. */
const MAX_RECORDS = 64;

/** Peers of one answer. Source: dns-discovery 6.2.3 sends no more. */
export const MAX_PEERS_PER_ANSWER = 100;

const HEADER_BYTES = 12;
const RESPONSE = 0x8000;
const RECURSION_DESIRED = 0x0100;
const PEER_BYTES = 6;
const TXT = 16;
const SRV = 33;

/** Asks a server for a token, and for the address that it sees us at. */
export function encodeProbe(id: number, domain: string): Uint8Array {
  return encode({ type: "query", id, flags: RECURSION_DESIRED, questions: [txtQuestion(domain)] });
}

/** Asks for the peers of an archive; what else is wanted goes into the additional section. */
export function encodeRequest(id: number, request: DnsRequest): Uint8Array {
  const { name, token, subscribe, announce, unannounce } = request;
  const strings = [
    ...(subscribe ? ["subscribe=true"] : []),
    `token=${token}`,
    ...(announce === undefined ? [] : [`announce=${announce}`]),
    ...(unannounce === undefined ? [] : [`unannounce=${unannounce}`]),
  ];
  return encode({
    ...{ type: "query", id, flags: RECURSION_DESIRED, questions: [txtQuestion(name)] },
    additionals: [{ type: "TXT", name, ttl: 0, data: strings.map((text) => Buffer.from(text)) }],
  });
}

/** What a server wants to hear before it stops repeating a push. */
export function encodeReceipt(id: number): Uint8Array {
  return encode({ type: "response", id });
}

function txtQuestion(name: string): unknown {
  return { type: "TXT", name };
}

function encode(message: unknown): Uint8Array {
  return new Uint8Array(packet.encode(message));
}

/** A packet that came from the network; undefined if it is none, or not one for us. */
export function decodePacket(bytes: Uint8Array): DnsPacket | undefined {
  if (bytes.length < HEADER_BYTES || bytes.length > MAX_PACKET_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [questions, answers, authorities, additionals] = [4, 6, 8, 10]
    .map((at) => view.getUint16(at));
  if (questions + answers + authorities + additionals > MAX_RECORDS) return undefined;
  try {
    const reader = new RecordReader(bytes);
    for (let i = 0; i < questions; i++) reader.skipQuestion();
    const answered = reader.records(answers);
    reader.records(authorities);
    return {
      id: view.getUint16(0),
      type: view.getUint16(2) & RESPONSE ? "response" : "query",
      answers: answered,
      additionals: reader.records(additionals),
    };
  } catch {
    return undefined; // cut off, or a name that leads nowhere
  }
}

/** Reads a packet from left to right. Throws a `RangeError` or `Error` where it makes no sense. */
class RecordReader {
  readonly #bytes: Buffer;
  #at = HEADER_BYTES;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  skipQuestion(): void {
    this.#name();
    this.#uint16();
    this.#uint16();
  }

  records(count: number): DnsRecord[] {
    const records: DnsRecord[] = [];
    for (let i = 0; i < count; i++) {
      const record = this.#record();
      if (record !== undefined) records.push(record);
    }
    return records;
  }

  #record(): DnsRecord | undefined {
    const name = this.#name();
    const type = this.#uint16();
    this.#at += 6; // class and time to live
    const length = this.#uint16();
    const start = this.#at;
    const end = start + length;
    if (end > this.#bytes.length) throw new RangeError("record cut off");
    this.#at = end;
    if (type === TXT) return { type: "TXT", name, values: readValues(this.#bytes, start, end) };
    if (type !== SRV) return undefined;
    this.#at = start + 4; // priority and weight
    const port = this.#uint16();
    const target = this.#name();
    this.#at = end;
    return { type: "SRV", name, port, target };
  }

  /** dns-packet follows pointers towards the beginning only, and 254 bytes at most. */
  #name(): string {
    const name: string = packet.name.decode(this.#bytes, this.#at);
    this.#at += packet.name.decode.bytes;
    return name.toLowerCase();
  }

  #uint16(): number {
    const value = this.#bytes.readUInt16BE(this.#at);
    this.#at += 2;
    return value;
  }
}

/** The `name=value` strings of a TXT record; one without `=` is left out. The first of a name counts. */
function readValues(bytes: Buffer, start: number, end: number): Map<string, string> {
  const values = new Map<string, string>();
  for (let at = start; at < end;) {
    const length = stringLength(bytes, at, end);
    const text = bytes.toString("latin1", at + 1, at + 1 + length);
    at += 1 + length;
    const equals = text.indexOf("=");
    const name = text.slice(0, equals);
    if (equals > 0 && !values.has(name)) values.set(name, text.slice(equals + 1));
  }
  return values;
}

/**
 * A string has 255 bytes at most, and more than 31 peers take more. dns-discovery writes such a list
 * all the same, with what is left of its length in one byte, and its own clients drop the packet. It
 * is the last string of its record, so it ends where the record does.
 */
function stringLength(bytes: Buffer, at: number, end: number): number {
  const rest = end - at - 1;
  const length = bytes[at];
  const isPeers = bytes.toString("latin1", at + 1, at + 7) === "peers=";
  if (isPeers && rest > 255 && rest % 256 === length) return rest;
  if (length > rest) throw new RangeError("string cut off");
  return length;
}

/** The peers in a server's `peers=` value, 100 at most; what is no whole entry is left out. */
export function decodePeers(base64: string): { readonly host: string; readonly port: number }[] {
  const bytes = Buffer.from(base64, "base64");
  const count = Math.min(Math.floor(bytes.length / PEER_BYTES), MAX_PEERS_PER_ANSWER);
  return Array.from({ length: count }, (_, i) => {
    const at = i * PEER_BYTES;
    return { host: bytes.subarray(at, at + 4).join("."), port: bytes.readUInt16BE(at + 4) };
  });
}
