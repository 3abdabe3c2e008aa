/** A temporary folder that is gone at the end of its block: `using temp = tempFolder()`. */
import { join } from "node:path";

export class TempFolder implements Disposable {
  readonly path: string;

  constructor(prefix: string) {
    // The real path: on some systems the temporary folder itself is behind a symlink.
    this.path = Deno.realPathSync(Deno.makeTempDirSync({ prefix }));
  }

  /** A path inside the folder. */
  join(...parts: string[]): string {
    return join(this.path, ...parts);
  }

  /** A new folder inside the folder, parents included. */
  folder(...parts: string[]): string {
    const path = this.join(...parts);
    Deno.mkdirSync(path, { recursive: true });
    return path;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** A fresh empty folder. */
export function tempFolder(): TempFolder {
  return new TempFolder("trove-test-");
}
