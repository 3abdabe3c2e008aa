/**
 * A bounded first-in first-out queue between tasks, in the manner of CSP. A sender waits while the
 * channel is full, a receiver while it is empty.
 */

/** A value, or the news that none will come any more. */
export type Received<T> = { readonly done: false; readonly value: T } | { readonly done: true };

export interface Sender<T> {
  /** Wait for room and put `value` in. Answers false when the channel was closed instead. */
  send(value: T): Promise<boolean>;
  /** Put `value` in if there is room now. */
  trySend(value: T): boolean;
  close(): void;
}

export interface Receiver<T> {
  /** Wait for the next value; `done` once the channel is closed and empty. */
  receive(): Promise<Received<T>>;
  /** The next value if there is one now. */
  tryReceive(): Received<T> | undefined;
  /**
   * Call `wake` once something can be received. Returns the way to take that back. A waiter that was
   * called or taken back is gone: nothing piles up on a quiet channel. Used by `select`.
   */
  whenReady(wake: () => void): () => void;
}

const DONE = { done: true } as const;

export class Channel<T> implements Sender<T>, Receiver<T> {
  readonly #capacity: number;
  readonly #queue: T[] = [];
  #head = 0;
  #closed = false;
  readonly #senders = new Set<() => void>();
  readonly #receivers = new Set<() => void>();

  /** @param capacity How many values may wait; the caller says why that many. */
  constructor(capacity: number) {
    if (!(capacity >= 1)) throw new RangeError(`Cannot make a channel of capacity ${capacity}`);
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#queue.length - this.#head;
  }

  get closed(): boolean {
    return this.#closed;
  }

  trySend(value: T): boolean {
    if (this.#closed || this.size >= this.#capacity) return false;
    this.#queue.push(value);
    // All of them: one that waits on several channels may take another's value and leave this one.
    wakeAll(this.#receivers);
    return true;
  }

  async send(value: T): Promise<boolean> {
    while (!this.#closed) {
      if (this.trySend(value)) return true;
      await new Promise<void>((resolve) => this.#senders.add(resolve));
    }
    return false;
  }

  tryReceive(): Received<T> | undefined {
    if (this.size === 0) return this.#closed ? DONE : undefined;
    const value = this.#queue[this.#head];
    this.#queue[this.#head] = undefined as T;
    this.#head++;
    // Shift in bulk: a shift per value would make a long queue quadratic.
    if (this.#head > 64 && this.#head * 2 > this.#queue.length) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
    wakeOne(this.#senders);
    return { done: false, value };
  }

  async receive(): Promise<Received<T>> {
    while (true) {
      const ready = this.tryReceive();
      if (ready !== undefined) return ready;
      await new Promise<void>((resolve) => this.#receivers.add(resolve));
    }
  }

  whenReady(wake: () => void): () => void {
    if (this.size > 0 || this.#closed) {
      wake();
      return () => {};
    }
    this.#receivers.add(wake);
    return () => this.#receivers.delete(wake);
  }

  /** No more values are taken; those inside can still be received. Everyone who waits is told. */
  close(): void {
    this.#closed = true;
    wakeAll(this.#senders);
    wakeAll(this.#receivers);
  }
}

function wakeAll(waiters: Set<() => void>): void {
  // Whoever is woken may take its other waiters back, but adds none before its turn comes.
  for (const wake of waiters) {
    waiters.delete(wake);
    wake();
  }
}

function wakeOne(waiters: Set<() => void>): void {
  for (const wake of waiters) {
    waiters.delete(wake);
    wake();
    return;
  }
}
