/** SIGINT and SIGTERM as a channel, for as long as a command runs. */
import type { StopSignal, World } from "../base/world.ts";
import { Channel, type Receiver } from "../csp/channel.ts";

export function stopSignals(world: World): Disposable & { signals: Receiver<StopSignal> } {
  // Capacity 1: the first one says it all.
  const signals = new Channel<StopSignal>(1);
  const hook = world.onStopSignal((signal) => void signals.trySend(signal));
  return {
    signals,
    [Symbol.dispose]() {
      hook[Symbol.dispose]();
      signals.close();
    },
  };
}
