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
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Width of the terminal in columns; 80 when there is none. */
  readonly columns: number;
}

export type StopSignal = "SIGINT" | "SIGTERM";

export interface World {
  readonly clock: Clock;
  readonly stdout: Output;
  readonly stderr: Output;
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
}
