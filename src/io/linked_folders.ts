/**
 * Which links to folders are followed. One that stays inside the archive's folder is, so that what
 * it shows is in the archive under the link's name, too. No folder is come to a second time on the
 * way down to itself, so every walk ends. And a link that is met behind another link is followed
 * only the first time that its folder is led to in this way: folders full of links to each other
 * would otherwise multiply without end.
 */
import { join } from "node:path";
import { type FolderItem, listFolder } from "./folder.ts";

/** A folder on a walk, and how it was come to. */
export interface FolderPlace {
  /** Without links in its path. */
  readonly real: string;
  /** It and all that were gone through, by their real paths. */
  readonly chain: ReadonlySet<string>;
  /** Whether a link was followed on the way. */
  readonly linked: boolean;
}

const LOOP = "leads to a folder that it lies in";
const AGAIN = "is a symbolic link to a folder that another link led to before";

export class LinkedFolders {
  readonly #realRoot: string;
  readonly #ledTo = new Set<string>();

  /** @param realRoot The archive's folder without links in its path. */
  constructor(realRoot: string) {
    this.#realRoot = realRoot;
  }

  /** Where a walk begins. */
  get top(): FolderPlace {
    return { real: this.#realRoot, chain: new Set([this.#realRoot]), linked: false };
  }

  /**
   * As `listFolder`, with links to folders as the folders they stand for, as far as they are
   * followed; the others are told with their reason. Ordered by name, so that every walk follows
   * the same ones.
   *
   * @param path The folder's path on the walk.
   * @param place The same folder.
   * @throws {StorageError} If the folder cannot be read.
   */
  list(path: string, place: FolderPlace): FolderItem[] {
    const items = listFolder(path, this.#realRoot).sort((a, b) => a.name < b.name ? -1 : 1);
    return items.map((item): FolderItem => {
      const { kind, linkedFolder } = item;
      if (linkedFolder === undefined && kind !== "directory") return item;
      const real = linkedFolder ?? join(place.real, item.name);
      if (place.chain.has(real)) return { ...item, kind: "other", reason: LOOP };
      if (linkedFolder === undefined) return item;
      if (place.linked) {
        if (this.#ledTo.has(real)) return { ...item, reason: AGAIN };
        this.#ledTo.add(real);
      }
      return { ...item, kind: "directory", reason: undefined };
    });
  }

  /** A folder that `list` told of, as the place of the next `list`. */
  below(place: FolderPlace, item: FolderItem): FolderPlace {
    const real = item.linkedFolder ?? join(place.real, item.name);
    const linked = place.linked || item.linkedFolder !== undefined;
    return { real, chain: new Set(place.chain).add(real), linked };
  }
}
