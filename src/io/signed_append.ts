/** What becomes of a feed that its owner appends to: longer, and signed once for the new length. */
import { LocalProtocolError } from "../base/errors.ts";
import { type Appended, appendLeaves } from "../core/feed/append.ts";
import type { TreeNode } from "../core/feed/node.ts";
import { entryOffset, TREE_ENTRY_BYTES } from "../core/sleep/layout.ts";
import { type Hashed, rootHash } from "../crypto/hash.ts";
import { sign } from "../crypto/sign.ts";

/**
 * Largest block that may be appended, in bytes: with its proof it must fit into a message of 8 MiB.
 * Source: limits, section 6.
 */
export const MAX_BLOCK_BYTES = 8 * 1024 * 1024 - 8 * 1024;

/** A longer feed, signed. */
export interface Signed extends Appended {
  readonly signature: Uint8Array;
}

/**
 * What a feed of `length` blocks under `roots` becomes with these leaves. Nothing is kept so far.
 *
 * @throws {LocalProtocolError} If a block is larger than `MAX_BLOCK_BYTES`.
 * @throws {StorageError} If nodes of such a feed have no place in a file.
 */
export function signAppended(
  { roots, length }: { readonly roots: readonly TreeNode[]; readonly length: number },
  leaves: readonly Hashed[],
  secretKey: Uint8Array,
): Signed {
  for (const { size } of leaves) checkSize(size);
  const grown = appendLeaves(roots, length, leaves);
  checkLength(grown.length);
  return { ...grown, signature: sign(rootHash(grown.roots), secretKey) };
}

function checkSize(size: number): void {
  if (size <= MAX_BLOCK_BYTES) return;
  throw new LocalProtocolError(
    `Cannot append a block of ${size} bytes: at most ${MAX_BLOCK_BYTES} are fine`,
  );
}

/** @throws {StorageError} If nodes of such a feed have no place in a file. */
export function checkLength(length: number): void {
  entryOffset(2 * length, TREE_ENTRY_BYTES);
}
