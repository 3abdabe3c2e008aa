/**
 * Other programs as test fixtures: trove itself and the published peers, each a child process that
 * prints one JSON object a line. A process is ended and reaped at the end of its block:
 *
 *     await using sharer = await trove(["share", folder, "--json"], { home });
 *     const { port } = await sharer.event("listening");
 */
import { fileURLToPath } from "node:url";
import { flagsFor, troveCommand } from "./trove_command.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const PEERS = `${ROOT}tests/peers/`;

/** Time for a process to say what it is waited for, in milliseconds. */
const EVENT_DEADLINE_MS = 60_000;
/** The kernel's unit of processor time, in a second. */
const CLOCK_TICKS = 100;
/** Time to leave after SIGTERM before it is killed, in milliseconds. */
const LEAVE_DEADLINE_MS = 5_000;

/** What keeps trove from asking a real network for peers: tests that need one make their own. */
export const QUIET = { TROVE_DISCOVERY: "none" };

/** A line of output: `event` names it, the rest depends on the program. */
// deno-lint-ignore no-explicit-any
export type JsonLine = { readonly event: string } & Record<string, any>;

/** How a process ended, and all it said. */
export interface Exit {
  /** 128 + the signal's number when a signal ended it. */
  readonly code: number;
  readonly signal: Deno.Signal | null;
  readonly lines: readonly JsonLine[];
  /** Everything on stdout. */
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProcessOptions {
  /** Where HOME is, and so secret keys: never the real one. */
  readonly home: string;
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  /** Program and arguments to put in front, such as one that limits file sizes. */
  readonly wrapper?: readonly string[];
}

/** A running child process and what it has said so far. */
export class Process implements AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  /** Settles when the process has ended and all its output is read. */
  readonly exit: Promise<Exit>;
  readonly #child: Deno.ChildProcess;
  /** Held open while the process runs: peers leave when it closes, so none outlives a killed test. */
  readonly #stdin: WritableStream<Uint8Array> | undefined;
  readonly #lines: JsonLine[] = [];
  #stdout = "";
  #stderr = "";
  #ended = false;
  /** Called whenever a line came or the process ended. */
  readonly #watchers = new Set<() => void>();

  constructor(name: string, program: string, options: Deno.CommandOptions) {
    this.name = name;
    this.#child = new Deno.Command(program, options).spawn();
    if (options.stdin === "piped") this.#stdin = this.#child.stdin;
    this.pid = this.#child.pid;
    this.exit = this.#follow();
  }

  /** All lines so far. */
  get lines(): readonly JsonLine[] {
    return this.#lines;
  }

