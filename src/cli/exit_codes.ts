/** Exit codes, which scripts rely on. */
import { type ErrorCode, InterruptedError, TroveError } from "../base/errors.ts";

const EXIT_CODES: Record<Exclude<ErrorCode, "interrupted">, number> = {
  "failure": 1,
  "usage": 2,
  "no-peers": 3,
  "incomplete": 4,
  "verification": 5,
  "storage": 6,
  "locked": 7,
  "fork": 8,
  "not-found": 9,
};

/** 128 + the number of the signal, as shells have it. */
const SIGNAL_CODES = { SIGINT: 130, SIGTERM: 143 };

export function exitCodeOf(error: unknown): number {
  if (error instanceof InterruptedError) return SIGNAL_CODES[error.signal];
  const code = errorCodeOf(error);
  return code === "interrupted" ? SIGNAL_CODES.SIGINT : EXIT_CODES[code];
}

export function errorCodeOf(error: unknown): ErrorCode {
  return error instanceof TroveError ? error.code : "failure";
}
