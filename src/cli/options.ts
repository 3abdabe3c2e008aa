/** The values of options: checked, and in the units that the program uses. */
import { type Command, Option } from "commander";
import { formatPeer, parseHostPort, parsePeer, parseUnix } from "../app/addresses.ts";
import type { Bootstrap } from "../app/peer_search.ts";
import { SOURCE_NAMES, type SourceName } from "../app/source_names.ts";
import { UsageError } from "../base/errors.ts";

const UNIT_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** The longest time that a timer of the platform can wait, about 24 days. */
const MAX_DURATION_MS = 2 ** 31 - 1;

/** `30s`, `10m`, `1.5h`, `250ms`, or seconds alone; in milliseconds. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text.trim());
  const ms = match === null ? NaN : Number(match[1]) * UNIT_MS[match[2] ?? "s"];
  if (!(ms > 0 && ms <= MAX_DURATION_MS)) {
    throw new UsageError(`Cannot use "${text}" as a duration`, {
      hint: "give a number and a unit, for example 30s, 10m or 2h",
    });
  }
  return ms;
}

export function parsePort(text: string): number {
  const port = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(port <= 65535)) {
    throw new UsageError(`Cannot use "${text}" as a port`, {
      hint: "give a number from 1 to 65535, or 0 for any free port",
    });
  }
  return port;
}

/** Where to listen: an address of the machine, or `unix:PATH`. */
export function parseHost(text: string): string {
  parseUnix(text);
  return text;
}

/** Powers of 1024, as in dat. */
const RATE_UNITS: Record<string, number> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** Below that no peer would have the patience. */
const MIN_RATE = 1024;

/** `500kb`, `2mb`, `1.5m`, or bytes alone; in bytes a second. */
export function parseRate(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(?:([kmg])?b?)(?:\/s)?$/i.exec(text.trim());
  const rate = match === null ? NaN : Number(match[1]) * RATE_UNITS[(match[2] ?? "").toLowerCase()];
  if (!(rate >= MIN_RATE && rate <= Number.MAX_SAFE_INTEGER)) {
    throw new UsageError(`Cannot use "${text}" as a rate`, {
      hint: "give bytes a second, 1kb or more, for example 500kb or 2mb",
    });
  }
  return rate;
}

/** Links that a process may have at once, whatever it is told: see `MAX_LINKS`. */
const MOST_PEERS = 192;

/** How many peers at once. */
export function parsePeerCount(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(count >= 1 && count <= MOST_PEERS)) {
    throw new UsageError(`Cannot use "${text}" as a number of peers`, {
      hint: `give a whole number from 1 to ${MOST_PEERS}`,
    });
  }
  return count;
}

/** How many at most: a whole number, 0 too. */
export function parseCount(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(count)) {
    throw new UsageError(`Cannot use "${text}" as a number of files`, {
      hint: "give a whole number, 0 or more",
    });
  }
  return count;
}

/** For options that may be given several times. */
export function collectPeer(text: string, before: readonly string[] = []): string[] {
  return [...before, formatPeer(parsePeer(text))];
}

/** Ways of finding peers, separated by commas; `none` is none. */
export function parseSources(text: string): SourceName[] | false {
  if (text.trim() === "none") return false;
  const names = splitList(text);
  const wrong = names.find((name) => !isSource(name));
  if (wrong === undefined && names.length > 0) return names.filter(isSource);
  throw new UsageError(`Cannot find peers by "${wrong ?? text}"`, {
    hint: `name some of ${SOURCE_NAMES.join(", ")}, separated by commas, or none`,
  });
}

function isSource(text: string): text is SourceName {
  return SOURCE_NAMES.some((name) => name === text);
}

/** `dht=host:port`, for an option that may be given several times; `dht=` alone is nobody. */
export function collectBootstrap(text: string, before: Bootstrap = {}): Bootstrap {
  const [, name = "", address] = /^([a-z]+)=(.*)$/.exec(text) ?? [];
  if (!isSource(name) || name === "mdns") {
    const names = SOURCE_NAMES.filter((name) => name !== "mdns").map((name) => `${name}=HOST:PORT`);
    throw new UsageError(`Cannot use "${text}" as somebody to ask`, {
      hint: `give it as ${names.join(", ")}`,
    });
  }
  const all = before[name] ?? [];
  if (address === "") return { ...before, [name]: all };
  parseHostPort(address);
  return { ...before, [name]: [...all, address] };
}

/** From an environment variable: separated by commas or blanks. */
export function splitBootstrap(text: string): Bootstrap {
  return splitList(text).reduce((all: Bootstrap, part) => collectBootstrap(part, all), {});
}

/** `1` and `0`, or words for them, from an environment variable. */
export function parseSwitch(text: string): boolean {
  if (/^(1|true|yes|on)$/i.test(text)) return true;
  if (/^(0|false|no|off)$/i.test(text)) return false;
  throw new UsageError(`Cannot read "${text}" as yes or no`, { hint: "give 1 or 0" });
}

/**
 * Patterns of paths, for options that may be given several times. As in dat commas are between them;
 * one that belongs to a pattern stands in braces or brackets, or behind a backslash.
 */
export function collectPatterns(text: string, before: readonly string[] = []): string[] {
  return [...before, ...splitPatterns(text)];
}

function splitPatterns(text: string): string[] {
  const patterns = [""];
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if ("{[(".includes(char)) depth++;
    if ("}])".includes(char)) depth = Math.max(0, depth - 1);
    if (char === "," && depth === 0) {
      patterns.push("");
      continue;
    }
    patterns[patterns.length - 1] += char;
    if (char === "\\" && at + 1 < text.length) patterns[patterns.length - 1] += text[++at];
  }
  return patterns;
}

/** From an environment variable: addresses separated by commas or blanks. */
export function splitPeers(text: string): string[] {
  return splitList(text)
    .reduce((peers: string[], part) => collectPeer(part, peers), []);
}

function splitList(text: string): string[] {
  return text.split(/[\s,]+/).filter((part) => part !== "");
}

/** A number of metadata entries, as `--version` takes it. */
export function parseVersion(text: string): number {
  const version = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(version)) {
    throw new UsageError(`Cannot use "${text}" as a version`, {
      hint: "give the number that trove log shows",
    });
  }
  return version;
}

/** For commands that look at an archive whose version can be chosen. */
export function addVersionOption(
  command: Command,
  about = "as it was at this version, instead of now",
): Command {
  return command.addOption(new Option("--version <n>", about).argParser(parseVersion));
}

/** For commands whose arguments are not folders, and those whose folder dat takes as an option. */
export function addDirOption(
  command: Command,
  about = "the archive's folder, or one in it",
): Command {
  return command.option("-d, --dir <folder>", about);
}

/**
 * The folder that a command is about: its argument, or what `--dir` says.
 *
 * @throws {UsageError} If both name one.
 */
export function chosenFolder(
  argument: string | undefined,
  { dir }: { readonly dir?: string },
): string | undefined {
  if (argument !== undefined && dir !== undefined) {
    throw new UsageError(`Cannot use two folders, "${argument}" and "${dir}"`, {
      hint: "name one of them",
    });
  }
  return argument ?? dir;
}
