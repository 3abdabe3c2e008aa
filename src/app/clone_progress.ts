/** How far a download has come, told now and then. */
import type { Clock } from "../base/world.ts";
import type { CheckoutPlan } from "./checkout_plan.ts";
import { type Emit, PROGRESS_MS } from "./events.ts";
import type { Archive } from "./open_archive.ts";
import { RateMeter } from "./rates.ts";

/** Whether every block of the content is fetched, of whatever version. */
export function followsAll({ contentFiles }: Archive, { partial }: CheckoutPlan): boolean {
  return contentFiles === undefined && !partial;
}

export class CloneProgress {
  readonly #archive: Archive;
  readonly #clock: Clock;
  readonly #emit: Emit;
  readonly #down = new RateMeter();
  readonly #up = new RateMeter();
  #toldAt: number;
  /** Bytes of verified blocks since the last `takeDownloaded`. */
  #downloadedBytes = 0;

  constructor(archive: Archive, options: { clock: Clock; emit: Emit }) {
    this.#archive = archive;
    this.#clock = options.clock;
    this.#emit = options.emit;
    this.#toldAt = this.#now();
  }

  addDownloaded(bytes: number): void {
    this.#downloadedBytes += bytes;
    this.#down.add(bytes, this.#now());
  }

  addUploaded(bytes: number): void {
    this.#up.add(bytes, this.#now());
  }

  /** Bytes that came since this was asked last. */
  takeDownloaded(): number {
    const bytes = this.#downloadedBytes;
    this.#downloadedBytes = 0;
    return bytes;
  }

  /**
   * Tell it, unless that was done a moment ago.
   *
   * @param options.plan What is being fetched, once the metadata is complete.
   */
  tell(options: { plan?: CheckoutPlan; peers: number; now?: boolean }): void {
    const now = this.#now();
    if (!options.now && now - this.#toldAt < PROGRESS_MS) return;
    this.#toldAt = now;
    const { plan, peers } = options;
    const { metadata, content } = this.#archive;
    let blocks = metadata.countHeld(0, metadata.length);
    let blocksTotal = metadata.length;
    const whole = [{ start: 0, end: content?.length ?? 0 }];
    const isAll = plan !== undefined && followsAll(this.#archive, plan);
    const ranges = plan === undefined ? [] : isAll ? whole : plan.ranges;
    for (const { start, end } of ranges) {
      blocks += content!.countHeld(start, end);
      blocksTotal += end - start;
    }
    const bytesTotal = plan === undefined
      ? metadata.byteLength
      : isAll
      ? content!.byteLength
      : plan.bytes;
    this.#emit({
      event: "progress",
      blocks,
      blocksTotal,
      bytes: heldBytes(blocks, blocksTotal, bytesTotal),
      bytesTotal,
      peers,
      downRate: this.#down.rate(now),
      upRate: this.#up.rate(now),
    });
  }

  #now(): number {
    return this.#clock.monotonic();
  }
}

/** Blocks are nearly all of one size; the exact sum would need a look at each. */
function heldBytes(blocks: number, blocksTotal: number, bytesTotal: number): number {
  if (blocks === blocksTotal) return bytesTotal;
  return Math.floor(bytesTotal * (blocks / Math.max(1, blocksTotal)));
}
