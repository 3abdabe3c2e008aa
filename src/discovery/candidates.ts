/**
 * Which addresses that strangers name are worth a try. Source: spec of errors and limits, section 8.
 */
import type { Candidate, SourceName } from "./source.ts";

/** What an address can be reached from. */
export type Reach = "public" | "private" | "loopback" | "none";

/** IPv4 ranges that lead to no peer of ours, as first address and prefix length. */
const NOWHERE: readonly [string, number][] = [
  ["0.0.0.0", 8],
  ["192.0.0.0", 24], // protocol assignments
  ["192.0.2.0", 24], // documentation
  ["198.18.0.0", 15], // benchmarks
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4], // multicast
  ["240.0.0.0", 4], // reserved, broadcast
];

const PRIVATE: readonly [string, number][] = [
  ["10.0.0.0", 8],
  ["100.64.0.0", 10], // shared by a provider's customers
  ["169.254.0.0", 16], // link-local
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
];

/** The number of a dotted quad; undefined if the text is none. */
export function ipv4(text: string): number | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number);
  if (parts === undefined || parts.some((part) => part > 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

function isIn(address: number, ranges: readonly [string, number][]): boolean {
  return ranges.some(([first, bits]) => {
    const size = 2 ** (32 - bits);
    return Math.floor(address / size) === Math.floor(ipv4(first)! / size);
  });
}

/** The eight groups of an IPv6 address; undefined if the text is none. A zone is ignored. */
function ipv6(text: string): number[] | undefined {
  const [address] = text.split("%", 1);
  const quad = /(?:^|:)(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1];
  let hex = address;
  if (quad !== undefined) {
    const number = ipv4(quad);
    if (number === undefined) return undefined;
    const groups = [Math.floor(number / 65536), number % 65536].map((part) => part.toString(16));
    hex = address.slice(0, -quad.length) + groups.join(":");
  }
  const halves = hex.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = [halves[0], halves[1] ?? ""]
    .map((half) => half === "" ? [] : half.split(":"));
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array(missing).fill("0"), ...tail];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return groups.map((group) => parseInt(group, 16));
}

/** Whether the text is an IPv4 or IPv6 address, and not a name. */
export function isAddress(text: string): boolean {
  return ipv4(text) !== undefined || ipv6(text) !== undefined;
}

/** Where an address leads. Text that is no address leads nowhere. */
export function reachOf(host: string): Reach {
  const number = ipv4(host);
  if (number !== undefined) {
    if (Math.floor(number / 2 ** 24) === 127) return "loopback";
    if (isIn(number, NOWHERE)) return "none";
    return isIn(number, PRIVATE) ? "private" : "public";
  }
  const groups = ipv6(host);
  if (groups === undefined) return "none";
  const isZero = (from: number, to: number) => groups.slice(from, to).every((part) => part === 0);
  if (isZero(0, 5) && groups[5] === 0xffff) { // IPv4 in another form
    return reachOf([groups[6] >> 8, groups[6] & 255, groups[7] >> 8, groups[7] & 255].join("."));
  }
  if (isZero(0, 7) && groups[7] === 1) return "loopback";
  if (groups[0] === 0x2001 && groups[1] === 0xdb8) return "none"; // documentation
  if ((groups[0] & 0xffc0) === 0xfe80 || (groups[0] & 0xfe00) === 0xfc00) return "private";
  return (groups[0] & 0xe000) === 0x2000 ? "public" : "none"; // the rest is not given out
}

/**
 * Whether an address is worth a try. What a DHT says of private addresses is about somebody else's
 * network; a server may be one of our own network, where they mean something.
 *
 * @param options.from The host that named it.
 * @param options.allowPrivate Take private and loopback addresses from everybody.
 */
export function isWorthATry(
  { host, port }: Candidate,
  { source, from, allowPrivate }: { source: SourceName; from: string; allowPrivate: boolean },
): boolean {
  if (!(Number.isInteger(port) && port > 0 && port < 65536)) return false;
  const reach = reachOf(host);
  if (reach === "none") return false;
  if (reach === "public" || allowPrivate) return true;
  if (reach === "loopback") return reachOf(from) === "loopback" || from === host;
  return source === "mdns" || source === "dns";
}
