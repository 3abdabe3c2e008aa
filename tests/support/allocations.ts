/** Sees how large the byte arrays are that some code asks for. */

/** The largest size, in bytes, of the `Uint8Array`s that `work` made from a number. */
export function largestAllocation(work: () => void): number {
  const original = globalThis.Uint8Array;
  let largest = 0;
  globalThis.Uint8Array = new Proxy(original, {
    construct(target, args, newTarget) {
      if (typeof args[0] === "number") largest = Math.max(largest, args[0]);
      return Reflect.construct(
        target,
        args,
        newTarget === globalThis.Uint8Array ? target : newTarget,
      );
    },
  });
  try {
    work();
  } finally {
    globalThis.Uint8Array = original;
  }
  return largest;
}
