/**
 * Names in an archive, seen as lists of components. They are compared by UTF-16 code units: no
 * Unicode normalisation, no percent-decoding, and case counts.
 *
 * Source: spec of the drive, sections 4, 5 and 8.
 */

/** The components of a name, without one leading and one trailing slash. `/` has none. */
export function splitPath(path: string): string[] {
  const names = path.split("/");
  if (names[0] === "") names.shift();
  if (names[names.length - 1] === "") names.pop();
  return names;
}

/** The name made of `names`. */
export function joinPath(names: readonly string[]): string {
  return "/" + names.join("/");
}

/** How many leading components both share. */
export function commonLength(a: readonly string[], b: readonly string[]): number {
  const end = Math.min(a.length, b.length);
  let count = 0;
  while (count < end && a[count] === b[count]) count++;
  return count;
}

/** Order of names within a folder: by UTF-16 code units, as `Array.sort` has it without help. */
export function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * The absolute path that a person's spelling means: `.`, `..`, doubled and trailing slashes are
 * resolved against `/`, and backslashes are slashes. `../../etc` is `/etc`, nothing is `/`.
 */
export function normalizePath(text: string): string {
  // The original resolves first and replaces backslashes after, and so can produce names that
  // still hold `..`. Replacing first cannot.
  const names: string[] = [];
  for (const name of text.replaceAll("\\", "/").split("/")) {
    if (name === "..") names.pop();
    else if (name !== "" && name !== ".") names.push(name);
  }
  return joinPath(names);
}
