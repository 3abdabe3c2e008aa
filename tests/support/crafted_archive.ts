/**
 * Archives made entry by entry, for what no import would make, and copies of them without a network:
 * each block comes with the proof that a peer would send.
 */
import { join } from "node:path";
import {
  type CheckoutOptions,
  finishCheckout,
  planCheckout,
  planUpdate,
} from "../../src/app/checkout.ts";
import type { CheckoutPlan, DownloadChoices } from "../../src/app/checkout_plan.ts";
import type { TroveEvent } from "../../src/app/events.ts";
import { type Archive, createArchive, openClone } from "../../src/app/open_archive.ts";
import { toUtf8 } from "../../src/base/bytes.ts";
import type { Stat } from "../../src/core/archive/entry.ts";
import { FolderTable } from "../../src/core/archive/folder_table.ts";
import { leafHash } from "../../src/crypto/hash.ts";
import type { FeedStore } from "../../src/io/feed_store.ts";
import { fetchBlock } from "./open_feed.ts";
import type { TempFolder } from "./temp.ts";
import { TestWorld } from "./test_world.ts";

const BLOCK_BYTES = 64 * 1024;

/** The modification time of crafted files: each put is a second later. */
const FIRST_MTIME = Date.UTC(2020, 0, 1);

/** The owner's side. Its folder holds no files: the bytes of its blocks are in memory. */
export class CraftedArchive implements Disposable {
  readonly archive: Archive;
  readonly blocks: Uint8Array[] = [];
  readonly #table = new FolderTable();
  #mtime = FIRST_MTIME;

  /** @param options.history Keep the bytes in `content.data`, so that they can be served. */
  constructor(temp: TempFolder, options: { history?: boolean } = {}) {
    const world = new TestWorld(temp, { home: "owner-home" });
    this.archive = createArchive(temp.folder("owner"), world, options);
  }

  get content(): FeedStore {
    return this.archive.content!;
  }

  /**
   * Put a file with these bytes; `changes` says what its entry tells instead, `alter` may change the
   * entry's own bytes. Gives its Stat.
   */
  put(
    path: string,
    bytes: Uint8Array | string,
    changes: Partial<Stat> = {},
    alter = (entry: Uint8Array) => entry,
  ): Stat {
    const value = typeof bytes === "string" ? toUtf8(bytes) : bytes;
    const { length: offset, byteLength: byteOffset } = this.content;
    const added: Uint8Array[] = [];
    for (let at = 0; at < value.length; at += BLOCK_BYTES) {
      added.push(value.subarray(at, at + BLOCK_BYTES));
    }
    this.blocks.push(...added);
    if (this.archive.keepsHistory) this.content.append(added);
    else {
      this.content.appendLeaves(
        added.map((block) => ({ hash: leafHash(block), size: block.length })),
      );
    }
    this.content.commit();
    this.#mtime += 1000;
    const stat: Stat = {
      ...{ mode: 0o100644, uid: 0, gid: 0, size: value.length, blocks: added.length },
      ...{ offset, byteOffset, mtime: this.#mtime, ctime: this.#mtime },
      ...changes,
    };
    this.#append(alter(this.#table.put(path, stat, this.archive.metadata.length)));
    return stat;
  }

  /** Put an entry without content of its own. */
  putStat(path: string, stat: Partial<Stat>): void {
    this.put(path, "", stat);
  }

  delete(path: string): void {
    this.#append(this.#table.delete(path, this.archive.metadata.length));
  }

  #append(entry: Uint8Array): void {
    this.archive.metadata.append([entry]);
    this.archive.metadata.commit();
  }

  [Symbol.dispose](): void {
    this.archive[Symbol.dispose]();
  }
}

/** A folder into which a crafted archive is cloned. Opened anew for each step, as commands do. */
export class CraftedCopy {
  readonly dir: string;
  readonly owner: CraftedArchive;
  readonly world: TestWorld;
  /** The messages of all warnings so far. */
  readonly warnings: string[] = [];
  /** The other events. */
  readonly events: TroveEvent[] = [];
  /** How many of the plans of `follow` were not for the changes alone. */
  wholePlans = 0;
  /** How the copy is brought up to date. */
  choices: DownloadChoices = {};

