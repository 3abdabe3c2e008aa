/** SIGINT and SIGTERM as a channel, or as an AbortSignal, for as long as a command runs. */
import { InterruptedError } from "../base/errors.ts";
import type { StopSignal, World } from "../base/world.ts";
import { Channel, type Receiver } from "../csp/channel.ts";

export function stopSignals(world: World): Disposable & { signals: Receiver<StopSignal> } {
  return stopWhen(world, { onSignals: true });
}

/**
 * The same for whoever is no command: SIGINT and SIGTERM are heard with `onSignals` only, and an
 * AbortSignal counts as a SIGTERM.
 */
export function stopWhen(
  world: World,
  { onSignals, abort }: { readonly onSignals?: boolean; readonly abort?: AbortSignal },
): Disposable & { signals: Receiver<StopSignal> } {
  using stack = new DisposableStack();
  // Capacity 1: the first one says it all.
  const signals = new Channel<StopSignal>(1);
  stack.defer(() => signals.close());
  if (onSignals) stack.use(world.onStopSignal((signal) => void signals.trySend(signal)));
  if (abort !== undefined) {
    const stop = () => void signals.trySend("SIGTERM");
    if (abort.aborted) stop();
    abort.addEventListener("abort", stop);
    stack.defer(() => abort.removeEventListener("abort", stop));
  }
  const held = stack.move();
  return { signals, [Symbol.dispose]: () => held[Symbol.dispose]() };
}

/** What a job that meets peers ends with when a signal comes first. */
export function stoppedEarly(signal: StopSignal): InterruptedError {
  const hint = "what is here by now is kept, and the same command goes on from there";
  return new InterruptedError("Stopped before the job was done", signal, hint);
}

/** For local work that looks up now and then: the reason is the error to throw. */
export function abortOnStop(world: World, message: string): Disposable & { signal: AbortSignal } {
  const stop = new AbortController();
  const hook = world.onStopSignal((name) => stop.abort(new InterruptedError(message, name)));
  return { signal: stop.signal, [Symbol.dispose]: () => hook[Symbol.dispose]() };
}

/** Do work that a signal ends. @throws {InterruptedError} If one comes meanwhile. */
export async function untilStopped(
  signals: Receiver<StopSignal>,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const stopWaiting = signals.whenReady(() => {
    const next = signals.tryReceive();
    const signal = next === undefined || next.done ? "SIGINT" : next.value;
    stop.abort(stoppedEarly(signal));
  });
  try {
    await work(stop.signal);
  } finally {
    stopWaiting();
  }
}
