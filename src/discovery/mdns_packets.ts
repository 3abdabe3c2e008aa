/**
 * The two dialects of multicast DNS: what is sent, and what others say in them. Sources: spec of
 * discovery, sections 3 and 7; dns-discovery 6.2.3 and @hyperswarm/discovery 2.0.1, `index.js`.
 *
 * There is no goodbye in either of them: a peer that leaves falls silent. All records have a time to
 * live of 0, and nobody keeps them.
 */
import { Buffer } from "node:buffer";
import packet from "dns-packet";
import { toHex } from "../base/bytes.ts";
import { type DnsRecord, readDnsMessage } from "./dns_message.ts";

/** `dat` is spoken by dat 13 and older, `hyperswarm` by dat 14. */
export type Dialect = "dat" | "hyperswarm";

const DOMAINS: Readonly<Record<Dialect, string>> = {
  dat: "dat.local",
  hyperswarm: "hyperswarm.local",
};

/** What is asked for. */
export type QuestionType = "TXT" | "SRV" | "A";

/** The group and port of multicast DNS. Source: RFC 6762. */
export const GROUP = "224.0.0.251";
export const PORT = 5353;

/** Ours are far shorter, and others' fit into one Ethernet frame. */
export const MAX_PACKET_BYTES = 1500;

/** Source: dns-discovery 6.2.3 sends no more in one answer. */
export const MAX_PEERS_PER_ANSWER = 100;

/** Something that a packet says about a topic. */
export type Item =
  | {
    readonly kind: "question";
    readonly dialect: Dialect;
    /** 40 hex digits. */
    readonly label: string;
    readonly type: QuestionType;
    /** By which who asks knows itself; undefined if it does not say. */
    readonly mark: string | undefined;
  }
  | {
    readonly kind: "peers";
    readonly dialect: Dialect;
    readonly label: string;
    /** By which who answers knows itself; undefined if it does not say. */
    readonly mark: string | undefined;
    readonly peers: readonly NamedPeer[];
  };

export interface NamedPeer {
  /** Undefined: whoever sent the packet. */
  readonly host: string | undefined;
  /** Undefined: the port that the packet was sent from. */
  readonly port: number | undefined;
}

/** Asks for `<label>.dat.local`. */
export function encodeDatQuestion(label: string): Uint8Array {
  return encode({ type: "query", questions: [{ type: "TXT", name: nameOf("dat", label) }] });
}

/** Asks for `<label>.hyperswarm.local`. */
export function encodeHyperswarmQuestion(label: string): Uint8Array {
  return encode({ type: "query", questions: [{ type: "SRV", name: nameOf("hyperswarm", label) }] });
}

/**
 * Says that an archive is at a port of the sender.
 *
 * @param options.token Base64 of 32 bytes, by which the sender knows its own answers.
 * @param options.types What was asked.
 * @param options.address The sender's own address, for who asks for type A.
 */
export function encodeDatAnswer(
  { label, port, token, types, address }: {
    label: string;
    port: number;
    token: string;
    types: Iterable<QuestionType>;
    address: string | undefined;
  },
): Uint8Array {
  const name = nameOf("dat", label);
  const questions = [...types].map((type) => ({ type, name }));
  const peers = Buffer.from([0, 0, 0, 0, port >> 8, port & 255]).toString("base64");
  const data: Readonly<Record<QuestionType, unknown>> = {
    TXT: [`token=${token}`, `peers=${peers}`],
    SRV: { port, target: "0.0.0.0" },
    A: address,
  };
  const answers = questions.map((question) => ({ ...question, data: data[question.type] }))
    .filter(({ data }) => data !== undefined);
  return encode({ ...RESPONSE, questions, answers });
}

/**
 * The same for dat 14.
 *
 * @param options.id 32 bytes, by which the sender knows its own answers.
 * @param options.asker Who asked; undefined if nobody did.
 */
export function encodeHyperswarmAnswer(
  { label, port, id, asker }: {
    label: string;
    port: number;
    id: Uint8Array;
    asker: string | undefined;
  },
): Uint8Array {
  const name = nameOf("hyperswarm", label);
  const referrer = { type: "A", name: `referrer.${DOMAINS.hyperswarm}`, data: asker };
  const answers = [
    { type: "SRV", name, data: { port, target: "0.0.0.0" } },
    { type: "TXT", name, data: [Buffer.concat([Buffer.from("id="), id])] },
    ...(asker === undefined ? [] : [referrer]),
  ];
  return encode({ ...RESPONSE, answers });
}

