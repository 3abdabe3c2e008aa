/**
 * A terminal as far as trove needs one: it moves its cursor up, clears to the end of the line and of
 * the screen, wraps long lines and, when it is made narrower, wraps them anew. Anything else fails.
 */
import assert from "node:assert/strict";
import type { Output } from "../../src/base/world.ts";
import { textWidth } from "../../src/cli/text_width.ts";

/** A line of the screen; `wraps` if the next one belongs to it. */
interface Row {
  text: string;
  wraps: boolean;
}

// deno-lint-ignore no-control-regex -- control sequences are what this is about
const PIECE = /\u001b\[(\??\d*(?:;\d+)*)([A-Za-z])|\r|\n|[^\u0000-\u001f\u007f-\u009f]/gu;

export class FakeTerminal implements Output {
  readonly isTerminal = true;
  columns: number;
  rows: number;
  cursorVisible = true;
  /** What each write gave it. */
  readonly writes: string[] = [];
  #screen: Row[] = [{ text: "", wraps: false }];
  #row = 0;
  #column = 0;

  constructor({ columns = 80, rows = 24 } = {}) {
    this.columns = columns;
    this.rows = rows;
  }

  /** All that was ever scrolled in, without empty lines at the end. */
  get text(): string {
    return this.#screen.map(({ text }) => text.trimEnd()).join("\n").trimEnd();
  }

  get lines(): string[] {
    return this.text === "" ? [] : this.text.split("\n");
  }

  get cursor(): { row: number; column: number } {
    return { row: this.#row, column: this.#column };
  }

  write(text: string): boolean {
    this.writes.push(text);
    let read = 0;
    for (const match of text.matchAll(PIECE)) {
      assert.equal(match.index, read, `cannot show ${JSON.stringify(text.slice(read, read + 8))}`);
      read += match[0].length;
      this.#take(match[0], match[1], match[2]);
    }
    assert.equal(read, text.length);
    return true;
  }

  writeBytes(): boolean {
    throw new Error("bytes are for files");
  }

  /** Another size; lines that do not fit are wrapped, as most terminals do. */
  resize(columns: number, rows = this.rows): void {
    const lines: { text: string; hasCursor: boolean }[] = [];
    let isNew = true;
    for (const [n, { text, wraps }] of this.#screen.entries()) {
      if (isNew) lines.push({ text: "", hasCursor: false });
      lines.at(-1)!.text += text;
      lines.at(-1)!.hasCursor ||= n === this.#row;
      isNew = !wraps;
    }
    this.columns = columns;
    this.rows = rows;
    this.#screen = [];
    for (const { text, hasCursor } of lines) {
      if (hasCursor) this.#row = this.#screen.length;
      const parts = text.match(new RegExp(`.{1,${columns}}`, "gu")) ?? [""];
      this.#screen.push(...parts.map((part, n) => ({ text: part, wraps: n + 1 < parts.length })));
    }
  }

  #take(piece: string, parameters: string | undefined, command: string | undefined): void {
    if (piece === "\r") this.#column = 0;
    else if (piece === "\n") this.#nextLine(false);
    else if (command === undefined) this.#put(piece);
    else if (command === "A") this.#row = Math.max(this.#top, this.#row - Number(parameters));
    else if (command === "K" && parameters === "") this.#cut();
    else if (command === "J" && parameters === "") {
      this.#cut();
      this.#screen.length = this.#row + 1;
    } else if (command === "h" && parameters === "?25") this.cursorVisible = true;
    else if (command === "l" && parameters === "?25") this.cursorVisible = false;
    else if (command !== "m") throw new Error(`cannot do ${JSON.stringify(piece)}`);
  }

  /** The first line of the screen: what is above has scrolled away. */
  get #top(): number {
    return Math.max(0, this.#screen.length - this.rows);
  }

  #put(char: string): void {
    const width = textWidth(char);
    if (this.#column + width > this.columns) {
      this.#screen[this.#row].wraps = true;
      this.#nextLine(true);
    }
    const { text } = this.#screen[this.#row];
    const before = text.slice(0, this.#indexOf(this.#column)).padEnd(this.#column);
    this.#screen[this.#row].text = before + char + text.slice(this.#indexOf(this.#column + width));
    this.#column += width;
  }

  /** Where the character of that column is in the text of the line. */
  #indexOf(column: number): number {
    let [index, at] = [0, 0];
    for (const char of this.#screen[this.#row].text) {
      if (at >= column) break;
      at += textWidth(char);
      index += char.length;
    }
    return index;
  }

  #cut(): void {
    const row = this.#screen[this.#row];
    row.text = row.text.slice(0, this.#indexOf(this.#column));
    row.wraps = false;
  }

  #nextLine(wraps: boolean): void {
    this.#row++;
    this.#column = 0;
    if (this.#row === this.#screen.length) this.#screen.push({ text: "", wraps: false });
    else if (!wraps) return;
  }
}
