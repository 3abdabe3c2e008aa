/**
 * Which files of a folder are left out of an archive.
 *
 * The patterns are those of dat-ignore 2.1.3: they match the whole path relative to the folder,
 * `*` and `?` stop at slashes and skip leading dots, `**` crosses slashes, and there is no comment
 * syntax. A negated pattern (`!`) wins over all others, wherever it stands.
 *
 * Source: spec of the drive, section 12.
 */
import picomatch from "picomatch";
import { UsageError } from "../../base/errors.ts";

type Matcher = (path: string) => boolean;

/** `strictSlashes`: `logs/**` is about what is in `logs`, and not about a file of that name. */
const compileGlob = (glob: string): Matcher => picomatch(glob, { strictSlashes: true });

/**
 * Wildcards of a pattern in one name, and `**` in all of it. A clone's `.datignore` is somebody else's
 * text, and the time that a pattern takes doubles with each that may stand for anything.
 */
const MAX_WILDCARDS = 3;
const MAX_PATTERN_LENGTH = 1000;
/** A plus repeats what is before it where that is a set of letters, or within parentheses. */
const WILDCARDS = /\*+|\]\+/g;
const IN_PARENTHESES = /\*+|[?@!]\(|\+/g;

/** Kept although hidden: the name under which a site says which archive it is. */
const EXCEPTIONS = ["**/.well-known/dat", ".well-known/dat"].map(compileGlob);

export interface IgnoreOptions {
  /** Text of the `.datignore` file. */
  readonly datignore?: string;
  /** Whether this relative path, as a pattern has it, is a folder when the import starts. */
  readonly isDirectory: (name: string) => boolean;
  /** Leave out what has a component that starts with a dot. */
  readonly ignoreHidden: boolean;
  /** More patterns, of the same kind. */
  readonly extra?: readonly string[];
}

/**
 * The rules as a predicate over relative paths without a leading slash: true means left out. It is
 * about files, and names in the archive: a folder for which it says true may still hold files for
 * which it says false (`.well-known/dat`), except for `.dat` itself, which no pattern brings back.
 */
export function compileIgnore(options: IgnoreOptions): (relativePath: string) => boolean {
  const lines = [...options.extra ?? [], ...splitLines(options.datignore ?? "")]
    .filter((line) => line !== "" && line !== "!");
  const ignored: Matcher[] = [];
  const kept: Matcher[] = [...EXCEPTIONS];
  for (const line of lines) refuseCostly(line);
  for (const line of lines.flatMap((line) => toGlobs(line, options))) {
    if (line.startsWith("!")) kept.push(compileGlob(line.slice(1)));
    else ignored.push(literalOr(line, compileGlob(line)));
  }
  return (path) => {
    if (path === ".dat" || path.startsWith(".dat/")) return true;
    if (kept.some((matches) => matches(path))) return false;
    if (path === ".DS_Store" || path.endsWith("/.DS_Store")) return true;
    if (options.ignoreHidden && (path.startsWith(".") || path.includes("/."))) return true;
    return ignored.some((matches) => matches(path));
  };
}

function refuseCostly(line: string): void {
  const names = line.split("/");
  const wildcards = names.filter((name) => name !== "**")
    .map((name) => name.match(name.includes("(") ? IN_PARENTHESES : WILDCARDS)?.length ?? 0);
  const deep = names.filter((name) => name === "**").length;
  // A plus behind a group repeats it, and what it repeats may stand for the same in many ways.
  const isCostly = Math.max(deep, ...wildcards) > MAX_WILDCARDS || /[)}]\+/.test(line);
  if (!isCostly && line.length <= MAX_PATTERN_LENGTH) return;
  throw new UsageError(`Cannot use the pattern "${line.slice(0, 100)}" of .datignore`, {
    hint: `one name of a path may have ${MAX_WILDCARDS} wildcards and no + behind a group, ` +
      `a pattern so many **`,
  });
}

function splitLines(text: string): string[] {
  return text.trim().split(/[\r\n]+/).filter((line) => line.trim() !== "");
}

/** The globs a line stands for: if it names a folder, that name anywhere and everything below. */
function toGlobs(line: string, options: IgnoreOptions): string[] {
  const names = line.split("/").filter((name) => name !== "" && name !== ".");
  const isRelative = names.length > 0 && !names.includes("..") && !line.startsWith("/");
  if (!isRelative || !options.isDirectory(names.join("/"))) return [line];
  const name = names[names.length - 1];
  return [`**/${name}`, `**/${name}/**`];
}

/** A file whose name is spelled like the pattern, `a[1].txt`, is meant as well. */
function literalOr(line: string, matches: Matcher): Matcher {
  return (path) => path === line || matches(path);
}
