/** What `trove inspect` shows to people: names and values in columns. */
import type {
  ShownBlock,
  ShownEntry,
  ShownFeed,
  ShownNode,
  ShownProof,
  ShownTreeNode,
} from "../app/inspect_parts.ts";
import type { SleepFile, SleepSlot } from "../app/inspect_sleep.ts";
import type { CapturedFrame } from "../app/inspect_wire.ts";
import { toHex } from "../base/bytes.ts";
import { count, formatBytes, formatMode } from "../base/format.ts";

/** A name, and what is to be said about it. An empty name goes on with the line before. */
export type Line = readonly [name: string, value: string];

/** Bytes of a field that are shown of a frame; `--json` has all of them. */
const SHOWN_BYTES = 16;

const NOTHING = "-";

function bytes(size: number | undefined): string {
  if (size === undefined) return NOTHING;
  return size < 1000 ? count(size, "byte") : `${count(size, "byte")} (${formatBytes(size)})`;
}

function nodeLines(name: string, nodes: readonly ShownNode[]): Line[] {
  if (nodes.length === 0) return [[name, "none"]];
  return nodes.map(({ node, hash, size }, i): Line => [
    i === 0 ? name : "",
    `${hash}  node ${node}, ${bytes(size)}`,
  ]);
}

export function feedLines(feed: ShownFeed): Line[] {
  const { key, discoveryKey, length, byteLength, held, roots, signature, files, dataSize } = feed;
  return [
    ["feed", feed.feed],
    ["key", key ?? "its file is missing or damaged"],
    ["discovery key", discoveryKey ?? NOTHING],
    ["length", `${count(length, "block")}, ${bytes(byteLength)}`],
    ["held", count(held, "block")],
    ["signature", signature === undefined ? "none" : signatureWords(signature, length)],
    ...nodeLines("roots", roots),
    ...files.map((file, i): Line => [
      ["tree", "signatures", "bitfield"][i],
      fileWords(file),
    ]),
    ["data", dataSize === undefined ? "no file" : bytes(dataSize)],
  ];
}

function signatureWords(
  signature: NonNullable<ShownFeed["signature"]>,
  length: number,
): string {
  const { good } = signature;
  const about = signature.length === length ? "" : `of length ${signature.length}, `;
  const word = good === undefined ? "cannot be checked" : good ? "good" : "BAD";
  return `${about}${word}`;
}

function fileWords({ size, entries, entrySize, rest, problem }: SleepFile): string {
  const parts = [bytes(size)];
  if (entries !== undefined) {
    parts.push(`${entries} ${entries === 1 ? "entry" : "entries"} of ${entrySize}`);
  }
  if (rest) parts.push(`${count(rest, "byte")} behind them`);
  if (problem !== undefined) parts.push(problem);
  return parts.join(", ");
}

export function blockLines(shown: ShownBlock): Line[] {
  const { feed, block, size, offset, leafHash, held, matches, problem } = shown;
  return [
    ["block", `${block} of ${feed}`],
    ["size", bytes(size)],
    ["offset", offset === undefined ? NOTHING : `byte ${offset} of the feed`],
    ["leaf hash", leafHash ?? NOTHING],
    ["held", held ? "yes" : "no"],
    ["bytes", problem ?? (matches ? "match the leaf" : "DO NOT MATCH the leaf")],
  ];
}

export function treeNodeLines(shown: ShownTreeNode): Line[] {
  const { feed, node, hash, size, held, depth, blocks, children, matchesChildren } = shown;
  const [first, last] = blocks;
  const lines: Line[] = [
    ["node", `${node} of ${feed}${shown.root ? ", a root" : ""}`],
    ["hash", hash ?? "its slot is blank"],
    ["size", bytes(size)],
    ["held", held ? "yes" : "no"],
    ["depth", `${depth}`],
    ["blocks", first === last ? `${first}` : `${first} to ${last}`],
    ["parent", `${shown.parent}`],
    ["sibling", `${shown.sibling}`],
  ];
  if (children === undefined) return lines;
  const words = matchesChildren === undefined
    ? "not both are here"
    : matchesChildren
    ? "it is their parent"
    : "it is NOT their parent";
  return [...lines, ["children", `${children.join(" and ")}: ${words}`]];
}

export function proofLines(shown: ShownProof): Line[] {
  const { feed, block, digest, hash, nodes, signature, verifies, problem } = shown;
  return [
    ["proof", `of ${hash ? "the hash of " : ""}block ${block} of ${feed}, digest ${digest}`],
    ...nodeLines("nodes", nodes),
    ["signature", signature ?? "none: it ends at a node that the peer has"],
    ["verifies", verifies === undefined ? "not for itself" : verifies ? "yes" : `NO: ${problem}`],
  ];
}

