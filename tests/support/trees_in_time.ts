/** Waiting until one folder has become what another one is. */
import {
  differences,
  digestTree,
  type TreeDigest,
  withoutEmptyFiles,
  withoutModes,
} from "./trees.ts";

/** Time to get there, in milliseconds: for a machine that is busy with other things. */
const DEADLINE_MS = 30_000;
/** Time between two looks: a look costs reading both folders. */
const LOOK_MS = 20;

/**
 * Look at both folders again and again until they are the same, without `.dat`.
 *
 * @param options.onlyContent Leave out modes and empty files, which real peers do not make.
 * @throws {Error} With the differences, if they stay different for too long.
 */
export async function untilSameTree(
  actual: string,
  expected: string,
  { onlyContent = false, deadlineMs = DEADLINE_MS }: {
    onlyContent?: boolean;
    deadlineMs?: number;
  } = {},
): Promise<void> {
  const shown = (tree: TreeDigest) => onlyContent ? withoutModes(withoutEmptyFiles(tree)) : tree;
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const [left, right] = [digestIfStill(actual), digestIfStill(expected)];
    const lines = left === undefined || right === undefined
      ? ["a folder changes while it is read"]
      : differences(shown(left), shown(right));
    if (lines.length === 0) return;
    if (performance.now() > deadline) {
      throw new Error(`the trees stay different\n${lines.slice(0, 20).join("\n")}`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** A digest, or undefined where something vanished meanwhile. */
function digestIfStill(folder: string): TreeDigest | undefined {
  try {
    return digestTree(folder);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
