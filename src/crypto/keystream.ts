/** The XSalsa20 keystream of one direction of a connection. Source: spec of the wire, section 6. */
import { cryptoBackend, type Keystream } from "./backend.ts";

export type { Keystream } from "./backend.ts";

/** Bytes of a connection nonce. */
export const NONCE_BYTES = 24;

/**
 * A keystream that starts at byte 0 and runs on across calls.
 *
 * @throws {RangeError} If `key` is not 32 bytes or `nonce` not 24.
 */
export function openKeystream(key: Uint8Array, nonce: Uint8Array): Keystream {
  if (key.length !== 32 || nonce.length !== NONCE_BYTES) {
    throw new RangeError(`Cannot start a keystream with ${key.length} and ${nonce.length} bytes`);
  }
  return cryptoBackend().keystream(key, nonce);
}
