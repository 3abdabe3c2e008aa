/**
 * A World whose parts are the test's: a clock that it sets, randomness from a seed, output that it
 * reads, and signals that it raises. Home is a folder inside of a temporary one.
 */
import { concat } from "../../src/base/bytes.ts";
import type { Clock, Input, Output, StopSignal, World } from "../../src/base/world.ts";
import { run } from "../../src/cli/run.ts";
import { Random } from "./random.ts";
import type { TempFolder } from "./temp.ts";

/** A moment later than the file times that a test machine gives: files are old at first. */
export const START_MS = Date.UTC(2100, 0, 1);

export const TEST_VERSION = "1.2.3-test";

/** A JSON object of a command's stdout. */
// deno-lint-ignore no-explicit-any -- as JSON.parse gives it
export type JsonLine = Record<string, any>;

/** Keeps what is written, and wakes whoever waits for more. */
export class TestOutput implements Output {
  text = "";
  isTerminal = false;
  columns = 80;
  rows = 24;
  readonly #watchers = new Set<() => void>();

  /** What was written with `writeBytes`, apart from the text. */
  readonly pieces: Uint8Array[] = [];

  write(text: string): boolean {
    this.text += text;
    for (const watcher of [...this.#watchers]) watcher();
    return true;
  }

  writeBytes(bytes: Uint8Array): boolean {
    this.pieces.push(bytes.slice());
    return true;
  }

  /** Everything that was written with `writeBytes`. */
  get bytes(): Uint8Array {
    return concat(this.pieces);
  }

  get lines(): string[] {
    return this.text.split("\n").filter((line) => line !== "");
  }

  /** Every line as JSON; one that is not is an error. */
  get json(): JsonLine[] {
    return this.lines.map((line) => JSON.parse(line));
  }

  /** Resolves once `find` finds something in what was written, and at once if it does already. */
  async waitFor<T>(find: (output: TestOutput) => T | undefined): Promise<T> {
    for (;;) {
      const found = find(this);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        const watcher = () => {
          this.#watchers.delete(watcher);
          resolve();
        };
        this.#watchers.add(watcher);
      });
    }
  }

  /** The first whole line of JSON with this event. */
  event(name: string): Promise<JsonLine> {
    return this.waitFor(({ text }) =>
      text.split("\n").slice(0, -1).filter((line) => line !== "")
        .map((line): JsonLine => JSON.parse(line)).find((line) => line.event === name)
    );
  }
}

/** Says what the test lets it say. */
export class TestInput implements Input {
  isTerminal = false;
  bytes: Uint8Array = new Uint8Array(0);
  /** What is typed at a hidden prompt. */
  typed: string | undefined;
  /** What is typed at prompts that show it, one after the other. */
  answers: string[] = [];
  readonly prompts: string[] = [];

  readAll(): Promise<Uint8Array> {
    return Promise.resolve(this.bytes);
  }

  readLine(prompt: string): Promise<string | undefined> {
    this.prompts.push(prompt);
    return Promise.resolve(this.answers.shift());
  }

  readHidden(prompt: string): Promise<string | undefined> {
    this.prompts.push(prompt);
    return Promise.resolve(this.typed);
  }
}

export class TestClock implements Clock {
  /** Milliseconds since 1970. */
  wallMs = START_MS;
  /** Stands still where it is set; runs by itself where it is undefined, as sockets need it. */
  monotonicMs: number | undefined = 0;

  wall(): number {
    return this.wallMs;
  }

  monotonic(): number {
    return this.monotonicMs ?? performance.now();
  }
}

export interface TestWorldOptions {
  /** Two worlds of one seed draw the same bytes. */
  readonly seed?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The monotonic clock runs, for commands that meet peers. */
  readonly running?: boolean;
  /** Another name for the home folder, for a second user. */
  readonly home?: string;
}

export class TestWorld implements World {
  readonly clock = new TestClock();
  readonly stdout = new TestOutput();
  readonly stderr = new TestOutput();
  readonly stdin = new TestInput();
  readonly environment: Map<string, string>;
  readonly pid = 4242;
  homeFolder: string | undefined;
  workFolder: string;
  readonly #random: Random;
  readonly #handlers = new Set<(signal: StopSignal) => void>();
  readonly #restores = new Set<() => void>();
  #listened = () => {};

