/**
 * What owners of a name publish about their archive: a TXT record and a file on their web server.
 * Sources: DEP-0005 (draft), dat-dns 4.1.3 `index.js`; spec of discovery, section 8.
 */
import { fromHex, toHex } from "../base/bytes.ts";

/** What a source says of a name. */
export type NameAnswer =
  /** @property keys More than one if the source contradicts itself; the one to take comes first. */
  | { readonly kind: "found"; readonly keys: readonly Uint8Array[]; readonly ttl: number }
  /** It says that there is nothing. */
  | { readonly kind: "none" }
  /** It said nothing that can be used; why, as a clause for people. */
  | { readonly kind: "failed"; readonly why: string; readonly unreachable?: boolean };

/** How long an answer holds that does not say it, in seconds. */
export const DEFAULT_TTL = 3600;

/** However long an answer says that it holds, a week is the longest. */
const MAX_TTL = 7 * 24 * 3600;

/** Where the file is. */
export const WELL_KNOWN_PATH = "/.well-known/dat";

/** A 65th digit makes it something else. */
const TXT_KEY = /datkey=([0-9a-f]{64})(?![0-9a-f])/gi;
const FILE_KEY = /^dat:\/\/([0-9a-f]{64})(?![0-9a-f])/i;
const FILE_TTL = /^ttl=(\d+)$/i;

const TXT_TYPE = 16;
const NO_ERROR = 0;
const NO_SUCH_NAME = 3;

/** Records of one answer that are looked at. */
const MAX_RECORDS = 200;

/** The seconds for which an answer may be kept. Whatever is no proper number means the usual time. */
export function ttlOf(value: unknown): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) return DEFAULT_TTL;
  return Math.min(value, MAX_TTL);
}

/** Read the answer of a DNS over HTTPS server, in its JSON form. */
export function readDnsAnswer(body: Uint8Array): NameAnswer {
  let answer: unknown;
  try {
    answer = JSON.parse(new TextDecoder().decode(body));
  } catch {
    // Told below.
  }
  if (!isRecord(answer) || !Number.isInteger(answer.Status)) {
    return { kind: "failed", why: "its answer makes no sense" };
  }
  if (answer.Status === NO_SUCH_NAME) return { kind: "none" };
  if (answer.Status !== NO_ERROR) {
    return { kind: "failed", why: `it answers with DNS status ${answer.Status}` };
  }
  const records = Array.isArray(answer.Answer) ? answer.Answer.slice(0, MAX_RECORDS) : [];
  const ttls = new Map<string, number>();
  for (const record of records) {
    if (!isRecord(record) || record.type !== TXT_TYPE || typeof record.data !== "string") continue;
    for (const [, key] of joinStrings(record.data).matchAll(TXT_KEY)) {
      const ttl = ttlOf(record.TTL);
      const before = ttls.get(key.toLowerCase());
      ttls.set(key.toLowerCase(), before === undefined ? ttl : Math.min(before, ttl));
    }
  }
  // The last one by the alphabet, as dat-dns does, so that all peers choose alike.
  const keys = [...ttls.keys()].sort().reverse();
  if (keys.length === 0) return { kind: "none" };
  return { kind: "found", keys: keys.map(fromHex), ttl: ttls.get(keys[0])! };
}

/** A long text comes as several strings in quotes, of 255 bytes at most; these are one. */
function joinStrings(data: string): string {
  if (!data.startsWith('"')) return data;
  return [...data.matchAll(/"((?:[^"\\]|\\.)*)"/gs)]
    .map(([, text]) => text.replace(/\\(\d{3}|.)/gs, (_, escaped) => unescape(escaped))).join("");
}

function unescape(escaped: string): string {
  return escaped.length === 3 ? String.fromCharCode(Number(escaped) & 0xff) : escaped;
}

/** Read the file. */
export function readNameFile(body: Uint8Array): NameAnswer {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    return { kind: "failed", why: `its ${WELL_KNOWN_PATH} is not text` };
  }
  const [first, second = ""] = text.split("\n", 2).map((line) => line.replace(/\r$/, ""));
  const key = FILE_KEY.exec(first)?.[1];
  if (key === undefined) {
    return { kind: "failed", why: `its ${WELL_KNOWN_PATH} has no dat:// link` };
  }
  const digits = FILE_TTL.exec(second)?.[1];
  return {
    kind: "found",
    keys: [fromHex(key.toLowerCase())],
    ttl: ttlOf(digits === undefined ? undefined : Number(digits)),
  };
}

/** What to publish so that a name leads to an archive: either is enough. */
export function recordsFor(key: Uint8Array): { readonly txt: string; readonly file: string } {
  return { txt: `datkey=${toHex(key)}`, file: `dat://${toHex(key)}\nTTL=${DEFAULT_TTL}\n` };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
