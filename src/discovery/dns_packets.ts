/**
 * The packets of dat's own discovery servers, which are DNS packets. Sources: dns-discovery 6.2.3
 * `index.js`, RFC 1035 section 4; spec of discovery, sections 3 and 4.
 */
import { Buffer } from "node:buffer";
import packet from "dns-packet";
import { type DnsMessage, readDnsMessage } from "./dns_message.ts";

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

/** Peers of one answer. Source: dns-discovery 6.2.3 sends no more. */
export const MAX_PEERS_PER_ANSWER = 100;

const RECURSION_DESIRED = 0x0100;
const PEER_BYTES = 6;

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
export function decodePacket(bytes: Uint8Array): DnsMessage | undefined {
  return bytes.length > MAX_PACKET_BYTES ? undefined : readDnsMessage(bytes);
}

/** What the TXT record of that name among the answers says; undefined if there is none. */
export function answeredValues(
  { answers }: DnsMessage,
  name: string,
): ReadonlyMap<string, string> | undefined {
  const record = answers.find((record) => record.type === "TXT" && record.name === name);
  return record?.type === "TXT" ? valuesOf(record.strings) : undefined;
}

/** The `name=value` strings of a TXT record; one without `=` is left out. The first of a name counts. */
export function valuesOf(strings: readonly Uint8Array[]): Map<string, string> {
  const values = new Map<string, string>();
  for (const string of strings) {
    const text = Buffer.from(string).toString("latin1");
    const equals = text.indexOf("=");
    const name = text.slice(0, equals);
    if (equals > 0 && !values.has(name)) values.set(name, text.slice(equals + 1));
  }
  return values;
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
