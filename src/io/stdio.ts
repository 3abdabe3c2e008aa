/** Standard input and output as a connection: `ssh host trove share photos --stdio`. */
import type { Connection } from "./connection.ts";

/** What a pipe holds. */
const PIECE_BYTES = 64 * 1024;

/**
 * The platform keeps descriptors of its own: closing the streams here, the other end hears nothing
 * of it before the process ends. So it cannot be half open; whoever ends its side ends.
 */
class StdioConnection implements Connection {
  readonly remote = "stdio";
  #closed = false;
  /** A read that was given up may be answered yet, when others have the buffer it was for. */
  readonly #piece = new Uint8Array(PIECE_BYTES);

  async read(buffer: Uint8Array): Promise<number | null> {
    if (this.#closed) return null;
    try {
      const count = await Deno.stdin.read(this.#piece.subarray(0, buffer.length));
      if (count !== null) buffer.set(this.#piece.subarray(0, count));
      return count;
    } catch (error) {
      if (this.#closed) return null; // that is what interrupted it
      throw error;
    }
  }

  write(bytes: Uint8Array): Promise<number> {
    return Deno.stdout.write(bytes);
  }

  closeWrite(): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const stream of [Deno.stdin, Deno.stdout]) stream.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The process must print nothing else on stdout. There is only one of it. */
export function openStdio(): Connection {
  return new StdioConnection();
}
