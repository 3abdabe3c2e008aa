/** Whether an archive's folder is still the one that was opened. */
import type { ArchivePaths } from "./archive_folder.ts";

/** A folder's place on its disk. */
interface Place {
  readonly dev: number;
  readonly ino: number | null;
}

export class FolderIdentity {
  readonly #paths: ArchivePaths;
  readonly #places: readonly (Place | undefined)[];

  /** Of the folder as it is now. */
  constructor(paths: ArchivePaths) {
    this.#paths = paths;
    this.#places = this.#find();
  }

  /** What is there by now. Systems that do not number their files only tell that it is gone. */
  look(): "same" | "gone" | "replaced" {
    const places = this.#find();
    if (places.includes(undefined)) return "gone";
    const isSame = places.every((place, n) =>
      place!.dev === this.#places[n]?.dev && place!.ino === this.#places[n]?.ino
    );
    return isSame ? "same" : "replaced";
  }

  #find(): (Place | undefined)[] {
    const { dir, dat } = this.#paths;
    return [dir, dat].map(placeOf);
  }
}

function placeOf(path: string): Place | undefined {
  try {
    const { dev, ino, isDirectory } = Deno.statSync(path);
    return isDirectory ? { dev, ino } : undefined;
  } catch {
    return undefined;
  }
}
