/**
 * Very many records in little memory: some numbers and a text each, kept as columns and not as
 * objects. A million files take what they have to say, and nothing for the garbage collector.
 */

/** Room for so many rows at first, and how many times as much there is when it is used up. */
const FIRST_ROWS = 64;
const GROWTH = 1.5;
/** Bytes of text that there is room for at first. */
const FIRST_TEXT_BYTES = 2048;
/** UTF-8 takes at most so many bytes for a UTF-16 code unit. */
const BYTES_PER_UNIT = 3;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Rows are counted from 0. Numbers are doubles; texts have to be well-formed. */
export class PackedRows<Column extends string> {
  readonly #names: readonly Column[];
  readonly #columns: Record<Column, Float64Array>;
  /** Where the text begins among all texts, and how many bytes it has. */
  #textAt = new Float64Array(FIRST_ROWS);
  #textBytes = new Uint32Array(FIRST_ROWS);
  #texts = new Uint8Array(FIRST_TEXT_BYTES);
  #textsEnd = 0;
  #count = 0;

  constructor(names: readonly Column[]) {
    this.#names = names;
    const columns = names.map((name) => [name, new Float64Array(FIRST_ROWS)]);
    this.#columns = Object.fromEntries(columns);
  }

  get count(): number {
    return this.#count;
  }

  /** The new row's number. */
  push(values: Readonly<Record<Column, number>>, text: string): number {
    const row = this.#count;
    if (row === this.#textAt.length) this.#resize(Math.max(FIRST_ROWS, Math.ceil(row * GROWTH)));
    for (const name of this.#names) this.#columns[name][row] = values[name];
    this.#textAt[row] = this.#textsEnd;
    this.#textBytes[row] = this.#pushText(text);
    this.#count++;
    return row;
  }

  #pushText(text: string): number {
    const most = this.#textsEnd + text.length * BYTES_PER_UNIT;
    if (most > this.#texts.length) {
      this.#texts = resized(this.#texts, Math.ceil(Math.max(most, this.#texts.length * GROWTH)));
    }
    const { written } = encoder.encodeInto(text, this.#texts.subarray(this.#textsEnd));
    this.#textsEnd += written;
    return written;
  }

  get(row: number, name: Column): number {
    return this.#columns[name][row];
  }

  set(row: number, name: Column, value: number): void {
    this.#columns[name][row] = value;
  }

  text(row: number): string {
    const start = this.#textAt[row];
    return decoder.decode(this.#texts.subarray(start, start + this.#textBytes[row]));
  }

  /** Let go of room that is not used. */
  seal(): void {
    this.#resize(this.#count);
    this.#texts = resized(this.#texts, this.#textsEnd);
  }

  /** Bring the rows in ascending order of a column; equal ones stay in theirs. */
  sortBy(name: Column): void {
    const column = this.#columns[name];
    let row = 1;
    while (row < this.#count && column[row - 1] <= column[row]) row++;
    if (row >= this.#count) return;
    const order = Uint32Array.from({ length: this.#count }, (_, row) => row)
      .sort((a, b) => column[a] - column[b] || a - b);
    this.#change((column) => {
      const sorted = column.slice();
      for (let row = 0; row < order.length; row++) sorted[row] = column[order[row]];
      return sorted as typeof column;
    });
  }

  /** How many rows have at most this value in a column by which they are sorted. */
  upTo(name: Column, value: number): number {
    const column = this.#columns[name];
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (column[middle] <= value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #resize(rows: number): void {
    this.#change((column) => resized(column, rows));
  }

  #change(
    change: <A extends Float64Array<ArrayBuffer> | Uint32Array<ArrayBuffer>>(column: A) => A,
  ) {
    for (const name of this.#names) {
      this.#columns[name] = change(this.#columns[name] as Float64Array<ArrayBuffer>);
    }
    this.#textAt = change(this.#textAt);
    this.#textBytes = change(this.#textBytes);
  }
}

type Bytes = Float64Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;

function resized<A extends Bytes>(array: A, length: number): A {
  if (length <= array.length) return array.slice(0, length) as A;
  const larger = new (array.constructor as { new (length: number): A })(length);
  larger.set(array);
  return larger;
}
