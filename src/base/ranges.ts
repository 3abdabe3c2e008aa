/** Sets of whole numbers kept as sorted, disjoint, half-open ranges [start, end). */

export interface Range {
  readonly start: number;
  readonly end: number;
}

/** A set whose cost depends on how many runs it has, never on how long they are. */
export class RangeSet {
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  constructor(ranges: Iterable<Range> = []) {
    for (const { start, end } of ranges) this.add(start, end);
  }

  /** How many runs there are. */
  get runs(): number {
    return this.#starts.length;
  }

  get isEmpty(): boolean {
    return this.#starts.length === 0;
  }

  /** How many numbers are in the set. */
  get size(): number {
    let size = 0;
    for (let i = 0; i < this.#starts.length; i++) size += this.#ends[i] - this.#starts[i];
    return size;
  }

  /** One past the largest number, or 0. */
  get end(): number {
    return this.#ends.length === 0 ? 0 : this.#ends[this.#ends.length - 1];
  }

  add(start: number, end: number): void {
    if (start >= end) return;
    // Runs that touch [start, end) are replaced by one that covers them all.
    const first = this.#firstEndingAtOrAfter(start);
    let last = first;
    while (last < this.#starts.length && this.#starts[last] <= end) last++;
    if (first < last) {
      start = Math.min(start, this.#starts[first]);
      end = Math.max(end, this.#ends[last - 1]);
    }
    this.#starts.splice(first, last - first, start);
    this.#ends.splice(first, last - first, end);
  }

  remove(start: number, end: number): void {
    if (start >= end) return;
    const first = this.#firstEndingAtOrAfter(start + 1);
    let last = first;
    while (last < this.#starts.length && this.#starts[last] < end) last++;
    if (first === last) return;
    const starts: number[] = [];
    const ends: number[] = [];
    if (this.#starts[first] < start) {
      starts.push(this.#starts[first]);
      ends.push(start);
    }
    if (this.#ends[last - 1] > end) {
      starts.push(end);
      ends.push(this.#ends[last - 1]);
    }
    this.#starts.splice(first, last - first, ...starts);
    this.#ends.splice(first, last - first, ...ends);
  }

  has(value: number): boolean {
    const i = this.#firstEndingAtOrAfter(value + 1);
    return i < this.#starts.length && this.#starts[i] <= value;
  }

  /** The smallest number in the set that is at least `from`, or -1. */
  next(from: number): number {
    const i = this.#firstEndingAtOrAfter(from + 1);
    if (i === this.#starts.length) return -1;
    return Math.max(from, this.#starts[i]);
  }

  /** The smallest number not in the set that is at least `from`. */
  nextAbsent(from: number): number {
    const i = this.#firstEndingAtOrAfter(from + 1);
    return i < this.#starts.length && this.#starts[i] <= from ? this.#ends[i] : from;
  }

  /** The run that holds `value`, or else the next one after it; undefined past the last. */
  runFrom(value: number): Range | undefined {
    const i = this.#firstEndingAtOrAfter(value + 1);
    if (i === this.#starts.length) return undefined;
    return { start: this.#starts[i], end: this.#ends[i] };
  }

  *[Symbol.iterator](): IterableIterator<Range> {
    for (let i = 0; i < this.#starts.length; i++) {
      yield { start: this.#starts[i], end: this.#ends[i] };
    }
  }

  clear(): void {
    this.#starts.length = 0;
    this.#ends.length = 0;
  }

  /** Index of the first run with `end >= value`; the number of runs if there is none. */
  #firstEndingAtOrAfter(value: number): number {
    let low = 0;
    let high = this.#ends.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ends[middle] < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
