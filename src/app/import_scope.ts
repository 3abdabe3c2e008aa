/** Which part of its folder an import looks at. */
import { dirname } from "node:path/posix";

export class ImportScope {
  readonly #named: ReadonlySet<string>;
  /** The folders on the way to what is named. */
  readonly #above = new Set<string>();

  /** @param only Paths from the folder, "/" between names; the whole folder if left out. */
  constructor(only?: ReadonlySet<string>) {
    this.#named = only ?? new Set([""]);
    for (const path of this.#named) {
      for (let above = dirname(path); above !== "."; above = dirname(above)) {
        if (this.#above.has(above)) break;
        this.#above.add(above);
      }
    }
  }

  /** Whether just this path is named; the folder itself is the empty one. All below it counts then. */
  names(path: string): boolean {
    return this.#named.has(path);
  }

  /** Whether the path, or something below it, is named. */
  touches(path: string): boolean {
    return this.#named.has(path) || this.#above.has(path);
  }
}
