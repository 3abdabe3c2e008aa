/** How much room is left on a disk. */
import { statfsSync } from "node:fs";

/**
 * Bytes that this user may still write on the disk that a folder is on; undefined if the system, or
 * the permissions of this process, do not let us know.
 */
export function roomOn(folder: string): number | undefined {
  try {
    // Asked first, for on a terminal the call itself might ask the user.
    const { state } = Deno.permissions.querySync({ name: "sys", kind: "statfs" });
    if (state !== "granted") return undefined;
    const { bavail, bsize } = statfsSync(folder);
    const bytes = bavail * bsize;
    return Number.isFinite(bytes) && bytes >= 0 ? bytes : undefined;
  } catch {
    return undefined;
  }
}
