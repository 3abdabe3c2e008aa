/**
 * Between names in an archive and names on a disk. What comes from the network is untrusted: a name
 * is used for a file only after it went through `safePath`.
 *
 * Source: spec of the drive, section 8.
 */

/** Bytes of one name in all common file systems. */
const MAX_NAME_BYTES = 255;

/** Bytes of a whole path that no common system goes beyond. */
const MAX_PATH_BYTES = 4096;

/** Not allowed in names on Windows, besides control characters. A colon opens a second stream. */
// deno-lint-ignore no-control-regex
const WINDOWS_RESERVED = /[<>:"|?*\u0001-\u001f]/;

/** Names of devices on Windows, with whatever comes after a dot. */
const WINDOWS_DEVICE =
  /^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3]) *(\.|$)/i;

/** How a file system may write `.dat` in 8.3 form. */
const WINDOWS_SHORT_DAT = /^dat~[0-9]+$/i;

/** Code points that some file systems leave out when they compare names. */
const IGNORED_IN_NAMES = /[\u200c-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g;

const utf8 = new TextEncoder();

/** The relative path, by component, under the target folder; or why there is none. */
export type SafePath =
  | { readonly kind: "safe"; readonly components: readonly string[] }
  | { readonly kind: "refused"; readonly reason: string };

/** The name in the archive of something on disk; or why there is none. */
export type ArchivePath =
  | { readonly kind: "named"; readonly path: string }
  | { readonly kind: "refused"; readonly reason: string };

/**
 * Where to write a file of the archive, in components below the target folder. Never leads out of
 * that folder as long as no component is a symlink, and never into its `.dat`.
 *
 * `windows` refuses what means something else there: reserved characters, device names, names that
 * end in a dot or a space.
 */
export function safePath(path: string, options: { readonly windows?: boolean } = {}): SafePath {
  if (!path.startsWith("/")) return refused("does not start with a slash");
  if (isLonger(path, MAX_PATH_BYTES)) return refused(`has more than ${MAX_PATH_BYTES} bytes`);
  const components = path.slice(1).split("/");
  for (const name of components) {
    const fault = faultOf(name) ?? (options.windows ? faultOnWindows(name) : undefined);
    if (fault !== undefined) return refused(fault);
  }
  if (isDatFolder(components[0], options)) return refused("would be written into .dat");
  return { kind: "safe", components };
}

/** The name under which a file is stored, from the components of its path below the folder. */
export function archivePath(components: readonly string[]): ArchivePath {
  if (components.length === 0) return refused("has an empty name in it");
  for (const name of components) {
    const fault = name.includes("/") ? "has a slash inside of a name" : faultOf(name);
    if (fault !== undefined) return refused(fault);
  }
  if (isDatFolder(components[0], {})) return refused("lies in .dat");
  return { kind: "named", path: "/" + components.join("/") };
}

function refused(reason: string): { readonly kind: "refused"; readonly reason: string } {
  return { kind: "refused", reason };
}

/** What is wrong with a name everywhere. Read as: the path ... */
function faultOf(name: string): string | undefined {
  if (name === "") return "has an empty name in it";
  if (name === "." || name === "..") return `has "${name}" in it`;
  if (name.includes("\0")) return "has a zero byte in it";
  // The original takes a backslash for a slash, so the name would mean another one elsewhere.
  if (name.includes("\\")) return "has a backslash in it";
  if (!name.isWellFormed()) return "has half a character in it and cannot be written as UTF-8";
  if (isLonger(name, MAX_NAME_BYTES)) {
    return `has a name of more than ${MAX_NAME_BYTES} bytes in it`;
  }
  return undefined;
}

/** What is wrong with a name on Windows, besides. Read as `faultOf`. */
export function faultOnWindows(name: string): string | undefined {
  if (WINDOWS_RESERVED.test(name)) return "has a character in it that is reserved on Windows";
  if (WINDOWS_DEVICE.test(name)) return `has the device name "${name}" in it`;
  if (/[. ]$/.test(name)) return "has a name in it that ends in a dot or a space";
  return undefined;
}

function isLonger(text: string, bytes: number): boolean {
  // A code unit takes one to three bytes: most texts need no encoding.
  if (text.length * 3 <= bytes) return false;
  return text.length > bytes || utf8.encode(text).length > bytes;
}

/** Whether a file system might take the name for `.dat`, where the feeds themselves are. */
function isDatFolder(name: string, options: { readonly windows?: boolean }): boolean {
  const plain = name.replace(IGNORED_IN_NAMES, "").replace(/[. ]+$/, "").toLowerCase();
  return plain === ".dat" || (options.windows === true && WINDOWS_SHORT_DAT.test(plain));
}
