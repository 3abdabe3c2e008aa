/**
 * Which files of an archive a copy of it is to have: the one rule of `--select` and `--exclude`.
 *
 * - A pattern is about paths relative to the archive's root, without a leading slash; one that is
 *   written there is ignored. Case counts.
 * - A pattern that names a file or a folder means it, with everything below: `photos`.
 * - Otherwise it is a glob as picomatch has it: `*` and `?` stop at slashes, `**` crosses them, and
 *   names with a leading dot are like all others.
 * - With a slash at its end it is about folders only, and means what is below those: `photos/`.
 * - What `exclude` matches is left out, whatever `select` says. Without `select` everything is in.
 *
 * Source: spec of the command lines, `--select`; of the drive, section 14. Those programs take names
 * only; globs are ours.
 */
import picomatch from "picomatch";
import { UsageError } from "../../base/errors.ts";

/**
 * A longer path is compared with names, and not with globs: no system writes one, and the time that
 * an expression takes grows faster than the path, which a stranger chose. In UTF-16 code units.
 */
const MAX_GLOB_PATH = 4096;

/** The patterns as they were given. */
export interface SelectionRules {
  readonly select: readonly string[];
  readonly exclude: readonly string[];
}

/** The rules that leave nothing out. */
export const EVERYTHING: SelectionRules = { select: [], exclude: [] };

type Matcher = (path: string) => boolean;

interface Pattern {
  readonly text: string;
  /** About a path without its leading slash. */
  readonly matches: (path: string, folder: boolean) => boolean;
  /** Whether it matched anything so far. */
  used: boolean;
}

/** Rules that are ready for use. It remembers which patterns have matched anything. */
export class Selection {
  readonly rules: SelectionRules;
  /** Whether nothing can be left out. */
  readonly isEverything: boolean;
  readonly #select: readonly Pattern[];
  readonly #exclude: readonly Pattern[];

  /** @throws {UsageError} If a pattern makes no sense. */
  constructor(rules: SelectionRules) {
    this.rules = rules;
    this.#select = rules.select.map(compilePattern);
    this.#exclude = rules.exclude.map(compilePattern);
    this.isEverything = rules.exclude.length === 0 &&
      (rules.select.length === 0 || rules.select.some((text) => bare(text) === "**"));
  }

  /** Whether a file, or a folder that was made on purpose, is wanted. `path` is the archive's. */
  selects(path: string, options: { folder?: boolean } = {}): boolean {
    if (this.isEverything) return true;
    const relative = path.replace(/^\//, "");
    const folder = options.folder === true;
    const wanted = anyMatches(this.#select, relative, folder) || this.#select.length === 0;
    return !anyMatches(this.#exclude, relative, folder) && wanted;
  }

  /** The patterns that have matched nothing of what was asked about. */
  unused(): string[] {
    if (this.isEverything) return [];
    return [...this.#select, ...this.#exclude].filter(({ used }) => !used).map(({ text }) => text);
  }
}

/** Patterns that have matched before are asked only until one says yes. */
function anyMatches(patterns: readonly Pattern[], path: string, folder: boolean): boolean {
  let found = false;
  for (const pattern of patterns) {
    if (found && pattern.used) continue;
    if (!pattern.matches(path, folder)) continue;
    pattern.used = true;
    found = true;
  }
  return found;
}

/** Make a name a pattern that means nothing else. */
export function escapePattern(name: string): string {
  return name.replace(/[\\*?[\](){}!+@|]/g, "\\$&");
}

/** @throws {UsageError} If a pattern makes no sense. */
export function checkPattern(text: string): string {
  compilePattern(text);
  return text;
}

function compilePattern(text: string): Pattern {
  const refuse = (why: string, hint: string) =>
    new UsageError(`Cannot use "${text}" as a pattern: ${why}`, { hint });
  const pattern = bare(text);
  const names = pattern.split("/");
  if (pattern === "" || pattern.includes("\0")) {
    throw refuse("it cannot match anything", `name a file or a folder, or "**" for all of them`);
  }
  if (names.includes("..") || names.includes(".")) {
    throw refuse("paths in an archive have no . or .. in them", "begin at the archive's root");
  }
  if (/^![^(]/.test(pattern)) {
    throw refuse("there are no negated patterns", "--exclude leaves files out");
  }
  const isFolder = text.endsWith("/");
  const below = `${pattern}/`;
  let file: Matcher;
  let folder: Matcher;
  try {
    file = compileGlob(isFolder ? `${pattern}/**` : pattern, true);
    const named = compileGlob(pattern, false);
    folder = isFolder ? (path) => named(path) || file(path) : named;
  } catch (error) {
    throw refuse(
      (error as Error).message,
      "put a backslash before a bracket that is part of a name",
    );
  }
  // A name is taken as it is spelled, too: `a[1].txt` is a file of that name.
  const matches = (path: string, isDirectory: boolean): boolean => {
    if (path.startsWith(below) || path === pattern && (!isFolder || isDirectory)) return true;
    return path.length <= MAX_GLOB_PATH && (isDirectory ? folder : file)(path);
  };
  return { text, matches, used: false };
}

/** Without slashes at the ends, and without `./` before it. */
function bare(text: string): string {
  return text.replace(/^(?:\.?\/)+/, "").replace(/\/+$/, "");
}

/** `strictSlashes`: `logs/**` is about what is in `logs`, and not about a file of that name. */
function compileGlob(glob: string, strictSlashes: boolean): Matcher {
  return picomatch(glob, {
    strictSlashes,
    dot: true,
    nonegate: true,
    strictBrackets: true,
    // An archive's paths have slashes on every system, and may have line ends in them.
    windows: false,
    flags: "s",
  });
}
