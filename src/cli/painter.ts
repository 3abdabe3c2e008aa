/**
 * Draws lines at the bottom of a terminal and draws over them again, each time with one write, so
 * that nothing flickers. The cursor rests at the beginning of the line below them: whatever ends the
 * program, the shell goes on there.
 */
import type { Output } from "../base/world.ts";
import { textWidth } from "./text_width.ts";

const HIDE_CURSOR = "\u001b[?25l";
const SHOW_CURSOR = "\u001b[?25h";
/** From the cursor to the end of the line, and of the screen. */
const CLEAR_LINE = "\u001b[K";
const CLEAR_BELOW = "\u001b[J";

// deno-lint-ignore no-control-regex -- the colours of a line take no columns
const COLOURS = /\u001b\[[0-9;]*m/g;

export class Painter {
  readonly #out: Pick<Output, "write" | "columns">;
  /** What stands on the terminal now. */
  #lines: readonly string[] = [];
  #columns = 0;
  #cursorHidden = false;

  constructor(out: Pick<Output, "write" | "columns">) {
    this.#out = out;
  }

  /** Whether anything is to be cleared. */
  get isShown(): boolean {
    return this.#lines.length > 0;
  }

  /**
   * Put these lines in place of what was drawn before. None may be as wide as the terminal.
   *
   * @param options.above Text that stays, with its line ends: it comes before them.
   * @param options.hideCursor Until `clear`, if somebody makes sure that it is called.
   */
  draw(
    lines: readonly string[],
    { above = "", hideCursor = false }: { above?: string; hideCursor?: boolean } = {},
  ): void {
    const { columns } = this.#out;
    const isSame = columns === this.#columns && lines.length === this.#lines.length &&
      lines.every((line, n) => line === this.#lines[n]);
    if (above === "" && isSame) return;
    const hide = hideCursor && !this.#cursorHidden && lines.length > 0 ? HIDE_CURSOR : "";
    if (hide !== "") this.#cursorHidden = true;
    // What stays may have lines of any length: it cannot be written over what was there.
    const start = above === "" ? this.#toTop() : this.#toTop() + (this.isShown ? CLEAR_BELOW : "");
    const text = lines.map((line) => `${line}${CLEAR_LINE}\n`).join("");
    this.#out.write(`${hide}${start}${above}${text}${lines.length > 0 ? CLEAR_BELOW : ""}`);
    this.#lines = lines;
    this.#columns = columns;
  }

  /** Leave nothing of it on the terminal. The cursor is seen again with `end`. */
  clear({ end = false }: { end?: boolean } = {}): void {
    const show = end && this.#cursorHidden ? SHOW_CURSOR : "";
    const clear = this.isShown ? `${this.#toTop()}${CLEAR_BELOW}` : "";
    if (clear + show === "") return;
    this.#out.write(clear + show);
    this.#lines = [];
    if (end) this.#cursorHidden = false;
  }

  /** To the beginning of the first line, from below the last one. */
  #toTop(): string {
    if (!this.isShown) return "";
    const { columns } = this.#out;
    // Terminals break lines that are too long after they were made narrower.
    const heightOf = (line: string) =>
      Math.max(1, Math.ceil(textWidth(line.replace(COLOURS, "")) / columns));
    const height = this.#lines.reduce((sum, line) => sum + heightOf(line), 0);
    return `\r\u001b[${height}A`;
  }
}
