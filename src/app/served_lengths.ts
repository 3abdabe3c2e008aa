/**
 * What others may know of an archive of our own. Whenever it is about to be served, the length and
 * the root hash of each feed are noted beside the secret keys, where damage to `.dat`, or an older
 * copy put back in its place, does not reach. Signing anything else for a length up to there would
 * split the archive for ever. Source: spec of storage, section 14.
 */
import { join } from "node:path";
import { equalBytes, fromHex, fromUtf8, toHex, toUtf8 } from "../base/bytes.ts";
import { ForkError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import { fullRoots } from "../core/feed/flat_tree.ts";
import type { TreeNode } from "../core/feed/node.ts";
import type { FeedReader } from "../core/feed/reader.ts";
import { discoveryKey, rootHash } from "../crypto/hash.ts";
import { readSmallFile, writeSmallFile } from "./archive_folder.ts";
import type { Archive } from "./open_archive.ts";

export interface Served {
  /** Blocks. */
  readonly length: number;
  /** The root hash of that length, 32 bytes. */
  readonly root: Uint8Array;
}

export interface ServedLengths {
  readonly metadata: Served;
  readonly content: Served;
}

/** What was noted of the archive with this public key; undefined if nothing was. */
export function readServed(publicKey: Uint8Array, world: World): ServedLengths | undefined {
  const path = placeOf(publicKey, world);
  const bytes = path === undefined ? undefined : readSmallFile(path);
  if (bytes === undefined) return undefined;
  try {
    const { metadata, content } = JSON.parse(fromUtf8(bytes));
    return { metadata: parse(metadata), content: parse(content) };
  } catch {
    return undefined; // cut off or damaged: it says nothing
  }
}

/** Note what is about to be served. @throws {StorageError} */
export function noteServed({ metadata, content }: Archive, world: World): void {
  const path = placeOf(metadata.publicKey, world);
  if (path === undefined || content === undefined) return;
  const of = (feed: { length: number; roots: readonly TreeNode[] }) => ({
    length: feed.length,
    root: toHex(rootHash(feed.roots)),
  });
  const text = `${JSON.stringify({ metadata: of(metadata), content: of(content) })}\n`;
  const before = readSmallFile(path);
  if (before !== undefined && fromUtf8(before) === text) return;
  writeSmallFile(path, toUtf8(text), { mode: 0o600 });
}

/**
 * See that all of an archive is here that was served before.
 *
 * @throws {ForkError} If it is shorter, or another history.
 */
export function checkServed({ metadata, content }: Archive, world: World): void {
  const served = readServed(metadata.publicKey, world);
  if (served === undefined) return;
  const version = served.metadata.length - 1;
  const feeds = [[metadata, served.metadata], [content, served.content]] as const;
  for (const [feed, { length, root }] of feeds) {
    if ((feed?.length ?? 0) < length) {
      throw new ForkError(
        `Cannot add to this archive: version ${version} of it was served from here, and not all of ` +
          "that is left; others would be given something else under the same numbers",
        {
          hint: "run trove repair, or trove pull, with --peer HOST:PORT of somebody who has that " +
            "version",
        },
      );
    }
    const here = rootOf(feed!, length);
    if (here === undefined || equalBytes(here, root)) continue;
    throw new ForkError(
      `Cannot add to this archive: version ${version} was served from here with another history`,
      { hint: "keep this folder as it is, and clone the archive from a peer into another one" },
    );
  }
}

/** The root hash of a length, if its nodes are here. */
function rootOf(feed: Pick<FeedReader, "node">, length: number): Uint8Array | undefined {
  const roots: TreeNode[] = [];
  for (const index of fullRoots(length)) {
    const root = feed.node(index);
    if (root === undefined) return undefined;
    roots.push(root);
  }
  return rootHash(roots);
}

function parse({ length, root }: { length: number; root: string }): Served {
  if (!Number.isSafeInteger(length) || length < 0) throw new RangeError("no length");
  return { length, root: fromHex(root) };
}

/** Without a home there is no place that outlives `.dat`. */
function placeOf(publicKey: Uint8Array, world: World): string | undefined {
  const home = world.home();
  if (home === undefined) return undefined;
  return join(home, ".dat", "trove", "served", toHex(discoveryKey(publicKey)));
}