  async #follow(): Promise<Exit> {
    const decoder = new TextDecoder();
    const readErrors = async () => {
      for await (const piece of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
        this.#stderr += piece;
        this.#wake();
      }
    };
    const readLines = async () => {
      let partial = "";
      for await (const piece of this.#child.stdout) {
        const text = decoder.decode(piece, { stream: true });
        this.#stdout += text;
        const lines = (partial + text).split("\n");
        partial = lines.pop() ?? "";
        for (const line of lines) if (line.startsWith("{")) this.#lines.push(parseLine(line));
        this.#wake();
      }
    };
    const [status] = await Promise.all([this.#child.status, readLines(), readErrors()]);
    await this.#stdin?.abort();
    this.#ended = true;
    this.#wake();
    return {
      code: status.code,
      signal: status.signal,
      lines: this.#lines,
      stdout: this.#stdout,
      stderr: this.#stderr,
    };
  }

  #wake(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }

  /**
   * The first line with this event that `matches`, said already or yet to come.
   *
   * @throws {Error} If the process ends, or the deadline passes, without one.
   */
  event(
    event: string,
    { matches = () => true, deadlineMs }: {
      matches?: (line: JsonLine) => boolean;
      deadlineMs?: number;
    } = {},
  ): Promise<JsonLine> {
    let checked = 0;
    return this.#waitFor(`"${event}"`, () => {
      for (; checked < this.#lines.length; checked++) {
        const line = this.#lines[checked];
        if (line.event === event && matches(line)) return line;
      }
    }, deadlineMs);
  }

  /** Wait until stdout and stderr together have said something that fits. For words to people. */
  says(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#waitFor(
      String(pattern),
      () => pattern.exec(this.#stdout + this.#stderr) ?? undefined,
    );
  }

  /** Wait until `find` finds something; it is asked again whenever there is more output. */
  async #waitFor<T>(
    what: string,
    find: () => T | undefined,
    deadlineMs = EVENT_DEADLINE_MS,
  ): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const look = () => {
      const found = find();
      if (found !== undefined) resolve(found);
      else if (this.#ended) reject(new Error(this.#describe(`ended without ${what}`)));
    };
    const timer = setTimeout(
      () => reject(new Error(this.#describe(`did not say ${what} in ${deadlineMs} ms`))),
      deadlineMs,
    );
    this.#watchers.add(look);
    try {
      look();
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#watchers.delete(look);
    }
  }

  /** Every line, those said already first, until the process ends. */
  async *follow(): AsyncGenerator<JsonLine, void> {
    for (let next = 0;;) {
      if (next < this.#lines.length) yield this.#lines[next++];
      else if (this.#ended) return;
      else {
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#watchers.add(resolve);
        await promise;
        this.#watchers.delete(resolve);
      }
    }
  }

  /** The exit, which has to be with `code`; what the process said is in the failure. */
  async ended(code = 0): Promise<Exit> {
    const exit = await this.exit;
    if (exit.code !== code) {
      throw new Error(this.#describe(`ended with ${exit.code}, expected ${code}`));
    }
    return exit;
  }

  #describe(what: string): string {
    const said = this.#lines.slice(-5).map((line) => JSON.stringify(line)).join("\n");
    return `${this.name} ${what}\nlast lines:\n${said}\nstderr:\n${this.#stderr.slice(-4000)}`;
  }

  /** Write a line to its stdin, which has to be piped. */
  async tell(line: string): Promise<void> {
    const writer = this.#stdin!.getWriter();
    try {
      await writer.write(new TextEncoder().encode(`${line}\n`));
    } finally {
      writer.releaseLock();
    }
  }

  /** Send a signal. A process that is gone already is left in peace. */
  signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /** Highest resident set so far in bytes, from the kernel; 0 once the process has ended. */
  peakRssBytes(): number {
    try {
      // Between its end and its burial a process is still listed, without figures of memory.
      const status = Deno.readTextFileSync(`/proc/${this.pid}/status`);
      return 1024 * Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || this.#ended) return 0;
      throw error;
    }
  }

  /** Processor time so far in seconds, the kernel's for it included; 0 once the process has ended. */
  cpuSeconds(): number {
    try {
      const stat = Deno.readTextFileSync(`/proc/${this.pid}/stat`);
      // The name in the second field may have blanks in it; what follows counts from the third.
      const [user, system] = stat.slice(stat.lastIndexOf(")") + 2).split(" ").slice(11, 13);
      return (Number(user) + Number(system)) / CLOCK_TICKS;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || this.#ended) return 0;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const timer = setTimeout(() => this.signal("SIGKILL"), LEAVE_DEADLINE_MS);
    this.signal("SIGTERM");
    await this.exit;
    clearTimeout(timer);
  }
}

/** A line that is cut short or garbled must not pass for silence: it becomes a line of its own. */
function parseLine(line: string): JsonLine {
  try {
    return JSON.parse(line);
  } catch {
    return { event: "unreadable line", line };
  }
}

/** Where Deno keeps its cache. Resolved before HOME is moved, or children would fill a new one. */
let denoDir: Promise<string> | undefined;

/** The folder of Deno's cache. */
export function denoDirectory(): Promise<string> {
  return denoDir ??= findDenoDir();
}

async function findDenoDir(): Promise<string> {
  const command = new Deno.Command(Deno.execPath(), { args: ["info", "--json"], cwd: ROOT });
  const { stdout } = await command.output();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}

/**
 * Start a program the way every test does: its own home, no colour, the usual Deno cache. With
 * `stdin` piped the program can tell from it that this process is gone.
 */
export async function startProgram(
  name: string,
  command: readonly string[],
  { home, cwd, env, wrapper = [], stdin }: ProcessOptions & { stdin: "piped" | "null" },
): Promise<Process> {
  const [program, ...args] = [...wrapper, ...command];
  const options: Deno.CommandOptions = {
    args,
    cwd,
    env: {
      ...QUIET,
      DENO_DIR: await denoDirectory(),
      // It would ask for a newer version on the network, at most once a day.
      DENO_NO_UPDATE_CHECK: "1",
      NO_COLOR: "1",
      ...env,
      HOME: home,
    },
    stdin,
    stdout: "piped",
    stderr: "piped",
  };
  return new Process(name, program, options);
}

/** Start trove, or another program around its main function, with these arguments. */
export function trove(
  args: readonly string[],
  { main, flags, ...options }: ProcessOptions & { main?: string; flags?: readonly string[] },
): Promise<Process> {
  const command = [...troveCommand(main, flags ?? flagsFor(args, options)), ...args];
  return startProgram(`trove ${args.join(" ")}`, command, { ...options, stdin: "null" });
}

/** Folders whose packages are installed: the first time on a machine downloads them. */
const installed = new Map<string, Promise<void>>();

function install(folder: string): Promise<void> {
  return installed.getOrInsertComputed(folder, async () => {
    const args = ["install", "--quiet", "--frozen", "--config", `${folder}deno.json`];
    const { success, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    if (!success) throw new Error(`Cannot install the peers: ${new TextDecoder().decode(stderr)}`);
  });
}

/** Start one of the programs in tests/peers, by file name without `.js`. */
export async function peer(
  program: string,
  args: readonly string[],
  options: ProcessOptions,
): Promise<Process> {
  await install(PEERS);
  const flags = ["-A", "--quiet", "--frozen", "--config", `${PEERS}deno.json`];
  const command = [Deno.execPath(), "run", ...flags, `${PEERS}${program}.js`, ...args];
  const name = `${program} ${args.join(" ")}`;
  return await startProgram(name, command, { ...options, stdin: "piped" });
}

/**
 * Start the dat command itself, of one of the two generations of discovery, in Node.
 *
 * It speaks to people, so wait with `says`. It leaves when its stdin closes, as `peer` programs do.
 * Two packages are pinned: with mirror-folder 3.1.0 an import never ends, and the utp-native that dat 13
 * asks for has no build for today's Node. Only for hosts of a lab: it looks for peers by itself.
 */
export async function dat(
  version: "13" | "14",
  args: readonly string[],
  options: ProcessOptions,
): Promise<Process> {
  const folder = `${PEERS}dat${version}/`;
  await install(folder);
  const command = ["node", `${folder}node_modules/dat/bin/cli.js`, ...args];
  const name = `dat ${version} ${args.join(" ")}`;
  return await startProgram(name, command, { ...options, stdin: "piped" });
}

/** Run trove to its end. */
export async function runTrove(args: readonly string[], options: ProcessOptions): Promise<Exit> {
  await using process = await trove(args, options);
  return await process.exit;
}

/** Run a peer to its end, which has to be a good one; gives what it said. */
export async function runPeer(
  program: string,
  args: readonly string[],
  options: ProcessOptions,
): Promise<readonly JsonLine[]> {
  await using process = await peer(program, args, options);
  return (await process.ended()).lines;
}
