/** A connection that moves bytes no faster than it may. */
import { TroveError } from "../base/errors.ts";
import type { Connection } from "./connection.ts";
import type { Pace } from "./pace.ts";

export interface Paces {
  /** What we send. */
  readonly up?: Pace;
  /** What we read: the rest stays with the system, which tells the remote to wait. */
  readonly down?: Pace;
}

export class PacedConnection implements Connection {
  readonly remote: string;
  readonly #inner: Connection;
  readonly #up: Pace | undefined;
  readonly #down: Pace | undefined;
  /** Ways to leave the lines in which `read` and `write` wait. */
  readonly #waits = new Set<() => void>();
  #closed = false;

  constructor(inner: Connection, { up, down }: Paces) {
    this.remote = inner.remote;
    this.#inner = inner;
    this.#up = up;
    this.#down = down;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    const down = this.#down;
    if (down === undefined) return await this.#inner.read(buffer);
    const count = await this.#inner.read(buffer.subarray(0, down.partBytes));
    // Paid for afterwards: a connection that says nothing must not hold what others could use.
    for (let owed = count ?? 0; owed > 0;) owed -= await this.#turn(down, owed);
    return count;
  }

  async write(bytes: Uint8Array): Promise<number> {
    const up = this.#up;
    if (up === undefined) return await this.#inner.write(bytes);
    const given = await this.#turn(up, bytes.length);
    const count = await this.#inner.write(bytes.subarray(0, given));
    up.giveBack(given - count);
    return count;
  }

  /** Wait for our turn. Answers how many bytes may be moved. */
  async #turn(pace: Pace, wanted: number): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>();
    const leave = pace.ask(wanted, resolve);
    const giveUp = () => {
      leave();
      resolve(0);
    };
    this.#waits.add(giveUp);
    const given = this.#closed ? 0 : await promise;
    this.#waits.delete(giveUp);
    if (!this.#closed) return given;
    leave();
    throw new TroveError("the connection is closed");
  }

  closeWrite(): Promise<void> {
    return this.#inner.closeWrite();
  }

  close(): void {
    this.#closed = true;
    this.#inner.close();
    for (const giveUp of this.#waits) giveUp();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
