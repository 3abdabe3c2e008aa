/** Sees that what a command puts in the system's folder for temporary files is taken away again. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";

/** Temporary folders that are made while it is in use. */
export class TemporaryFolders implements Disposable {
  readonly #made: string[] = [];
  readonly #make = Deno.makeTempDirSync;

  constructor() {
    Deno.makeTempDirSync = (options) => {
      const path = this.#make(options);
      this.#made.push(path);
      return path;
    };
  }

  [Symbol.dispose](): void {
    Deno.makeTempDirSync = this.#make;
  }

  /** At least one was made, and none is there any more. */
  assertGone(): void {
    assert.ok(this.#made.length > 0);
    assert.deepEqual(this.#made.filter((path) => existsSync(path)), []);
  }
}
