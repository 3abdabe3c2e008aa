/** The keys of an archive on disk: whether they are there, and belong to what was signed. */
import { equalBytes } from "../base/bytes.ts";
import { TroveError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import { PUBLIC_KEY_BYTES } from "../crypto/sign.ts";
import type { RawFeed } from "../io/raw_feed.ts";
import { type ArchivePaths, readSmallFile } from "./archive_folder.ts";
import type { Problem } from "./damage.ts";
import { findPublicKey, type FoundPublicKey } from "./find_key.ts";
import { findSecretKey } from "./secret_keys.ts";

export class AuditedKeys {
  readonly problems: Problem[] = [];
  readonly #paths: ArchivePaths;
  readonly #options: { readonly world: World; readonly givenKey?: Uint8Array };

  /** @param options.givenKey What the user says the archive's key is. */
  constructor(
    paths: ArchivePaths,
    options: { readonly world: World; readonly givenKey?: Uint8Array },
  ) {
    this.#paths = paths;
    this.#options = options;
  }

  /** The archive's own key, by its file or by what else tells. */
  findPublic(raw: RawFeed): FoundPublicKey | undefined {
    const { world, givenKey } = this.#options;
    const path = this.#paths.feed("metadata", "key");
    const stored = readSmallFile(path);
    const key = findPublicKey(raw, { stored, given: givenKey, world });
    if (stored === undefined || stored.length !== PUBLIC_KEY_BYTES || key?.from !== "file") {
      const what = stored === undefined
        ? "it is missing"
        : stored.length !== PUBLIC_KEY_BYTES
        ? `it holds ${stored.length} bytes, not ${PUBLIC_KEY_BYTES}`
        : "it is not the key that signed this archive";
      this.problems.push({
        kind: "key",
        feed: "metadata",
        path: "metadata.key",
        message: `metadata.key: ${what}`,
        repair: key === undefined ? "key" : "local",
      });
    }
    return key;
  }

  /** The secret key, if it is here and fits. */
  findSecret(publicKey: Uint8Array | undefined): { secretKey?: Uint8Array } {
    if (publicKey === undefined) return {};
    try {
      const { secretKey, warning } = findSecretKey(this.#paths, publicKey, this.#options.world);
      if (warning !== undefined && secretKey === undefined) {
        this.problems.push({
          kind: "secret-key",
          message: warning,
          repair: "key",
          harmless: true,
        });
      }
      return { secretKey };
    } catch (error) {
      if (!(error instanceof TroveError)) throw error;
      this.problems.push({ kind: "secret-key", message: error.message, repair: "key" });
      return {};
    }
  }

  /**
   * The key of the content feed: what metadata block 0 says; if that is lost, what the file says.
   * Until anything of the content is here there need be no file.
   */
  findContent(
    named: Uint8Array | undefined,
    { begun }: { begun: boolean },
  ): Uint8Array | undefined {
    const stored = readSmallFile(this.#paths.feed("content", "key"));
    if (named === undefined) return stored?.length === PUBLIC_KEY_BYTES ? stored : undefined;
    if (stored === undefined && !begun) return named;
    if (stored === undefined || !equalBytes(stored, named)) {
      const what = stored === undefined ? "it is missing" : "it is not what the metadata names";
      this.problems.push({
        kind: "key",
        feed: "content",
        path: "content.key",
        message: `content.key: ${what}`,
        repair: "local",
      });
    }
    return named;
  }
}
