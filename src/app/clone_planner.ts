/** Plans one version of an archive after the other, and keeps whole plans rare. */
import { NotFoundError } from "../base/errors.ts";
import type { Range } from "../base/ranges.ts";
import type { World } from "../base/world.ts";
import { delay } from "../io/pause.ts";
import { planCheckout, planUpdate } from "./checkout.ts";
import type { CheckoutPlan, DownloadChoices } from "./checkout_plan.ts";
import { MAX_PLAN_PAUSE_MS, MAX_SETTLE_MS, PAUSES_PER_PLAN, SETTLE_MS } from "./clone_limits.ts";
import type { Emit } from "./events.ts";
import type { Archive } from "./open_archive.ts";

export interface PlannerOptions extends DownloadChoices {
  readonly world: World;
  /** More than one version will be planned. */
  readonly live?: boolean;
  /** The one version that will do. */
  readonly exactVersion?: number;
  readonly emit: Emit;
  /** Aborted when nobody waits for a plan any more. */
  readonly signal: AbortSignal;
}

export class ClonePlanner {
  readonly #archive: Archive;
  readonly #options: PlannerOptions;
  #isFirst = true;
  /** Not before then is another whole plan made. */
  #pauseUntil = -Infinity;

  constructor(archive: Archive, options: PlannerOptions) {
    this.#archive = archive;
    this.#options = options;
  }

  /**
   * The plan for the newest version of which every entry is here.
   *
   * @param before The plan that is being carried out, or was.
   * @param hold Called with the content blocks that may still be stored until the new plan is there.
   * @throws As `planCheckout`. After anything but a `UsageError`, `before` must not be given again.
   */
  async next(
    before: CheckoutPlan | undefined,
    hold: (ranges: readonly Range[]) => void,
  ): Promise<CheckoutPlan> {
    const { world: { clock }, live, signal } = this.#options;
    if (before?.followed !== undefined) {
      const options = { ...this.#options, version: heldVersion(this.#archive), onApply: hold };
      const plan = await planUpdate(this.#archive, before.followed, options);
      if (plan !== undefined) return plan;
    }
    if (live) await delay(Math.max(0, this.#pauseUntil - clock.monotonic()), signal);
    signal.throwIfAborted();
    hold([]);
    const begunAt = clock.monotonic();
    const version = heldVersion(this.#archive);
    refuseNewer(version, this.#options.exactVersion);
    const options = { ...this.#options, emit: this.#emit, version, follow: live };
    const plan = await planCheckout(this.#archive, options);
    this.#isFirst = false;
    const now = clock.monotonic();
    this.#pauseUntil = now + Math.min(MAX_PLAN_PAUSE_MS, PAUSES_PER_PLAN * (now - begunAt));
    return plan;
  }

  /** A pattern that matches nothing is told of once: what it is for may come with any version. */
  readonly #emit: Emit = (event) => {
    const isKnown = !this.#isFirst && event.event === "warning" && event.code === "no-match";
    if (!isKnown) this.#options.emit(event);
  };
}

/** The newest version of which every entry is here: more may be on their way. */
export function heldVersion({ metadata }: Archive): number {
  const missing = metadata.nextMissing(0, metadata.length);
  return Math.max(0, (missing === -1 ? metadata.length : missing) - 1);
}

/** @throws {NotFoundError} If the archive has gone on from the one version that will do. */
export function refuseNewer(version: number, exactVersion: number | undefined): void {
  if (exactVersion === undefined || version <= exactVersion) return;
  throw new NotFoundError(
    `Cannot have version ${exactVersion} of the archive: the newest one is ${version}`,
    { hint: "only the newest version can be had as a whole; nothing of it was fetched" },
  );
}

/** Wait until the newest entries are all here, or for a while at least. */
export async function untilSettled({ metadata }: Archive, signal: AbortSignal): Promise<void> {
  for (let waited = 0, before = -1; waited < MAX_SETTLE_MS; waited += SETTLE_MS) {
    if (metadata.length === before || signal.aborted) return;
    before = metadata.length;
    await delay(SETTLE_MS, signal);
  }
}
