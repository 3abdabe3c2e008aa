/**
 * Names that some system cannot hold. The rule for them: what Dat itself cannot represent is left
 * out of an archive (`archivePath`); every other name goes in as it is, with a warning that says
 * where it will be missing. Readers leave out what their disk cannot hold, and only that.
 *
 * Source: spec of the drive, section 8.
 */
import { foldName } from "./clashes.ts";
import { faultOnWindows } from "./safe_path.ts";

/**
 * Why a name of a file or folder cannot be used on every system, or undefined. Read as: the name ...
 */
export function portabilityFault(name: string): string | undefined {
  const fault = faultOnWindows(name);
  return fault === undefined ? undefined : `${fault}: it cannot be written on Windows`;
}

/**
 * The names of one folder that are in each other's way where case or Unicode normalisation make no
 * difference: each with one such other.
 */
export function nameClashes(names: Iterable<string>): Map<string, string> {
  const first = new Map<string, string>();
  const clashes = new Map<string, string>();
  for (const name of names) {
    const folded = foldName(name);
    const other = first.get(folded);
    if (other === undefined) {
      first.set(folded, name);
      continue;
    }
    clashes.set(name, other);
    if (!clashes.has(other)) clashes.set(other, name);
  }
  return clashes;
}