/** The mark of those who put such an id into their packets. */
export function markOf(id: Uint8Array): string {
  return toHex(id);
}

const RESPONSE = { type: "response", flags: packet.AUTHORITATIVE_ANSWER };

function nameOf(dialect: Dialect, label: string): string {
  return `${label}.${DOMAINS[dialect]}`;
}

function encode(message: unknown): Uint8Array {
  return new Uint8Array(packet.encode(message));
}

/** What a packet says of topics. Never throws; nothing in it is verified. */
export function readItems(bytes: Uint8Array): Item[] {
  if (bytes.length > MAX_PACKET_BYTES) return [];
  const message = readDnsMessage(bytes);
  if (message === undefined) return [];
  const { type, questions, answers, additionals } = message;
  const items: Item[] = [];
  if (type === "query") {
    for (const { name, type } of questions) {
      const topic = parseName(name);
      if (topic === undefined || type === "other") continue;
      const mark = topic.dialect === "hyperswarm" ? idAmong(answers, name) : undefined;
      items.push({ kind: "question", ...topic, type, mark });
    }
  }
  // Servers of the older dialect tell of a peer by a query with records, and its clients take that.
  for (const record of [...answers, ...additionals]) {
    const topic = parseName(record.name);
    if (topic?.dialect !== "dat") continue;
    items.push({ kind: "peers", ...topic, ...readDatRecord(record) });
  }
  if (type === "query") return items;
  for (const record of answers) {
    const topic = record.type === "SRV" ? parseName(record.name) : undefined;
    if (topic?.dialect !== "hyperswarm" || record.type !== "SRV") continue;
    const peers = readTarget(record);
    items.push({ kind: "peers", ...topic, mark: idAmong(answers, record.name), peers });
  }
  return items;
}

const NAME = new RegExp(`^([0-9a-f]{40})\\.(${Object.values(DOMAINS).join("|")})$`);

function parseName(name: string): { dialect: Dialect; label: string } | undefined {
  const [, label, domain] = NAME.exec(name) ?? [];
  if (label === undefined) return undefined;
  return { label, dialect: domain === DOMAINS.dat ? "dat" : "hyperswarm" };
}

/** The mark in the TXT record that goes with a name. */
function idAmong(records: readonly DnsRecord[], name: string): string | undefined {
  for (const record of records) {
    if (record.type !== "TXT" || record.name !== name || record.strings.length === 0) continue;
    const [first] = record.strings;
    return fromLatin1(first.subarray(0, 3)) === "id=" ? markOf(first.subarray(3)) : undefined;
  }
  return undefined;
}

function readDatRecord(record: DnsRecord): { mark: string | undefined; peers: NamedPeer[] } {
  if (record.type === "SRV") {
    const peers = readTarget(record).map(({ host, port }) => ({ host, port: port || undefined }));
    return { mark: undefined, peers };
  }
  const values = new Map<string, string>();
  for (const string of record.strings) {
    const text = fromLatin1(string);
    const equals = text.indexOf("=");
    if (equals > 0) values.set(text.slice(0, equals), text.slice(equals + 1));
  }
  const bytes = Buffer.from(values.get("peers") ?? "", "base64");
  const count = Math.min(Math.floor(bytes.length / PEER_BYTES), MAX_PEERS_PER_ANSWER);
  const peers = Array.from({ length: count }, (_, i) => {
    const at = i * PEER_BYTES;
    return peer(bytes.subarray(at, at + 4).join("."), bytes.readUInt16BE(at + 4));
  });
  return { mark: values.get("token"), peers };
}

/** An address of 4 bytes and a port of 2. */
const PEER_BYTES = 6;

/** Source: both programs take what is no dotted quad for no peer. */
function readTarget({ target, port }: { target: string; port: number }): NamedPeer[] {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(target) ? [peer(target, port)] : [];
}

function peer(host: string, port: number): NamedPeer {
  return { host: host === "0.0.0.0" ? undefined : host, port };
}

function fromLatin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
