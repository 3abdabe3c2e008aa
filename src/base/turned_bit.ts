/**
 * Undoing the commonest damage of all: a single bit that turned. Whoever can tell the right bytes
 * from wrong ones, by a hash or a signature, can try every bit.
 */

/**
 * A copy of `bytes` in which one bit is turned so that `isRight` says yes, or undefined if there is
 * none. Calls `isRight` eight times per byte at most; the array it is given is used again.
 */
export function turnBack(
  bytes: Uint8Array,
  isRight: (bytes: Uint8Array) => boolean,
): Uint8Array | undefined {
  const tried = bytes.slice();
  for (let at = 0; at < tried.length; at++) {
    for (let bit = 1; bit < 0x100; bit *= 2) {
      tried[at] ^= bit;
      if (isRight(tried)) return tried;
      tried[at] ^= bit;
    }
  }
  return undefined;
}