export function entryLines(shown: ShownEntry): Line[] {
  const { version, type, contentKey, path, stat, children, size, matches } = shown;
  const lines: Line[] = [
    ["entry", `${version}: ${type}`],
    ["block", `${bytes(size)}${matches ? "" : ", which DO NOT MATCH the tree"}`],
  ];
  if (contentKey !== undefined) lines.push(["content key", contentKey]);
  if (path !== undefined) lines.push(["path", path]);
  if (stat !== undefined) {
    const { absent, ...fields } = stat;
    for (const [name, value] of Object.entries(fields)) {
      if (absent?.includes(name as keyof typeof fields)) lines.push([name, "absent"]);
      else if (name === "mode") lines.push([name, `0${value.toString(8)}  ${formatMode(value)}`]);
      else if (name.endsWith("time")) lines.push([name, `${value}  ${isoTime(value)}`]);
      else lines.push([name, `${value}`]);
    }
  }
  for (const [i, { folder, versions }] of (children ?? []).entries()) {
    lines.push([i === 0 ? "children" : "", `${folder}  ${versions.join(" ") || NOTHING}`]);
  }
  return lines;
}

function isoTime(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? NOTHING : date.toISOString();
}

export function sleepFileLines(file: SleepFile): Line[] {
  const { path, size, magic, type, version, entrySize, algorithm, entries, rest, problem } = file;
  const lines: Line[] = [["file", path], ["size", bytes(size)]];
  if (magic !== undefined) {
    lines.push(
      ["magic", `${magic}${type === undefined ? "" : `  ${type}`}`],
      ["version", `${version}`],
      ["entry size", bytes(entrySize)],
      ["algorithm", algorithm === "" ? "none" : algorithm!],
      ["entries", `${entries}`],
    );
    if (rest) lines.push(["behind them", bytes(rest)]);
  }
  if (problem !== undefined) lines.push(["problem", problem]);
  return lines;
}

export function slotLines({ slot, offset, size, blank, hex, node, held }: SleepSlot): Line[] {
  const lines: Line[] = [
    ["slot", `${slot}, ${bytes(size)} at byte ${offset}`],
  ];
  if (node !== undefined) lines.push(["hash", node.hash], ["size", bytes(node.size)]);
  if (held !== undefined) lines.push(["held", count(held, "block")]);
  const none = size === 0 ? "the file ends before it" : "blank";
  const rows = blank ? [none] : hex.match(/.{1,64}/g) ?? [];
  return [...lines, ...rows.map((row, i): Line => [i === 0 ? "bytes" : "", row])];
}

/** Offset, size, channel, type and fields, in columns. */
export function frameLine(
  { offset, bytes, channel, name, type, message, bitfieldRuns, extension, problem }: CapturedFrame,
): string {
  const fields = message === undefined ? [] : fieldWords(message);
  if (bitfieldRuns !== undefined) {
    const runs = bitfieldRuns.map(([first, end]) =>
      end - first === 1 ? `${first}` : `${first}-${end - 1}`
    );
    fields.push(`blocks ${runs.join(" ") || "none"}`);
  }
  if (extension !== undefined) fields.unshift(extension);
  if (problem !== undefined) fields.push(problem);
  return [
    `${offset}`.padStart(9),
    `${bytes}`.padStart(7),
    `${channel ?? NOTHING}`.padStart(3),
    (name ?? `type ${type}`).padEnd(9),
    fields.join(", "),
  ].join("  ").trimEnd();
}

/** What a message is about comes first. */
const FIRST_FIELDS: readonly string[] = ["start", "index", "length"];

function fieldWords(message: NonNullable<CapturedFrame["message"]>): string[] {
  const rank = ([name]: [string, unknown]) => FIRST_FIELDS.indexOf(name) >>> 0;
  const fields = Object.entries(message).sort((a, b) => Math.sign(rank(a) - rank(b)));
  return fields.flatMap(([name, value]) => {
    if (name === "type" || value === undefined) return [];
    if (name === "bitfield") return [`bitfield ${count(value.length, "byte")}`];
    if (value instanceof Uint8Array) return [`${name} ${shortHex(value)}`];
    if (name === "nodes" && Array.isArray(value)) {
      const indexes = value.map((node: { index: number }) => node.index);
      return [`nodes ${indexes.join(" ") || "none"}`];
    }
    return [`${name} ${Array.isArray(value) ? value.join(" ") || "none" : value}`];
  });
}

function shortHex(value: Uint8Array): string {
  const hex = toHex(value.subarray(0, SHOWN_BYTES));
  return value.length <= SHOWN_BYTES ? hex || "empty" : `${hex}… (${count(value.length, "byte")})`;
}
