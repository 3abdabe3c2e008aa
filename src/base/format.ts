/** Numbers as people read them. */

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** Decimal units: `0 B`, `9.5 kB`, `12 kB`, `268 MB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (Math.round(value) >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  const text = unit > 0 && value < 9.95 ? value.toFixed(1) : value.toFixed(0);
  return `${text} ${UNITS[unit]}`;
}

export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`;
}

/** `0.3 s`, `12 s`, `3 m 05 s`, `2 h 10 m`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const pad = (value: number) => String(value).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${pad(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${pad(Math.floor(whole % 3600 / 60))} m`;
}

const PERMISSIONS = "rwxrwxrwx";

/** Type letters by type bits; a file where the bits say nothing. */
const TYPES: Readonly<Record<number, string>> = {
  0o040000: "d",
  0o120000: "l",
  0o010000: "p",
  0o020000: "c",
  0o060000: "b",
  0o140000: "s",
};

/** Type and permission bits as `ls -l` has them: `-rw-r--r--`. Source: POSIX. */
export function formatMode(mode: number): string {
  const letters = [...PERMISSIONS].map((c, i) => mode & (0o400 >> i) ? c : "-");
  // Set-user-ID, set-group-ID and sticky stand in the places of the three x.
  for (const [n, mark] of ["s", "s", "t"].entries()) {
    if ((mode & (0o4000 >> n)) === 0) continue;
    const at = 3 * n + 2;
    letters[at] = letters[at] === "x" ? mark : mark.toUpperCase();
  }
  return (TYPES[mode & 0o170000] ?? "-") + letters.join("");
}

/** Milliseconds since 1970 as `2024-05-01 13:45`, in UTC, so that it is the same everywhere. */
export function formatTime(ms: number): string {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return "-";
  return date.toISOString().slice(0, -":00.000Z".length).replace("T", " ");
}

/** `1 file`, `2 files`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** Control characters, line ends, and what turns the direction of writing. */
const UNPRINTABLE =
  // deno-lint-ignore no-control-regex -- control characters are what this is about
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * Names come from strangers: what would move the cursor, end the line or swap its parts is shown as
 * an escape. The escapes are those of JSON, so JSON text means the same as before.
 */
export function printable(text: string): string {
  return text.replace(
    UNPRINTABLE,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Names, of which there is at least one: `a`, `a and b`, `a, b and 5 more`. */
export function listed(names: readonly string[]): string {
  const [first, second, ...rest] = names;
  if (second === undefined) return first;
  if (rest.length === 0) return `${first} and ${second}`;
  return `${first}, ${second} and ${rest.length} more`;
}
