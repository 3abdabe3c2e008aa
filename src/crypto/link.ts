/**
 * Dat links: 64 hex digits, the metadata feed's public key, in whatever they come wrapped in.
 * Source: spec of the command line, "Argument conventions".
 */
import { fromHex, toHex } from "../base/bytes.ts";
import { UsageError } from "../base/errors.ts";
import { PUBLIC_KEY_BYTES } from "./sign.ts";

/** An archive, and maybe one of its versions. */
export interface Link {
  /** 32 bytes. */
  readonly key: Uint8Array;
  /** Number of metadata entries that make up the version, from `+VERSION`. */
  readonly version?: number;
}

const KEY_DIGITS = 2 * PUBLIC_KEY_BYTES;
const HEX_RUN = /[0-9a-f]+/gi;
const VERSION = /^\+(\d+)(?=[/?#\s]|$)/;

/** Whether the text is to be taken for a link: it has a run of exactly 64 hex digits in it. */
export function hasKey(text: string): boolean {
  return hexRuns(text).some(isKey);
}

/**
 * Read a link: bare digits, `dat://…` or an HTTP URL that has the digits in it, in upper or lower
 * case, with a path behind them or not. `+VERSION` may follow the digits directly. The first run of
 * exactly 64 digits counts, for a path may have hashes in it.
 *
 * @throws {UsageError} If there is no such run, or the version is no number.
 */
export function parseLink(text: string): Link {
  const runs = hexRuns(text);
  const run = runs.find(isKey);
  if (run === undefined) throw new UsageError(describeMissing(text, runs));
  const after = text.slice(run.index + KEY_DIGITS);
  const key = fromHex(run[0]);
  return after.startsWith("+") ? { key, version: parseVersion(after) } : { key };
}

function hexRuns(text: string): RegExpExecArray[] {
  return [...text.matchAll(HEX_RUN)];
}

function isKey(run: RegExpExecArray): boolean {
  return run[0].length === KEY_DIGITS;
}

/** A link as people exchange it: `dat://` and the key's 64 lower-case hex digits. */
export function formatLink(key: Uint8Array): string {
  return `dat://${toHex(key)}`;
}

function parseVersion(after: string): number {
  const version = Number(VERSION.exec(after)?.[1] ?? NaN);
  if (!Number.isSafeInteger(version)) {
    throw new UsageError(
      `Cannot read "${shorten(after)}" as a version: a plus sign and a number would be fine`,
    );
  }
  return version;
}

function describeMissing(text: string, runs: readonly RegExpExecArray[]): string {
  const longest = runs.reduce((most, [digits]) => Math.max(most, digits.length), 0);
  const found = longest === 0 ? "no hex digits" : `at most ${longest} hex digits in a row`;
  return `Cannot find a dat link in "${shorten(text)}": it has ${found}, and ${KEY_DIGITS} would ` +
    `be fine, with or without dat:// before them`;
}

/** What an error message shows of a text of any length. */
function shorten(text: string): string {
  return text.length <= 100 ? text : `${text.slice(0, 97)}...`;
}
