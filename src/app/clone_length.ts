/**
 * In the owner's folder the content feed has to be as long as the entries say, or the next import
 * would sign other blocks in the place of those that were signed elsewhere. Where none of these is
 * wanted any more, their proof is asked for without them.
 */
import type { FeedId, Report } from "../core/sync/inputs.ts";
import { contentEnd } from "./checkout_plan.ts";
import type { Archive } from "./open_archive.ts";
import type { Synchronizer } from "./synchronizer.ts";

export class ContentLength {
  readonly #archive: Archive;
  readonly #feed: FeedId;
  /** One past the last content block that an entry names. */
  #end = 0;
  #probing = false;

  constructor(archive: Archive, feed: FeedId) {
    this.#archive = archive;
    this.#feed = feed;
  }

  /** A version was planned: see how far its entries go. */
  measure(): void {
    if (this.#archive.writable) this.#end = contentEnd(this.#archive);
  }

  /** Whether the feed is too short; then its proof is asked for, and `lengthen` follows. */
  isShort(sync: Synchronizer): boolean {
    const { writable, content } = this.#archive;
    if (!writable || content!.length >= this.#end) return false;
    if (!this.#probing) {
      this.#probing = true;
      sync.input({ kind: "probe", feed: this.#feed, against: content! });
    }
    return true;
  }

  /** Take in what a peer proved. Answers whether it was about this feed. */
  lengthen({ proof, feed }: Extract<Report, { kind: "probed" }>): boolean {
    if (feed !== this.#feed || proof === undefined) return false;
    const { content } = this.#archive;
    if (proof.signed!.length > content!.length) {
      content!.put({ ...proof, value: undefined });
      content!.commit();
    }
    return true;
  }
}
