/** The parts of the bench that stand by themselves, by name and in their order. */
import { measureEntries } from "./entries.ts";
import { EntryArchives } from "./entry_archives.ts";
import { measureFlat } from "./flat.ts";
import { measureIdle } from "./idle.ts";
import { measureOverhead } from "./overhead.ts";
import type { Measured, MeasurePart, PartOptions } from "./part.ts";
import { measurePeers } from "./peers.ts";
import { measureSizes } from "./sizes.ts";
import { measureSparse } from "./sparse.ts";
import { measureUpdates } from "./updates.ts";

export const OWN_PARTS = [
  "flat",
  "overhead",
  "sparse",
  "idle",
  "peers",
  "sizes",
  "entries",
  "updates",
] as const;
export type OwnPart = typeof OWN_PARTS[number];

/** Measure these parts, one after the other; `onMeasured` hears of each as soon as it is there. */
export async function measureOwnParts(
  parts: readonly OwnPart[],
  options: PartOptions,
  onMeasured: (measured: Measured) => void,
): Promise<Partial<Record<OwnPart, Measured>>> {
  const found: Partial<Record<OwnPart, Measured>> = {};
  // Two of the parts look at the same archives, which take long to make.
  using archives = new EntryArchives();
  const measures: Record<OwnPart, MeasurePart> = {
    flat: measureFlat,
    overhead: measureOverhead,
    sparse: measureSparse,
    idle: measureIdle,
    peers: measurePeers,
    sizes: measureSizes,
    entries: (options) => measureEntries(options, archives),
    updates: (options) => measureUpdates(options, archives),
  };
  for (const part of parts) {
    const measured = await measures[part](options);
    onMeasured(measured);
    found[part] = measured;
  }
  return found;
}
