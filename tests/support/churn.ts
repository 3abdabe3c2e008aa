/** Somebody who works in a folder: adds, changes, renames and deletes files and folders, by a seed. */
import { dirname, join } from "node:path";
import { Random } from "./random.ts";

/** How often each is done, in parts of the sum. */
const WEIGHTS = {
  add: 28,
  change: 24,
  append: 8,
  rename: 14,
  remove: 12,
  renameFolder: 8,
  removeFolder: 4,
  replace: 2,
} as const;

type Action = keyof typeof WEIGHTS;

const SUM = Object.values(WEIGHTS).reduce((sum: number, weight) => sum + weight, 0);

export class Churn {
  readonly #folder: string;
  readonly #random: Random;
  readonly #largest: number;
  /** What is there, relative to the folder. */
  readonly #files = new Set<string>();
  #named = 0;
  /** How often each was done. */
  readonly done: Partial<Record<Action, number>> = {};

  /** @param options.largest Bytes of a file, at most. */
  constructor(folder: string, options: { seed: string; largest: number }) {
    this.#folder = folder;
    this.#random = new Random(`churn ${options.seed}`);
    this.#largest = options.largest;
  }

  /** Make one change. */
  step(): void {
    const action = this.#choose();
    this.done[action] = (this.done[action] ?? 0) + 1;
    switch (action) {
      case "add":
        return this.#write(this.#newPath(), this.#bytes());
      case "change":
        return this.#write(this.#file(), this.#bytes());
      case "append":
        return Deno.writeFileSync(this.#at(this.#file()), this.#bytes(), { append: true });
      case "rename":
        return this.#move(this.#file(), this.#newPath());
      case "remove":
        return this.#remove(this.#file());
      case "renameFolder":
        return this.#move(this.#someFolder(), `folder-${this.#named++}`);
      case "removeFolder":
        return this.#remove(this.#someFolder());
      case "replace": {
        // As editors save: beside the file, then in its place.
        const path = this.#file();
        Deno.writeFileSync(this.#at(`${path}~`), this.#bytes());
        return Deno.renameSync(this.#at(`${path}~`), this.#at(path));
      }
    }
  }

  #choose(): Action {
    if (this.#files.size < 5) return "add";
    let left = this.#random.below(SUM);
    for (const [action, weight] of Object.entries(WEIGHTS)) {
      left -= weight;
      if (left >= 0) continue;
      const needsFolder = action === "renameFolder" || action === "removeFolder";
      return needsFolder && this.#folders().length === 0 ? "add" : action as Action;
    }
    return "add";
  }

  #write(path: string, bytes: Uint8Array): void {
    Deno.mkdirSync(dirname(this.#at(path)), { recursive: true });
    Deno.writeFileSync(this.#at(path), bytes);
    this.#files.add(path);
  }

  #move(from: string, to: string): void {
    Deno.mkdirSync(dirname(this.#at(to)), { recursive: true });
    Deno.renameSync(this.#at(from), this.#at(to));
    for (const path of this.#below(from)) {
      this.#files.delete(path);
      this.#files.add(to + path.slice(from.length));
    }
  }

  #remove(path: string): void {
    Deno.removeSync(this.#at(path), { recursive: true });
    for (const below of this.#below(path)) this.#files.delete(below);
  }

  #below(path: string): string[] {
    return [...this.#files].filter((file) => file === path || file.startsWith(`${path}/`));
  }

  /** A name that was never there before, in a folder that is there or not. */
  #newPath(): string {
    const folders = this.#folders();
    const kind = this.#random.below(4);
    const folder = kind === 0 || folders.length === 0
      ? this.#newFolder()
      : folders[this.#random.below(folders.length)];
    const name = `file-${this.#named++}`;
    return kind === 1 ? name : `${folder}/${name}`;
  }

  #newFolder(): string {
    const folders = this.#folders().filter((folder) => folder.split("/").length < 4);
    const name = `folder-${this.#named++}`;
    if (folders.length === 0 || this.#random.below(2) === 0) return name;
    return `${folders[this.#random.below(folders.length)]}/${name}`;
  }

  #file(): string {
    const files = [...this.#files].sort();
    return files[this.#random.below(files.length)];
  }

  #someFolder(): string {
    const folders = this.#folders();
    return folders[this.#random.below(folders.length)];
  }

  #folders(): string[] {
    const folders = new Set<string>();
    for (const file of this.#files) {
      for (let path = dirname(file); path !== "."; path = dirname(path)) folders.add(path);
    }
    return [...folders].sort();
  }

  /** At least one byte. */
  #bytes(): Uint8Array {
    const most = this.#random.below(10) === 0 ? this.#largest : this.#largest / 20;
    return this.#random.bytes(1 + this.#random.below(most)).slice();
  }

  #at(path: string): string {
    return join(this.#folder, path);
  }
}
