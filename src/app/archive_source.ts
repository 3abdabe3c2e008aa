/** An archive to read from, wherever its blocks come from. */
import { NotFoundError } from "../base/errors.ts";
import type { Range } from "../base/ranges.ts";
import { heldVersion } from "./clone_planner.ts";
import { type Archive, openArchive } from "./open_archive.ts";
import type { World } from "../base/world.ts";
import { archiveIn } from "./archive_folder.ts";
import { ArchiveView } from "./archive_view.ts";

export { delay } from "../io/pause.ts";

/** Versions of a folder that are kept at hand. */
const MAX_VIEWS = 8;

/** Hold of the archive as it is at that moment; it stays open until this is disposed of. */
export interface HeldArchive extends Disposable {
  readonly archive: Archive;
  /** The newest version of which every entry is here. */
  readonly version: number;
  /** @throws {NotFoundError} If the archive has no such version, as far as is known here. */
  view(version: number): ArchiveView;
}

/** Content blocks that somebody wants to read, one after the other, until it is disposed of. */
export interface BlockOrder extends Disposable {
  /**
   * Resolves when the first of these blocks is here; those behind it may be asked for meanwhile.
   *
   * @throws {TroveError} If it is not to be had.
   */
  need(range: Range): Promise<void>;
}

export interface ArchiveSource extends AsyncDisposable {
  /** Until it can be held, or for a while at least. */
  ready(): Promise<void>;
  /** @throws {TroveError} If the archive cannot be read. */
  hold(): HeldArchive;
  /** @param signal Nobody waits any more. */
  order(signal: AbortSignal): BlockOrder;
}

/** The archive of a folder, which somebody may be changing. What is not here is not to be had. */
export class FolderSource implements ArchiveSource {
  readonly #dir: string;
  readonly #world: World;
  #current?: OpenFolder;

  /** @param dir The archive's own folder, absolute; the archive may come later. */
  constructor(dir: string, world: World) {
    this.#dir = dir;
    this.#world = world;
  }

  ready(): Promise<void> {
    return Promise.resolve();
  }

  hold(): HeldArchive {
    const state = stateOf(this.#dir);
    if (this.#current?.state !== state) {
      const archive = openArchive(this.#dir, { world: this.#world, access: "read" });
      this.#current?.release();
      this.#current = new OpenFolder(archive, state);
    }
    return this.#current!.hold();
  }

  order(): BlockOrder {
    const held = this.hold();
    return {
      need: ({ start }) => {
        if (held.archive.content?.hasBlock(start)) return Promise.resolve();
        return Promise.reject(new NotFoundError(`Cannot read content block ${start}: not here`));
      },
      [Symbol.dispose]: () => held[Symbol.dispose](),
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#current?.release();
    this.#current = undefined;
    return Promise.resolve();
  }
}

/** Closed when it is neither the newest nor held by anybody. */
class OpenFolder {
  #holders = 1;
  /** A view goes through all files before it reads the first: that is done once. */
  readonly #views = new Map<number, ArchiveView>();

  constructor(readonly archive: Archive, readonly state: string) {}

  hold(): HeldArchive {
    this.#holders++;
    let isHeld = true;
    const release = () => {
      if (isHeld) this.release();
      isHeld = false;
    };
    const { archive } = this;
    const view = (version: number) => this.#view(version);
    return { archive, version: heldVersion(archive), view, [Symbol.dispose]: release };
  }

  #view(version: number): ArchiveView {
    const known = this.#views.get(version);
    if (known !== undefined) return known;
    const view = new ArchiveView(this.archive, version);
    if (this.#views.size >= MAX_VIEWS) this.#views.clear();
    this.#views.set(version, view);
    return view;
  }

  release(): void {
    if (--this.#holders === 0) this.archive[Symbol.dispose]();
  }
}

/** Another one whenever blocks came or went: bits are written last. */
function stateOf(dir: string): string {
  const paths = archiveIn(dir);
  if (paths === undefined) return "none";
  const files = [paths.feed("metadata", "bitfield"), paths.feed("content", "bitfield")];
  return files.map((path) => {
    try {
      const { size, mtime, ino } = Deno.statSync(path);
      return `${ino} ${size} ${mtime?.getTime()}`;
    } catch {
      return "";
    }
  }).join("/");
}
