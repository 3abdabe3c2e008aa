/**
 * Very many records in little memory: some numbers and a text each, kept in a few large arrays and
 * not as objects. A million files take what they have to say, and nothing for the garbage collector.
 *
 * The arrays are never copied to be made larger, but for the first: copies would lie about until
 * somebody collects them, and be more than what is in use.
 */

/** Rows in an array, and in the first one at first. A power of two. */
const CHUNK_ROWS = 4096;
const FIRST_ROWS = 64;
/** Bytes of text in an array, at first and as a rule. */
const FIRST_TEXT_BYTES = 2048;
const TEXT_BYTES = 65_536;
/**
 * Where a text is, in one number: that of its array, where it begins there, and how long it is; the
 * latter two are below this.
 */
const TEXT_SPAN = 2 ** 17;
/** UTF-8 takes at most so many bytes for a UTF-16 code unit. */
const BYTES_PER_UNIT = 3;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Rows are counted from 0. Numbers are doubles; texts have to be well-formed, and below 40 kB. */
export class PackedRows<Column extends string> {
  readonly #names: readonly Column[];
  /** Which number of a row a column is; after them comes where the text is. */
  readonly #places: Readonly<Record<Column, number>>;
  readonly #textPlace: number;
  readonly #width: number;
  #chunks: Float64Array[] = [];
  readonly #texts: Uint8Array[] = [];
  #textEnd = 0;
  #count = 0;

  constructor(names: readonly Column[]) {
    this.#names = names;
    const places = names.map((name, place) => [name, place]);
    this.#places = Object.fromEntries(places);
    this.#textPlace = names.length;
    this.#width = names.length + 1;
  }

  get count(): number {
    return this.#count;
  }

  /** The new row's number. */
  push(values: Readonly<Record<Column, number>>, text: string): number {
    const row = this.#count++;
    this.#makeRoom(row);
    for (const name of this.#names) this.#put(row, this.#places[name], values[name]);
    const place = this.#textPlaceFor(text.length * BYTES_PER_UNIT);
    const rest = this.#texts[this.#texts.length - 1].subarray(this.#textEnd);
    const { written } = encoder.encodeInto(text, rest);
    this.#put(row, this.#textPlace, place * TEXT_SPAN + written);
    this.#textEnd += written;
    return row;
  }

  #makeRoom(row: number): void {
    const number = Math.floor(row / CHUNK_ROWS);
    const needed = (row % CHUNK_ROWS + 1) * this.#width;
    const chunk = this.#chunks[number];
    if (chunk !== undefined && chunk.length >= needed) return;
    const rows = number > 0
      ? CHUNK_ROWS
      : Math.min(CHUNK_ROWS, Math.max(FIRST_ROWS, 2 * (row % CHUNK_ROWS)));
    this.#chunks[number] = resized(chunk ?? new Float64Array(), rows * this.#width);
  }

  /** Where a text goes that takes at most so many bytes. */
  #textPlaceFor(most: number): number {
    if (most >= TEXT_SPAN) throw new RangeError(`Cannot pack a text of up to ${most} bytes`);
    const last = this.#texts.length - 1;
    if (last < 0 || this.#textEnd + most > this.#texts[last].length) {
      const usual = last < 0 ? FIRST_TEXT_BYTES : TEXT_BYTES;
      this.#texts.push(new Uint8Array(Math.max(most, usual)));
      this.#textEnd = 0;
    }
    return (this.#texts.length - 1) * TEXT_SPAN + this.#textEnd;
  }

  #at(row: number, place: number): number {
    return this.#chunks[Math.floor(row / CHUNK_ROWS)][row % CHUNK_ROWS * this.#width + place];
  }

  #put(row: number, place: number, value: number): void {
    this.#chunks[Math.floor(row / CHUNK_ROWS)][row % CHUNK_ROWS * this.#width + place] = value;
  }

  get(row: number, name: Column): number {
    return this.#at(row, this.#places[name]);
  }

  set(row: number, name: Column, value: number): void {
    this.#put(row, this.#places[name], value);
  }

  text(row: number): string {
    const where = this.#at(row, this.#textPlace);
    const place = Math.floor(where / TEXT_SPAN);
    const start = place % TEXT_SPAN;
    const bytes = this.#texts[Math.floor(place / TEXT_SPAN)];
    return decoder.decode(bytes.subarray(start, start + where % TEXT_SPAN));
  }

  /** Let go of room that is not used. */
  seal(): void {
    const last = this.#chunks.length - 1;
    if (last < 0) return;
    const rows = this.#count - last * CHUNK_ROWS;
    this.#chunks[last] = this.#chunks[last].slice(0, rows * this.#width);
    this.#texts[this.#texts.length - 1] = this.#texts[this.#texts.length - 1]
      .slice(0, this.#textEnd);
  }

  /** Bring the rows in ascending order of a column; equal ones stay in theirs. */
  sortBy(name: Column): void {
    let row = 1;
    while (row < this.#count && this.get(row - 1, name) <= this.get(row, name)) row++;
    if (row >= this.#count) return;
    const order = Uint32Array.from({ length: this.#count }, (_, row) => row)
      .sort((a, b) => this.get(a, name) - this.get(b, name) || a - b);
    this.#chunks = this.#chunks.map(({ length }, number) => {
      const sorted = new Float64Array(length);
      const first = number * CHUNK_ROWS;
      const end = Math.min(this.#count, first + CHUNK_ROWS);
      for (let row = first; row < end; row++) {
        sorted.set(this.#rowOf(order[row]), (row - first) * this.#width);
      }
      return sorted;
    });
  }

  #rowOf(row: number): Float64Array {
    const start = row % CHUNK_ROWS * this.#width;
    return this.#chunks[Math.floor(row / CHUNK_ROWS)].subarray(start, start + this.#width);
  }

  /** How many rows have at most this value in a column by which they are sorted. */
  upTo(name: Column, value: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.get(middle, name) <= value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function resized(array: Float64Array, length: number): Float64Array {
  const larger = new Float64Array(length);
  larger.set(array);
  return larger;
}
