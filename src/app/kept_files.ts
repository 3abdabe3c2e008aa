/**
 * Where a repair puts what it replaces or takes away: `.dat/trove.kept/<time>/`. Nothing that was
 * not verified is lost that way, unless the user wants it to be.
 */
import { dirname, join } from "node:path";
import type { World } from "../base/world.ts";
import { lookAt } from "../io/folder.ts";
import { storageError } from "../io/handle_cache.ts";
import type { ArchivePaths } from "./archive_folder.ts";

export class KeptFiles {
  /** The folder of this repair; made when there is something to keep. */
  readonly folder: string;
  readonly #discards: boolean;
  readonly #kept = new Set<string>();

  /** @param options.discard Keep nothing. */
  constructor(paths: ArchivePaths, options: { world: World; discard: boolean }) {
    const time = new Date(options.world.clock.wall()).toISOString().replace(/\.\d+Z$/, "Z")
      .replaceAll(":", "-");
    this.folder = unused(join(paths.dat, "trove.kept", time));
    this.#discards = options.discard;
  }

  /** Names of what was kept, below `folder`. */
  get names(): readonly string[] {
    return [...this.#kept].sort();
  }

  /** Keep a copy of a file before it is changed for the first time. */
  copy(path: string, name: string): void {
    this.#keep(path, name, (to) => Deno.copyFileSync(path, to));
  }

  /** Keep a working file that another takes the place of: the same file under a second name. */
  link(path: string, name: string): void {
    this.#keep(path, name, (to) => {
      try {
        Deno.linkSync(path, to);
      } catch {
        Deno.copyFileSync(path, to); // another disk, or one without links
      }
    });
  }

  /** Keep bytes that are about to be overwritten. */
  bytes(bytes: Uint8Array, name: string): void {
    this.#keep(undefined, name, (to) => Deno.writeFileSync(to, bytes));
  }

  /** Nothing took its place after all. */
  forget(name: string): void {
    if (!this.#kept.delete(name)) return;
    try {
      Deno.removeSync(join(this.folder, name));
      if (this.#kept.size === 0) Deno.removeSync(this.folder, { recursive: true });
    } catch {
      // A copy too many does no harm.
    }
  }

  #keep(path: string | undefined, name: string, keep: (to: string) => void): void {
    if (this.#discards || this.#kept.has(name)) return;
    if (path !== undefined && lookAt(path) === undefined) return;
    const to = join(this.folder, name);
    try {
      Deno.mkdirSync(dirname(to), { recursive: true });
      keep(to);
    } catch (error) {
      throw storageError(`Cannot keep a copy of "${path ?? name}"`, error);
    }
    this.#kept.add(name);
  }
}

function unused(folder: string): string {
  let free = folder;
  for (let number = 2; lookAt(free) !== undefined; number++) free = `${folder}-${number}`;
  return free;
}
