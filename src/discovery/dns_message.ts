/**
 * A DNS packet that came from the network, read without trust. Names are put together by dns-packet;
 * the rest is read here, because its own decoder makes room for as many records as the header claims,
 * and gives up a whole packet for one record that it does not like. Source: RFC 1035, section 4.
 */
import { Buffer } from "node:buffer";
import packet from "dns-packet";

export interface DnsQuestion {
  /** In lower case, without a final dot. */
  readonly name: string;
  /** Types that say nothing here are "other". */
  readonly type: "TXT" | "SRV" | "A" | "other";
}

/** A record that says something here; those of other types are left out. */
export type DnsRecord =
  | { readonly type: "TXT"; readonly name: string; readonly strings: readonly Uint8Array[] }
  | { readonly type: "SRV"; readonly name: string; readonly port: number; readonly target: string };

/** What a packet says. Strings share memory with it. */
export interface DnsMessage {
  readonly id: number;
  readonly type: "query" | "response";
  readonly questions: readonly DnsQuestion[];
  readonly answers: readonly DnsRecord[];
  readonly additionals: readonly DnsRecord[];
}

const HEADER_BYTES = 12;
const RESPONSE = 0x8000;

/** The least that a question takes: a name of one byte, type, class. */
const QUESTION_BYTES = 5;
/** The least that a record takes: the same, time to live and length. */
const RECORD_BYTES = 11;

const TYPES: ReadonlyMap<number, "TXT" | "SRV" | "A"> = new Map([[1, "A"], [16, "TXT"], [
  33,
  "SRV",
]]);

/**
 * What a packet says; undefined if it is none. Never throws. The work is bounded by the packet's
 * length, which is for the caller to bound: a name takes 127 labels and as many jumps as there are
 * bytes before it at most.
 */
export function readDnsMessage(bytes: Uint8Array): DnsMessage | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [questions, answers, authorities, additionals] = [4, 6, 8, 10].map((at) =>
    view.getUint16(at)
  );
  const least = questions * QUESTION_BYTES + (answers + authorities + additionals) * RECORD_BYTES;
  if (least > bytes.length - HEADER_BYTES) return undefined; // the header lies
  try {
    const reader = new MessageReader(bytes);
    const asked = Array.from({ length: questions }, () => reader.question());
    const answered = reader.records(answers);
    reader.records(authorities);
    return {
      id: view.getUint16(0),
      type: view.getUint16(2) & RESPONSE ? "response" : "query",
      questions: asked,
      answers: answered,
      additionals: reader.records(additionals),
    };
  } catch {
    return undefined; // cut off, or a name that leads nowhere
  }
}

/** Reads from left to right. Throws a `RangeError` or `Error` where the packet makes no sense. */
class MessageReader {
  readonly #bytes: Buffer;
  #at = HEADER_BYTES;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  question(): DnsQuestion {
    const name = this.#name();
    const type = TYPES.get(this.#uint16()) ?? "other";
    this.#uint16(); // class
    return { name, type };
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
    const type = TYPES.get(this.#uint16());
    this.#at += 6; // class and time to live
    const length = this.#uint16();
    const start = this.#at;
    const end = start + length;
    if (end > this.#bytes.length) throw new RangeError("record cut off");
    this.#at = end;
    if (type === "TXT") return { type, name, strings: readStrings(this.#bytes, start, end) };
    if (type !== "SRV") return undefined;
    this.#at = start + 4; // priority and weight
    const port = this.#uint16();
    const target = this.#name();
    this.#at = end;
    return { type, name, port, target };
  }

  /** dns-packet follows pointers towards the beginning only, and gives up after 254 bytes. */
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

const PEERS = Buffer.from("peers=");

/**
 * The strings of a TXT record, up to the first that is cut off.
 *
 * A string has 255 bytes at most, and more than 31 peers take more. dns-discovery 6.2.3 writes such
 * a list all the same, as the last of its record, with what is left of its length in one byte.
 */
function readStrings(bytes: Buffer, start: number, end: number): Uint8Array[] {
  const strings: Uint8Array[] = [];
  for (let at = start; at < end;) {
    const rest = end - at - 1;
    let length = bytes[at];
    const isPeers = bytes.subarray(at + 1, at + 1 + PEERS.length).equals(PEERS);
    if (isPeers && rest > 255 && rest % 256 === length) length = rest;
    if (length > rest) break;
    strings.push(bytes.subarray(at + 1, at + 1 + length));
    at += 1 + length;
  }
  return strings;
}
