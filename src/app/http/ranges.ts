/** The Range of a request. Source: RFC 9110, section 14; spec of serving, section 2.3. */
import type { ByteRange } from "../file_bytes.ts";

/** Many of them are somebody's mischief. */
const MAX_RANGES = 16;

/**
 * Which part of a file is asked for: undefined for all of it, which is also the answer to what makes
 * no sense, and to parts that do not touch.
 */
export function parseRange(
  header: string | null,
  size: number,
): ByteRange | "unsatisfiable" | undefined {
  const list = /^bytes=(.*)$/i.exec(header?.trim() ?? "")?.[1];
  const texts = list?.split(",").map((text) => text.trim()).filter((text) => text !== "") ?? [];
  if (texts.length === 0 || texts.length > MAX_RANGES) return undefined;
  const ranges: ByteRange[] = [];
  for (const text of texts) {
    const match = /^(\d*)-(\d*)$/.exec(text);
    if (match === null || text === "-") return undefined;
    const [, first, last] = match;
    const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
    const end = first === "" || last === "" ? size : Math.min(size, Number(last) + 1);
    if (first !== "" && last !== "" && Number(last) < Number(first)) return undefined;
    if (start < end) ranges.push({ start, end });
  }
  if (ranges.length === 0) return "unsatisfiable";
  ranges.sort((a, b) => a.start - b.start);
  let { start, end } = ranges[0];
  for (const next of ranges.slice(1)) {
    if (next.start > end) return undefined;
    end = Math.max(end, next.end);
    start = Math.min(start, next.start);
  }
  return { start, end };
}
