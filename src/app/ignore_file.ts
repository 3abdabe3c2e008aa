/**
 * The rules of a folder about what is left out of its archive, with the `.datignore` that lies in
 * it. Source: spec of the drive, section 12.
 */
import { join } from "node:path";
import { compileIgnore } from "../core/archive/ignore_rules.ts";
import { lookAt } from "../io/folder.ts";
import { readSmallFile } from "./archive_folder.ts";

export interface IgnoreRules {
  /** Whether a file is left out, by its path below the folder without a leading slash. */
  readonly ignores: (relative: string) => boolean;
  /** Whether a folder has to be looked into: it may hold files that are not left out. */
  readonly entersFolder: (relative: string) => boolean;
}

/**
 * Read the rules that hold for the folder `root` now.
 *
 * @param options.ignoreHidden Leave out names that start with a dot; on if not said otherwise.
 * @throws {StorageError} If `.datignore` cannot be read.
 */
export function readIgnoreRules(
  root: string,
  options: { ignoreHidden?: boolean } = {},
): IgnoreRules {
  const file = readSmallFile(join(root, ".datignore"));
  const datignore = file === undefined ? undefined : new TextDecoder().decode(file);
  const ignores = compileIgnore({
    datignore,
    isDirectory: (name) => lookAt(join(root, name))?.isDirectory ?? false,
    ignoreHidden: options.ignoreHidden ?? true,
  });
  // A negated pattern may bring back files of a folder that is left out as such.
  const bringsBack = datignore !== undefined && /^\s*!/m.test(datignore);
  const entersFolder = (relative: string) => {
    if (relative === ".dat") return false;
    if (bringsBack || !ignores(relative)) return true;
    const isWellKnown = relative === ".well-known" || relative.endsWith("/.well-known");
    return isWellKnown && !ignores(`${relative}/dat`);
  };
  return { ignores, entersFolder };
}
