/** What a feed on disk is made of, and opened with. */
import { UsageError } from "../base/errors.ts";
import type { BlockStore } from "../core/feed/block_store.ts";
import { PUBLIC_KEY_BYTES, SECRET_KEY_BYTES, sign, verify } from "../crypto/sign.ts";
import type { SleepAccess } from "./sleep_files.ts";

/** Where a feed lies. The store closes them all. */
export interface FeedFiles extends SleepAccess {
  readonly blocks: BlockStore;
}

export interface OpenFeedOptions {
  readonly files: FeedFiles;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 64 bytes; with it and access `write` the feed can be appended to. */
  readonly secretKey?: Uint8Array;
  /** `read` (the default) changes no file. */
  readonly access?: "read" | "write";
}

/** Let go of every file of a feed. */
export function closeFiles(files: FeedFiles): void {
  files.tree.close();
  files.signatures.close();
  files.bitfield.close();
  files.staged?.close();
  files.blocks.close();
}

/** @throws {UsageError} If a key has the wrong length, or the two do not belong together. */
export function checkKeys(publicKey: Uint8Array, secretKey?: Uint8Array): void {
  if (publicKey.length !== PUBLIC_KEY_BYTES) {
    throw new UsageError(
      `Cannot open a feed with a key of ${publicKey.length} bytes, need ${PUBLIC_KEY_BYTES}`,
    );
  }
  if (secretKey === undefined) return;
  const message = new Uint8Array(0);
  if (
    secretKey.length !== SECRET_KEY_BYTES || !verify(message, sign(message, secretKey), publicKey)
  ) {
    throw new UsageError("Cannot open the feed: the secret key belongs to another public key");
  }
}
