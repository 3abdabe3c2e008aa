/** The World made of Deno calls. */
import { StorageError, UsageError } from "../base/errors.ts";
import { concat } from "../base/bytes.ts";
import type { Input, Output, StopSignal, World } from "../base/world.ts";

/** Exit codes that shells know: 128 + the number of the signal. */
const SIGNAL_EXITS = { SIGHUP: 129, SIGINT: 130, SIGQUIT: 131, SIGTERM: 143 } as const;

/** How many handle stop signals at the moment. */
let handlers = 0;

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
    beforeExit,
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
      return terminalSize()?.columns || 80; // 0 where nobody said
    },
    get rows() {
      return terminalSize()?.rows || 24;
    },
  };
}

function terminalSize(): { columns: number; rows: number } | undefined {
  try {
    return Deno.consoleSize();
  } catch {
    return undefined;
  }
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
  using stack = new DisposableStack();
  let interrupts = 0;
  const onInterrupt = () => {
    if (++interrupts > 1) Deno.exit(SIGNAL_EXITS.SIGINT);
    handle("SIGINT");
  };
  listen(stack, "SIGINT", onInterrupt);
  listen(stack, "SIGTERM", () => handle("SIGTERM"));
  handlers++;
  stack.defer(() => handlers--);
  return stack.move();
}

function beforeExit(restore: () => void): Disposable {
  using stack = new DisposableStack();
  // The system would end the process without a word.
  const end = (signal: keyof typeof SIGNAL_EXITS) => Deno.exit(SIGNAL_EXITS[signal]);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    listen(stack, signal, () => handlers > 0 || end(signal));
  }
  for (const signal of ["SIGHUP", "SIGQUIT"] as const) listen(stack, signal, () => end(signal));
  // The first of them is told at every Deno.exit, the others where an error goes uncaught.
  for (const event of ["unload", "error", "unhandledrejection"]) {
    globalThis.addEventListener(event, restore);
    stack.defer(() => globalThis.removeEventListener(event, restore));
  }
  return stack.move();
}

/** Hear of a signal until the stack is disposed. */
function listen(stack: DisposableStack, signal: Deno.Signal, handle: () => void): void {
  // Windows has no other to listen to.
  if (Deno.build.os === "windows" && signal !== "SIGINT") return;
  Deno.addSignalListener(signal, handle);
  stack.defer(() => Deno.removeSignalListener(signal, handle));
}
