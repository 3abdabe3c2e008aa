/** Letting other work be done in the middle of a long computation. */

/** Resolves after timers, sockets and signals had their turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** Resolves after `ms` milliseconds, or when `signal` is aborted. */
export function delay(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end);
  });
}

/** Other work gets its turn after so many milliseconds. */
const TURN_MS = 20;

/** Do a long computation to its end in one go. */
export function atOnce<T>(steps: Generator<void, T, void>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** The same with other work let in between steps. @throws The signal's reason, once it is aborted. */
export async function inTurns<T>(
  steps: Generator<void, T, void>,
  signal: AbortSignal,
): Promise<T> {
  try {
    for (let turnAt = performance.now();;) {
      const { done, value } = steps.next();
      if (done) return value;
      if (performance.now() - turnAt < TURN_MS) continue;
      await nextTurn();
      signal.throwIfAborted();
      turnAt = performance.now();
    }
  } finally {
    steps.return(undefined as never); // what it has open is closed
  }
}