  constructor(temp: TempFolder, owner: CraftedArchive) {
    this.owner = owner;
    this.dir = temp.join("copy");
    this.world = new TestWorld(temp, { home: "copy-home" });
  }

  path(...parts: string[]): string {
    return join(this.dir, ...parts);
  }

  /** Open the copy with all metadata; without `body` that is all. */
  async open<T>(body: (archive: Archive) => Promise<T> | T): Promise<T> {
    const { publicKey } = this.owner.archive.metadata;
    using archive = openClone(this.dir, { world: this.world, publicKey });
    this.update(archive);
    archive.openContent();
    return await body(archive);
  }

  /** Take in the entries that the owner added. */
  update(archive: Archive): void {
    const { metadata } = this.owner.archive;
    for (let block = 0; block < metadata.length; block++) {
      if (archive.metadata.hasBlock(block)) continue;
      const value = metadata.readVerified(block)!.slice();
      archive.metadata.put(fetchBlock(metadata, archive.metadata, { block, value }));
    }
    archive.metadata.commit();
  }

  plan(archive: Archive, signal?: AbortSignal): Promise<CheckoutPlan> {
    return planCheckout(archive, { ...this.#options, signal });
  }

  /** Plan as who stays: only what changed since `before`, where that can be told. */
  async follow(archive: Archive, before?: CheckoutPlan): Promise<CheckoutPlan> {
    if (before?.followed !== undefined) {
      const options = { ...this.#options, onApply: () => {} };
      const plan = await planUpdate(archive, before.followed, options);
      if (plan !== undefined) return plan;
    }
    this.wholePlans++;
    return planCheckout(archive, { ...this.#options, follow: true });
  }

  get #options(): CheckoutOptions {
    return {
      ...this.choices,
      emit: (event) => {
        if (event.event === "warning") this.warnings.push(event.message);
        else this.events.push(event);
      },
    };
  }

  /** Fetch the blocks of a plan that `wants`, in order; gives those that came. */
  fetch(archive: Archive, plan: CheckoutPlan, wants = (_block: number) => true): number[] {
    const content = archive.content!;
    const fetched: number[] = [];
    for (const { start, end } of plan.ranges) {
      for (let block = start; block < end; block++) {
        if (content.hasBlock(block) || !wants(block)) continue;
        this.take(archive, block);
        fetched.push(block);
      }
    }
    content.commit();
    return fetched;
  }

  /** Take one block of content from the owner, uncommitted. */
  take(archive: Archive, block: number): void {
    const value = this.owner.blocks[block].slice();
    archive.content!.put(fetchBlock(this.owner.content, archive.content!, { block, value }));
  }

  /** Learn the hashes of blocks, and that their bytes are here under their final names, as found. */
  learn(archive: Archive, blocks: readonly number[], options: { held: boolean }): void {
    const content = archive.content!;
    for (const block of blocks) {
      content.put(fetchBlock(this.owner.content, content, { block }));
      if (options.held) content.markHeld(block);
    }
    content.commit();
  }

  /** Bring the copy to the owner's version, all in one; gives the blocks that were fetched. */
  pull(): Promise<number[]> {
    return this.open(async (archive) => {
      const plan = await this.plan(archive);
      const fetched = this.fetch(archive, plan);
      finishCheckout(archive, plan);
      return fetched;
    });
  }

  /** Every file of the folder but those in `.dat`, with its text; folders end in a slash. */
  files(): Record<string, string> {
    const found: [string, string][] = [];
    const walk = (below: string) => {
      for (const entry of Deno.readDirSync(join(this.dir, below))) {
        const path = below + entry.name;
        if (path === ".dat") continue;
        if (entry.isFile) found.push([path, Deno.readTextFileSync(join(this.dir, path))]);
        else if (entry.isSymlink) {
          found.push([path, `-> ${Deno.readLinkSync(join(this.dir, path))}`]);
        } else {
          found.push([`${path}/`, ""]);
          walk(`${path}/`);
        }
      }
    };
    walk("");
    return Object.fromEntries(found.sort(([a], [b]) => a < b ? -1 : 1));
  }
}
