/** Work that is given so much time and no more. */
import type { Timers } from "../io/timers.ts";

/**
 * Do something that ends soon after its signal is aborted, which happens after so many milliseconds,
 * or together with `signal`.
 */
export async function within<T>(
  ms: number,
  { timers, signal }: { readonly timers: Timers; readonly signal?: AbortSignal },
  act: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController();
  const abort = () => limit.abort();
  const cancel = timers.after(ms, abort);
  signal?.addEventListener("abort", abort);
  if (signal?.aborted) abort();
  try {
    return await act(limit.signal);
  } finally {
    cancel();
    signal?.removeEventListener("abort", abort);
  }
}

/** Wait until `done` is called, or until the signal is aborted, in which case `end` is called. */
export function untilAborted(
  signal: AbortSignal,
  begin: (done: () => void) => void,
  end: () => void = () => {},
): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const abort = () => {
      end();
      resolve();
    };
    signal.addEventListener("abort", abort, { once: true });
    begin(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    });
  });
}
