/** Things that happen at a virtual time, in its order: a binary heap. */

interface Event {
  /** Milliseconds of virtual time. */
  readonly at: number;
  /** Of two at the same time, the one that was planned first comes first. */
  readonly order: number;
  readonly run: () => void;
}

export class EventQueue {
  now = 0;
  readonly #heap: Event[] = [];
  #order = 0;

  /** Events that are planned. */
  get size(): number {
    return this.#heap.length;
  }

  /** Plan `run` for `ms` milliseconds from now. */
  after(ms: number, run: () => void): void {
    this.#push({ at: this.now + ms, order: this.#order++, run });
  }

  /** Run until `done`, or until the virtual time is over. Answers whether it was done in time. */
  run(ms: number, done: () => boolean = () => false): boolean {
    const end = this.now + ms;
    while (!done()) {
      const next = this.#heap[0];
      if (next === undefined || next.at > end) {
        this.now = end;
        return done();
      }
      this.#pop();
      this.now = next.at;
      next.run();
    }
    return true;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    heap.push(event);
    for (let child = heap.length - 1; child > 0;) {
      const parent = (child - 1) >> 1;
      if (!isBefore(heap[child], heap[parent])) return;
      [heap[child], heap[parent]] = [heap[parent], heap[child]];
      child = parent;
    }
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    heap[0] = last;
    for (let parent = 0;;) {
      let least = parent;
      for (const child of [2 * parent + 1, 2 * parent + 2]) {
        if (child < heap.length && isBefore(heap[child], heap[least])) least = child;
      }
      if (least === parent) return;
      [heap[least], heap[parent]] = [heap[parent], heap[least]];
      parent = least;
    }
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
