/** A watcher that sees what a test says, and time that passes when it says so. */
import type { Timers, Watcher } from "../../src/io/folder_watch.ts";

type FolderEvent = Pick<Deno.FsEvent, "kind" | "paths" | "flag">;

export class TestWatcher implements Watcher {
  closed = false;
  #waiting?: PromiseWithResolvers<IteratorResult<FolderEvent>>;
  /** Resolved when somebody waits for the next event: all before were worked off. */
  #idle = Promise.withResolvers<void>();

  [Symbol.asyncIterator](): AsyncIterator<FolderEvent> {
    return {
      next: () => {
        if (this.closed) return Promise.resolve({ done: true, value: undefined });
        this.#waiting = Promise.withResolvers();
        this.#idle.resolve();
        return this.#waiting.promise;
      },
    };
  }

  /** Something happened to these paths. Resolves when whoever watches has heard of it. */
  async say(kind: Deno.FsEvent["kind"], ...paths: string[]): Promise<void> {
    await this.sayEvent({ kind, paths });
  }

  async sayEvent(event: FolderEvent): Promise<void> {
    await this.#idle.promise;
    this.#idle = Promise.withResolvers();
    this.#waiting!.resolve({ done: false, value: event });
    await this.#idle.promise;
  }

  /** It does not work any more. */
  async fail(error: Error): Promise<void> {
    await this.#idle.promise;
    this.#waiting!.reject(error);
    // Whoever waited hears of it two turns of promises later.
    for (let turn = 0; turn < 4; turn++) await Promise.resolve();
  }

  close(): void {
    this.closed = true;
    this.#idle.resolve();
    this.#waiting?.resolve({ done: true, value: undefined });
  }
}

export class TestTimers implements Timers {
  #now = 0;
  readonly #waiting = new Set<{ at: number; wake: () => void }>();

  now(): number {
    return this.#now;
  }

  after(ms: number, wake: () => void): () => void {
    const timer = { at: this.#now + ms, wake };
    this.#waiting.add(timer);
    return () => this.#waiting.delete(timer);
  }

  /** Let time pass; what is due is done in its order. */
  pass(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = [...this.#waiting].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#waiting.delete(due);
      this.#now = Math.max(this.#now, due.at);
      due.wake();
    }
    this.#now = end;
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.size;
  }
}