  constructor(temp: TempFolder, options: TestWorldOptions = {}) {
    this.homeFolder = temp.folder(options.home ?? "home");
    this.workFolder = temp.path;
    this.environment = new Map(Object.entries({ TROVE_DISCOVERY: "none", ...options.env }));
    this.#random = new Random(`world ${options.seed ?? options.home ?? ""}`);
    if (options.running) this.clock.monotonicMs = undefined;
  }

  randomBytes(length: number): Uint8Array {
    return this.#random.bytes(length).slice();
  }

  env(name: string): string | undefined {
    return this.environment.get(name);
  }

  home(): string | undefined {
    return this.homeFolder;
  }

  cwd(): string {
    return this.workFolder;
  }

  onStopSignal(handle: (signal: StopSignal) => void): Disposable {
    this.#handlers.add(handle);
    this.#listened();
    return { [Symbol.dispose]: () => void this.#handlers.delete(handle) };
  }

  beforeExit(restore: () => void): Disposable {
    this.#restores.add(restore);
    return { [Symbol.dispose]: () => void this.#restores.delete(restore) };
  }

  /** How many would be told if the process ended now. */
  get guards(): number {
    return this.#restores.size;
  }

  /** The process is about to end, as far as those are told who have something to restore. */
  exit(): void {
    for (const restore of [...this.#restores]) restore();
  }

  /** Whether anybody listens for signals. */
  get listens(): boolean {
    return this.#handlers.size > 0;
  }

  /** Wait until somebody listens: commands are loaded before they do. */
  async heard(): Promise<void> {
    while (!this.listens) await new Promise<void>((resolve) => this.#listened = resolve);
  }

  raise(signal: StopSignal): void {
    for (const handle of [...this.#handlers]) handle(signal);
  }

  /** Run a command line to its end; gives its exit code. */
  run(...args: readonly string[]): Promise<number> {
    return run(args, this, TEST_VERSION);
  }
}

/** How a command ended, and what this one alone wrote. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The lines of stdout as JSON, where all of them are. */
  readonly json: JsonLine[];
}

/** Run a command line in this process, and give what it wrote besides its exit code. */
export async function runIn(world: TestWorld, ...args: readonly string[]): Promise<Ran> {
  const from = [world.stdout.text.length, world.stderr.text.length];
  const code = await world.run(...args);
  const stdout = world.stdout.text.slice(from[0]);
  return {
    code,
    stdout,
    stderr: world.stderr.text.slice(from[1]),
    get json() {
      return stdout.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
    },
  };
}

/** A folder that is shared by `trove share` in this process, on a free port of loopback. */
export class Shared implements AsyncDisposable {
  constructor(
    readonly world: TestWorld,
    /** `dat://` and 64 hex digits. */
    readonly link: string,
    /** HOST:PORT to dial. */
    readonly address: string,
    readonly code: Promise<number>,
  ) {}

  async [Symbol.asyncDispose](): Promise<void> {
    this.world.raise("SIGTERM");
    await this.code;
  }
}

/** Share a folder until the result is disposed. The world has to be a fresh one. */
export async function shareIn(
  world: TestWorld,
  dir: string,
  ...extra: readonly string[]
): Promise<Shared> {
  world.clock.monotonicMs = undefined;
  const code = world.run(
    "share",
    dir,
    ...["--host", "127.0.0.1", "--port", "0", "--json", "--no-watch", ...extra],
  );
  const ready = Promise.all([world.stdout.event("archive"), world.stdout.event("listening")]);
  const ended = code.then((code) => {
    throw new Error(`share ended with ${code}: ${world.stderr.text}`);
  });
  // Once it is ready its end is no failure, and nobody waits for it here.
  ended.catch(() => {});
  const [{ link }, { host, port }] = await Promise.race([ready, ended]);
  return new Shared(world, link, `${host}:${port}`, code);
}
