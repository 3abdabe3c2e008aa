/**
 * A byte-addressable store: a file, or memory in tests.
 *
 * Calls are synchronous. A positional read of the page cache costs a fifth of an asynchronous one,
 * the order of the writes is the order of the lines, and every caller reads or writes a bounded
 * amount.
 */
export interface RandomAccess {
  /** For messages: a path, or a name in tests. */
  readonly name: string;

  /** Size in bytes; 0 when nothing was ever written. */
  size(): number;

  /**
   * Fill `into` from byte `offset`. Returns how many bytes there were: fewer than asked for at the
   * end of the store, which is never an error. Holes read as zeros.
   *
   * @throws {StorageError}
   */
  readInto(into: Uint8Array, offset: number): number;

  /**
   * Write all of `bytes` at `offset`, growing the store as needed.
   *
   * @throws {StorageError}
   */
  write(bytes: Uint8Array, offset: number): void;

  /** @throws {StorageError} */
  truncate(size: number): void;

  /** Return once everything written has reached the disk. @throws {StorageError} */
  sync(): void;

  /** Release the file handle. Using the store again is an error. */
  close(): void;
}
