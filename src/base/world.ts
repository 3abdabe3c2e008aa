/**
 * What a program needs of the machine apart from files and sockets, which live in `io`. Handed to
 * whoever needs it, so that tests give a world of their own.
 */

export interface Clock {
  /** Milliseconds of a clock that never goes back; its zero means nothing. */
  monotonic(): number;
  /** Milliseconds since 1970. */
  wall(): number;
}

/** A place to print to. */
export interface Output {
  /**
   * Answers false when nobody reads any more, as after `trove … | head`.
   *
   * @throws {StorageError} If it cannot be written, as when the disk behind it is full.
   */
  write(text: string): boolean;
  /** The same for bytes as they are. */
  writeBytes(bytes: Uint8Array): boolean;
  readonly isTerminal: boolean;
  /** Width of the terminal in columns, as it is now; 80 when there is none. */
  readonly columns: number;
  /** Its height in lines, as it is now; 24 when there is none. */
  readonly rows: number;
}

/** Where a person types, or another program's output comes in. */
export interface Input {
  readonly isTerminal: boolean;
  /**
   * All of it, up to `limit` bytes.
   *
   * @throws {UsageError} If there is more.
   */
  readAll(limit: number): Promise<Uint8Array>;
  /** Ask for a line on the terminal. Undefined if the person gives up with Ctrl-D. */
  readLine(prompt: string): Promise<string | undefined>;
  /**
   * Ask for a line on the terminal that is not shown while it is typed. Undefined if the person
   * gives up with Ctrl-C or Ctrl-D.
   */
  readHidden(prompt: string): Promise<string | undefined>;
}

export type StopSignal = "SIGINT" | "SIGTERM";

export interface World {
  readonly clock: Clock;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly stdin: Input;
  randomBytes(length: number): Uint8Array;
  env(name: string): string | undefined;
  /** The user's home directory, or undefined if the environment does not tell. */
  home(): string | undefined;
  cwd(): string;
  /** This process's number. */
  readonly pid: number;
  /**
   * Call `handle` on SIGINT and SIGTERM until the result is disposed. A second SIGINT ends the
   * process at once.
   */
  onStopSignal(handle: (signal: StopSignal) => void): Disposable;
  /**
   * Call `restore` if the process ends before the result is disposed, in whatever way it can notice:
   * a second SIGINT, a signal that nobody handles, an error that nobody caught.
   */
  beforeExit(restore: () => void): Disposable;
}
