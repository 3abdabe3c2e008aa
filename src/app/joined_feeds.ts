/**
 * The stored feeds that take part in a synchronizer: what is put into them and not on disk yet, what
 * they gave up, and the buffers that are lent to links.
 */
import { toHex } from "../base/bytes.ts";
import { StorageError } from "../base/errors.ts";
import { type Range, RangeSet } from "../base/ranges.ts";
import type { VerifiedBlock } from "../core/feed/reader.ts";
import type { FeedId } from "../core/sync/inputs.ts";
import type { Message } from "../core/wire/messages.ts";
import type { FeedStore } from "../io/feed_store.ts";

interface Joined {
  readonly store: FeedStore;
  readonly primary: FeedId;
}

/**
 * Does work on the files of an archive, named by its primary feed. Answers false if they failed and
 * somebody saw to that; what nobody sees to is thrown.
 */
export type Guard = (primary: FeedId, work: () => void) => boolean;

export class JoinedFeeds {
  readonly #guard: Guard;
  readonly #feeds = new Map<FeedId, Joined>();
  /** The public keys of primary feeds, by discovery key in hex. */
  readonly #keys = new Map<string, Uint8Array>();
  /** Blocks put into each store since its last commit. */
  readonly #uncommitted = new Map<FeedId, number[]>();
  /** Blocks that stores gave up, and nobody was told. */
  readonly #cleared = new Map<FeedId, RangeSet>();
  /** Blocks read for peers, and the store that wants each buffer back when it is sent. */
  readonly #lent = new WeakMap<Uint8Array, FeedStore>();

  constructor(guard: Guard) {
    this.#guard = guard;
  }

  add(feed: FeedId, store: FeedStore, primary: FeedId): void {
    this.#feeds.set(feed, { store, primary });
    if (feed === primary) this.#keys.set(toHex(store.discoveryKey), store.publicKey);
    store.onCleared = ({ start, end }) => {
      const cleared = this.#cleared.get(feed);
      if (cleared === undefined) this.#cleared.set(feed, new RangeSet([{ start, end }]));
      else cleared.add(start, end);
    };
  }

  /** Forget an archive; what was put into its feeds is on disk after that. */
  remove(primary: FeedId): void {
    for (const [feed, { store, primary: of }] of this.#feeds) {
      if (of !== primary) continue;
      if (this.#uncommitted.delete(feed)) this.#guard(primary, () => store.commit());
      this.#feeds.delete(feed);
      this.#cleared.delete(feed);
      store.onCleared = undefined;
      if (feed === primary) this.#keys.delete(toHex(store.discoveryKey));
    }
  }

  /** The archive that a feed is of; undefined if it takes no part. */
  primaryOf(feed: FeedId): FeedId | undefined {
    return this.#feeds.get(feed)?.primary;
  }

  /** 32 bytes, or undefined if the feed takes no part. */
  publicKeyOf(feed: FeedId): Uint8Array | undefined {
    return this.#feeds.get(feed)?.store.publicKey;
  }

  /** The public key of the archive with this discovery key in hex. */
  keyNamed(name: string): Uint8Array | undefined {
    return this.#keys.get(name);
  }

  /** Keep a verified block until the next commit. The feed takes part. */
  put(feed: FeedId, block: VerifiedBlock): void {
    const { store, primary } = this.#feeds.get(feed)!;
    if (!this.#guard(primary, () => store.put(block))) return;
    const blocks = this.#uncommitted.get(feed);
    if (blocks === undefined) this.#uncommitted.set(feed, [block.block]);
    else blocks.push(block.block);
  }

  /** Whether the block was put and is not on disk yet. */
  isUncommitted(feed: FeedId, block: number): boolean {
    return this.#uncommitted.get(feed)?.includes(block) ?? false;
  }

  /** The block for a peer, or undefined if it cannot be had: that is no fault of the peer's. */
  load(feed: FeedId, block: number): Uint8Array | undefined {
    const store = this.#feeds.get(feed)?.store;
    if (store === undefined) return undefined; // its archive left when that failed
    try {
      const value = store.readVerified(block);
      if (value !== undefined) this.#lent.set(value, store);
      return value;
    } catch (error) {
      if (error instanceof StorageError) return undefined;
      throw error;
    }
  }

  /** A message is sent: a buffer that was lent for it is free again. */
  recycle(message: Message): void {
    if (message.type !== "data" || message.value === undefined) return;
    this.#lent.get(message.value)?.recycle(message.value);
  }

  /**
   * Put on disk what was put since the last time.
   *
   * @param onStored Told of the blocks of each feed; more may be put meanwhile, and is taken as well.
   */
  commit(onStored: (feed: FeedId, blocks: readonly number[]) => void): void {
    while (this.#uncommitted.size > 0) {
      const uncommitted = [...this.#uncommitted];
      this.#uncommitted.clear();
      for (const [feed, blocks] of uncommitted) {
        const joined = this.#feeds.get(feed);
        if (joined === undefined) continue; // its archive left because the other feed failed
        if (this.#guard(joined.primary, () => joined.store.commit())) onStored(feed, blocks);
      }
    }
  }

  /** The blocks that were given up since this was asked last. */
  takeCleared(): { feed: FeedId; ranges: readonly Range[] }[] {
    if (this.#cleared.size === 0) return [];
    const cleared = [...this.#cleared].map(([feed, ranges]) => ({ feed, ranges: [...ranges] }));
    this.#cleared.clear();
    return cleared;
  }
}
