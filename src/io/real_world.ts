/** The World made of Deno calls. */
import { StorageError, UsageError } from "../base/errors.ts";
import { concat } from "../base/bytes.ts";
import type { Input, Output, StopSignal, World } from "../base/world.ts";

/** Exit codes that shells know: 128 + the number of the signal. */
const SIGINT_EXIT = 130;

export function realWorld(): World {
  return {
    clock: { monotonic: () => performance.now(), wall: () => Date.now() },
    stdout: output(Deno.stdout),
    stderr: output(Deno.stderr),
    stdin: input(),
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
  const write = (bytes: Uint8Array): boolean => {
    try {
      for (let rest = bytes; rest.length > 0;) rest = rest.subarray(stream.writeSync(rest));
      return true;
    } catch (error) {
      // The reader of a pipe went away (`trove … | head`): there is nobody left to tell.
      if (error instanceof Deno.errors.BrokenPipe) return false;
      throw new StorageError(`Cannot write the output: ${messageOf(error)}`, { cause: error });
    }
  };
  return {
    write: (text) => write(encoder.encode(text)),
    writeBytes: write,
    get isTerminal() {
      return stream.isTerminal();
    },
    get columns() {
      try {
        return Deno.consoleSize().columns || 80; // 0 where nobody said
      } catch {
        return 80;
      }
    },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const CTRL_C = 0x03;
const CTRL_D = 0x04;
const BACKSPACES = [0x08, 0x7f];
const LINE_ENDS = [0x0a, 0x0d];

function input(): Input {
  return {
    get isTerminal() {
      return Deno.stdin.isTerminal();
    },
    async readAll(limit) {
      const pieces: Uint8Array[] = [];
      let size = 0;
      for await (const piece of Deno.stdin.readable) {
        size += piece.length;
        if (size > limit) throw new UsageError(`Cannot read more than ${limit} bytes from input`);
        pieces.push(piece);
      }
      return concat(pieces);
    },
    readLine(prompt) {
      Deno.stderr.writeSync(new TextEncoder().encode(prompt));
      return readLine();
    },
    async readHidden(prompt) {
      Deno.stderr.writeSync(new TextEncoder().encode(prompt));
      Deno.stdin.setRaw(true);
      try {
        return await readLine();
      } finally {
        Deno.stdin.setRaw(false);
        Deno.stderr.writeSync(new TextEncoder().encode("\n"));
      }
    },
  };
}

/** A line of a terminal, in raw mode or not, or undefined if it was given up. */
async function readLine(): Promise<string | undefined> {
  const typed: number[] = [];
  const piece = new Uint8Array(256);
  for (;;) {
    const count = await Deno.stdin.read(piece);
    if (count === null) return undefined;
    for (const byte of piece.subarray(0, count)) {
      if (byte === CTRL_C || byte === CTRL_D) return undefined;
      if (LINE_ENDS.includes(byte)) return new TextDecoder().decode(new Uint8Array(typed));
      if (BACKSPACES.includes(byte)) typed.pop();
      else typed.push(byte);
    }
  }
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
