/** Standard input and output as a connection: `ssh host trove share photos --stdio`. */
import type { Connection } from "./connection.ts";

class StdioConnection implements Connection {
  readonly remote = "stdio";
  readonly host = undefined;
  readonly #open = new Set([Deno.stdin, Deno.stdout]);

  read(buffer: Uint8Array): Promise<number | null> {
    return Deno.stdin.read(buffer);
  }

  write(bytes: Uint8Array): Promise<number> {
    return Deno.stdout.write(bytes);
  }

  closeWrite(): Promise<void> {
    this.#close(Deno.stdout);
    return Promise.resolve();
  }

  close(): void {
    this.#close(Deno.stdin);
    this.#close(Deno.stdout);
  }

  #close(stream: typeof Deno.stdin | typeof Deno.stdout): void {
    if (!this.#open.delete(stream)) return;
    try {
      stream.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The process must print nothing else on stdout. There is only one of it. */
export function openStdio(): Connection {
  return new StdioConnection();
}
