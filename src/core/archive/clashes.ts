/**
 * Files of one version that no disk can hold at once: a file and a folder of the same name, and
 * names that a file system takes for equal. The first one stays and the others are reported.
 *
 * Source: spec of the drive, section 8 ("keep the first, warn").
 */
export interface Clash<File> {
  /** The file that has no place. */
  readonly file: File;
  /** The path that has it. */
  readonly with: string;
  /** `with` is a file where `file` needs a folder; a folder where it needs a file; or only spelled
   * differently. */
  readonly reason: "file-in-the-way" | "folder-in-the-way" | "same-name";
}

type Kind = "file" | "folder";

type Collision = Pick<Clash<unknown>, "with" | "reason">;

/**
 * Part `files`, in their order, into those that fit beside each other and the others. Give files
 * whose path is safe (see safe_path.ts), and no directories made on purpose: these go with
 * everything below them.
 *
 * `foldNames` is for disks that do not tell case or Unicode normalisation apart; it finds folders
 * that would be merged, too. Where that is not asked for, `distinct` (every path is given once, as
 * `walkFiles` gives them) spares remembering a million of them: only folders can be in the way then.
 */
export function findClashes<File extends { readonly path: string }>(
  files: readonly File[],
  { foldNames = false, distinct = false }: {
    readonly foldNames?: boolean;
    readonly distinct?: boolean;
  } = {},
): { readonly kept: readonly File[]; readonly clashes: readonly Clash<File>[] } {
  const clashes: Clash<File>[] = [];
  const places = new Places(foldNames);
  const folders = distinct && !foldNames ? foldersOf(files) : undefined;
  for (const file of files) {
    const { path } = file;
    let collision = places.takeFolder(parentOf(path));
    if (folders === undefined || folders.has(path)) collision ??= places.take(path, "file");
    if (collision !== undefined) clashes.push({ file, ...collision });
  }
  if (clashes.length === 0) return { kept: files, clashes };
  const clashing = new Set(clashes.map(({ file }) => file));
  return { kept: files.filter((file) => !clashing.has(file)), clashes };
}

/** How a name looks to a file system that tells neither case nor normalisation apart. */
export function foldName(name: string): string {
  // deno-lint-ignore no-control-regex
  if (/^[\u0000-\u007f]*$/.test(name)) return name.toLowerCase();
  return name.normalize("NFD").toLowerCase().normalize("NFC");
}

class Places {
  readonly #fold: boolean;
  /** What stands at a place: its path as it was spelled first. */
  readonly #taken: Readonly<Record<Kind, Map<string, string>>> = {
    file: new Map(),
    folder: new Map(),
  };
  /** Every folder asked for, by its exact path: what was in its way, or nothing. */
  readonly #folders = new Map<string, Collision | undefined>();

  constructor(fold: boolean) {
    this.#fold = fold;
  }

  /** Take a folder and all above it. */
  takeFolder(path: string): Collision | undefined {
    // Neighbours share their folder: most calls end here.
    if (this.#folders.has(path)) return this.#folders.get(path);
    let collision: Collision | undefined;
    for (
      let end = path.indexOf("/", 1);
      collision === undefined;
      end = path.indexOf("/", end + 1)
    ) {
      collision = this.take(end < 0 ? path : path.slice(0, end), "folder");
      if (end < 0) break;
    }
    this.#folders.set(path, collision);
    return collision;
  }

  take(path: string, kind: Kind): Collision | undefined {
    if (path === "") return undefined;
    const key = this.#fold ? foldName(path) : path;
    const file = this.#taken.file.get(key);
    const folder = this.#taken.folder.get(key);
    if (kind === "folder" && file !== undefined) return { with: file, reason: "file-in-the-way" };
    if (kind === "file" && folder !== undefined) {
      return { with: folder, reason: "folder-in-the-way" };
    }
    const same = file ?? folder;
    if (same === undefined) this.#taken[kind].set(key, path);
    else if (kind === "file" || same !== path) return { with: same, reason: "same-name" };
    return undefined;
  }
}

/** Every folder that files are in, and those above it. */
function foldersOf(files: readonly { readonly path: string }[]): ReadonlySet<string> {
  const folders = new Set<string>();
  for (const { path } of files) {
    for (let folder = parentOf(path); !folders.has(folder); folder = parentOf(folder)) {
      folders.add(folder);
    }
  }
  return folders;
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}
