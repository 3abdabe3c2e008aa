/**
 * How many columns text takes on a terminal, and how it is cut to fit. Where terminals differ the
 * larger number is taken: a line that is a little short does no harm, one that wraps does.
 */

/** Combining marks, and what joins letters without being seen. */
const NO_WIDTH = /^[\p{Mn}\p{Me}\u200b-\u200d\u2060\ufeff]$/u;

/** Emoji as such, flags and skin tones among them. */
const EMOJI = /^\p{Emoji_Presentation}$/u;

/** Asks for the picture of a letter that is narrow by itself. */
const EMOJI_SELECTOR = 0xfe0f;

/** First and last code points. Source: East Asian Width of Unicode 16, W and F, in blocks. */
const WIDE: readonly (readonly [first: number, last: number])[] = [
  [0x1100, 0x115f],
  [0x231a, 0x231b],
  [0x2329, 0x232a],
  [0x2e80, 0x303e],
  [0x3041, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe10, 0xfe19],
  [0xfe30, 0xfe6f],
  [0xff01, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18dff],
  [0x1aff0, 0x1b2ff],
  [0x1d300, 0x1d37f],
  [0x1f200, 0x1f2ff],
  [0x1f300, 0x1f64f],
  [0x1f680, 0x1f6ff],
  [0x1f900, 0x1faff],
  [0x20000, 0x3fffd],
];

/** What stands for what was cut off; in letters that every terminal has. */
const CUT = "...";

function charWidth(char: string): number {
  const code = char.codePointAt(0)!;
  if (code < 0x300) return 1;
  if (code === EMOJI_SELECTOR) return 1;
  if (NO_WIDTH.test(char)) return 0;
  return EMOJI.test(char) || WIDE.some(([first, last]) => code >= first && code <= last) ? 2 : 1;
}

/** Columns that a text takes, which has to be printable. */
export function textWidth(text: string): number {
  let width = 0;
  for (const char of text) width += charWidth(char);
  return width;
}

/** A text of at most `width` columns: its beginning, if it is too long. */
export function cutEnd(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  const mark = CUT.slice(0, Math.max(0, width));
  return firstColumns([...text], width - mark.length).join("") + mark;
}

/** The same with its end, as is best for paths. */
export function cutStart(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  const mark = CUT.slice(0, Math.max(0, width));
  return mark + firstColumns([...text].reverse(), width - mark.length).reverse().join("");
}

/** The same with its beginning and its end, as is best for links and addresses. */
export function cutMiddle(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  const room = width - CUT.length;
  if (room < 2) return cutEnd(text, width);
  const tail = firstColumns([...text].reverse(), Math.floor(room / 2)).reverse().join("");
  return firstColumns([...text], room - textWidth(tail)).join("") + CUT + tail;
}

/** A text and blanks behind it, `width` columns together. */
export function padText(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - textWidth(text)));
}

function firstColumns(chars: readonly string[], width: number): string[] {
  let [end, used] = [0, 0];
  for (; end < chars.length; end++) {
    used += charWidth(chars[end]);
    if (used > width) break;
  }
  return chars.slice(0, end);
}
