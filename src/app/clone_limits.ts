/** Every number that paces a download, with its reason. Times in milliseconds. */

/** Connected, but nothing new for so long: the peers do not have what is missing. */
export const STALL_MS = 60_000;

/** Peers may still be saying what they have of the content: nothing new for so long, they are not. */
export const QUIET_MS = 1500;

/** A newer version is planned when no entry came for so long: most changes come as several. */
export const SETTLE_MS = 40;

/** While entries keep coming, one of them is planned after so long all the same. */
export const MAX_SETTLE_MS = 400;

/**
 * A whole plan walks every file of the version and looks at each on disk. The pause before the next
 * one is so many times as long as the last one took: following costs a fifth of the time at most.
 */
export const PAUSES_PER_PLAN = 4;

/** The longest such pause: an archive of a million files is followed twice a minute. */
export const MAX_PLAN_PAUSE_MS = 30_000;

/** Warnings that are remembered so that they are told once; after so many it begins anew. */
export const MAX_TOLD = 100_000;
