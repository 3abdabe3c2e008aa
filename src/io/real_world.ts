/** The World made of Deno calls. */
import type { Output, StopSignal, World } from "../base/world.ts";

/** Exit codes that shells know: 128 + the number of the signal. */
const SIGINT_EXIT = 130;

export function realWorld(): World {
  return {
    clock: { monotonic: () => performance.now(), wall: () => Date.now() },
    stdout: output(Deno.stdout),
    stderr: output(Deno.stderr),
    randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
    env: (name) => Deno.env.get(name),
    home: () => Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE"),
    cwd: () => Deno.cwd(),
    pid: Deno.pid,
    onStopSignal,
  };
}

function output(stream: typeof Deno.stdout): Output {
  const encoder = new TextEncoder();
  return {
    write(text) {
      let rest = encoder.encode(text);
      try {
        while (rest.length > 0) rest = rest.subarray(stream.writeSync(rest));
      } catch (error) {
        // The reader of a pipe went away (`trove … | head`): there is nobody left to tell.
        if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
      }
    },
    get isTerminal() {
      return stream.isTerminal();
    },
    get columns() {
      try {
        return Deno.consoleSize().columns;
      } catch {
        return 80;
      }
    },
  };
}

function onStopSignal(handle: (signal: StopSignal) => void): Disposable {
  let interrupts = 0;
  const onInterrupt = () => {
    if (++interrupts > 1) Deno.exit(SIGINT_EXIT);
    handle("SIGINT");
  };
  const onTerminate = () => handle("SIGTERM");
  Deno.addSignalListener("SIGINT", onInterrupt);
  // Windows has no SIGTERM to listen to.
  const terminates = Deno.build.os !== "windows";
  if (terminates) Deno.addSignalListener("SIGTERM", onTerminate);
  return {
    [Symbol.dispose]() {
      Deno.removeSignalListener("SIGINT", onInterrupt);
      if (terminates) Deno.removeSignalListener("SIGTERM", onTerminate);
    },
  };
}
