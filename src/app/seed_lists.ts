/**
 * What is to be served: folders and links that were named, the lines of list files, and the archives
 * in folders of archives. Lists are looked at again while the program runs.
 */
import { basename, dirname, join, resolve } from "node:path";
import { fromUtf8, toHex } from "../base/bytes.ts";
import { NotFoundError, TroveError, UsageError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import { archiveIn, inspectFolder } from "./archive_folder.ts";
import type { Wanted } from "./hosted_archive.ts";
import { readPublicKey } from "./open_archive.ts";
import { resolveLink } from "./resolve_link.ts";
import { LIST_MS, LOOKUP_MS, MAX_LIST_BYTES } from "./seed_limits.ts";

export interface ListOptions {
  readonly world: World;
  /** Folders and links, as they were typed. */
  readonly places: readonly string[];
  /** List files, and folders of archives. */
  readonly lists: readonly string[];
  /** Where archives that are given as links are kept, each in a folder named by its key. */
  readonly store?: string;
  /** Told what is wrong with a list, a line of one (`at` says which) or an argument, once. */
  readonly onBroken: OnBroken;
}

type OnBroken = (error: TroveError, at?: string) => void;

/** A folder or link that somebody named. */
interface Named {
  readonly text: string;
  /** Where it stands, if in a list. */
  readonly at?: string;
  /** The folder that a relative path begins at. */
  readonly base: string;
}

/** A list as it was read last. */
interface List {
  readonly path: string;
  mark?: string;
  lines: readonly Named[];
}

export class SeedLists {
  readonly #options: ListOptions;
  readonly #lists: readonly List[];
  /** What each folder was found to hold. */
  readonly #known = new Map<string, Wanted>();
  /** Folders that may hold something else by now. */
  readonly #doubted = new Set<string>();
  /** What was told of what is wrong, by where it stands. */
  readonly #told = new Map<string, string>();
  #lookedAt = -Infinity;
  #foundAt = -Infinity;

  constructor(options: ListOptions) {
    this.#options = options;
    const { world, lists } = options;
    this.#lists = lists.map((path) => ({ path: resolve(world.cwd(), path), lines: [] }));
  }

  /**
   * Everything that is to be served, at the start.
   *
   * @throws {TroveError} If a list cannot be read, or nothing that was named can be served.
   */
  begin(): Wanted[] {
    const { places, onBroken } = this.#options;
    for (const list of this.#lists) this.#read(list);
    const broken: { error: TroveError; at?: string }[] = [];
    const found = this.#find((error, at) => broken.push({ error, at }));
    if (found.length === 0 && this.#lists.length === 0 && broken.length === places.length) {
      throw broken[0].error;
    }
    for (const { error, at } of broken) onBroken(error, at);
    return found;
  }

  /** Everything that is to be served now, if it may have changed since the last time. */
  next(): Wanted[] | undefined {
    const now = this.#options.world.clock.monotonic();
    if (now - this.#lookedAt < LIST_MS) return undefined;
    this.#lookedAt = now;
    let changed = now - this.#foundAt >= LOOKUP_MS;
    for (const list of this.#lists) {
      try {
        // A folder's own time says nothing of the folders in it.
        if (changed || markOf(list.path) !== list.mark) changed = this.#read(list) || changed;
      } catch (error) {
        this.#tell(error, { text: list.path }, this.#options.onBroken);
      }
    }
    return changed ? this.#find(this.#options.onBroken) : undefined;
  }

  /** Something is wrong with a folder: it is looked at again. */
  doubt(dir: string): void {
    this.#doubted.add(dir);
  }

  #find(onBroken: OnBroken): Wanted[] {
    const { world, places } = this.#options;
    this.#lookedAt = this.#foundAt = world.clock.monotonic();
    const found = new Map<string, Wanted>();
    const arguments_ = places.map((text): Named => ({ text, base: world.cwd() }));
    for (const named of [...arguments_, ...this.#lists.flatMap((list) => list.lines)]) {
      try {
        const wanted = this.#resolve(named.text, named.base);
        const first = found.get(toHex(wanted.key));
        if (first !== undefined && first.dir !== wanted.dir) {
          throw new UsageError(`Cannot serve "${wanted.dir}" as well: "${first.dir}" is the same`);
        }
        found.set(toHex(wanted.key), wanted);
        this.#told.delete(named.at ?? named.text);
      } catch (error) {
        this.#tell(error, named, onBroken);
      }
    }
    this.#doubted.clear();
    return [...found.values()];
  }

  /** Tell what is wrong, unless it was told already. */
  #tell(error: unknown, { text, at }: Pick<Named, "text" | "at">, onBroken: OnBroken): void {
    if (!(error instanceof TroveError)) throw error;
    if (this.#told.get(at ?? text) === error.message) return;
    this.#told.set(at ?? text, error.message);
    onBroken(error, at);
  }

  #resolve(text: string, base: string): Wanted {
    if (isLink(text)) return this.#ofLink(text);
    const dir = withoutDat(resolve(base, text));
    const known = this.#known.get(dir);
    if (known !== undefined && !this.#doubted.has(dir)) return known;
    const wanted = this.#ofFolder(dir, text, known);
    this.#known.set(dir, wanted);
    return wanted;
  }

  #ofLink(text: string): Wanted {
    const { world, store } = this.#options;
    const { key, version } = resolveLink(text, world);
    if (version !== undefined) {
      throw new UsageError(`Cannot serve version ${version} alone of "${text}"`, {
        hint: "leave +VERSION out",
      });
    }
    if (store === undefined) {
      throw new UsageError(`Cannot keep the archive of "${text}": it is not said where`, {
        hint: "name a folder for archives given as links with --store DIR",
      });
    }
    return { key, dir: join(resolve(world.cwd(), store), toHex(key)), isLink: true };
  }

  /** @param known What was found there before; a folder that went away may come back. */
  #ofFolder(dir: string, text: string, known: Wanted | undefined): Wanted {
    try {
      const kind = inspectFolder(dir);
      const paths = kind === "archive" ? archiveIn(dir) : undefined;
      if (paths !== undefined) return { key: readPublicKey(paths), dir, isLink: false };
      const what = kind === "missing" ? "there is no such folder" : "no archive is in it";
      throw new NotFoundError(`Cannot serve "${text}": ${what}`, {
        hint: "name a folder that was shared or cloned before, or a link",
      });
    } catch (error) {
      if (known !== undefined) return known;
      throw error;
    }
  }

  /** Answers whether it is another list now. @throws {TroveError} If it cannot be read. */
  #read(list: List): boolean {
    list.mark = markOf(list.path);
    const before = list.lines;
    list.lines = readList(list.path, (dir) => this.#known.has(dir) && !this.#doubted.has(dir));
    this.#told.delete(list.path);
    return before.length !== list.lines.length ||
      before.some(({ text, at }, n) => text !== list.lines[n].text || at !== list.lines[n].at);
  }
}

/** What says whether a list changed. @throws {NotFoundError} If it is gone. */
function markOf(path: string): string {
  try {
    const { mtime, size, ino } = Deno.statSync(path);
    return `${mtime?.getTime()} ${size} ${ino}`;
  } catch (error) {
    throw new NotFoundError(`Cannot read the list "${path}": it is not there`, { cause: error });
  }
}

/**
 * The lines of a list file, or the folders in a folder that hold an archive.
 *
 * @param isKnown Whether a folder need not be looked into.
 */
function readList(path: string, isKnown: (dir: string) => boolean): readonly Named[] {
  try {
    const { isDirectory, size } = Deno.statSync(path);
    if (isDirectory) return readFolderOfArchives(path, isKnown);
    if (size > MAX_LIST_BYTES) {
      throw new UsageError(`Cannot use the list "${path}": it has ${size} bytes`, {
        hint: `a list may have ${MAX_LIST_BYTES} bytes`,
      });
    }
    const base = dirname(path);
    return fromUtf8(Deno.readFileSync(path)).replace(/^\ufeff/, "").split(/\r?\n/)
      .map((line, n) => ({ text: line.trim(), at: `${path} line ${n + 1}`, base }))
      .filter(({ text }) => text !== "" && !text.startsWith("#"));
  } catch (error) {
    if (error instanceof TroveError) throw error;
    const text = error instanceof Error ? error.message : String(error);
    throw new UsageError(`Cannot read the list "${path}": ${text}`, { cause: error });
  }
}

function readFolderOfArchives(path: string, isKnown: (dir: string) => boolean): Named[] {
  return [...Deno.readDirSync(path)]
    .filter(({ isFile }) => !isFile)
    // With their folder before them: a name that is a key would be taken for a link.
    .map(({ name }) => ({ text: join(path, name), base: path }))
    .filter(({ text }) => isKnown(text) || archiveIn(text) !== undefined)
    .sort((a, b) => a.text < b.text ? -1 : 1);
}

function isLink(text: string): boolean {
  return /^[0-9a-f]{64}(\+|$)/i.test(text) || /^[a-z]+:\/\//i.test(text);
}

/** A `.dat` stands for the folder that it is in. */
function withoutDat(dir: string): string {
  return basename(dir) === ".dat" ? dirname(dir) : dir;
}
