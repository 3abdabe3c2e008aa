/**
 * The error classes. The class says whose fault it is and so what the catcher does; the `code` is
 * the word that `--json` prints and that `cli/exit_codes.ts` turns into an exit code.
 */

/** The words of the command line's `error` event, one per exit code. */
export type ErrorCode =
  | "failure"
  | "usage"
  | "no-peers"
  | "incomplete"
  | "verification"
  | "storage"
  | "locked"
  | "fork"
  | "not-found"
  | "interrupted";

/** Any failure trove expects. `hint` says what to try next, as one sentence without a period. */
export class TroveError extends Error {
  readonly code: ErrorCode = "failure";
  readonly hint?: string;

  constructor(message: string, options: { cause?: unknown; hint?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.hint = options.hint;
  }
}

/** The peer broke the protocol: drop that peer, the sync goes on. */
export class RemoteProtocolError extends TroveError {}

/** A block, node or signature does not match the signed tree. */
export class ProofError extends TroveError {
  override readonly code = "verification";
}

/** Two valid signatures over different histories of one key: the feed must not be used further. */
export class ForkError extends TroveError {
  override readonly code = "fork";
}

/** We tried to send something illegal: a bug, let it surface. */
export class LocalProtocolError extends TroveError {}

/** The disk or a stored feed is unusable: stop and keep the original as `cause`. */
export class StorageError extends TroveError {
  override readonly code = "storage";
}

/** Somebody put something where a file belongs since it was looked at: looking again may help. */
export class ObstacleError extends StorageError {}

/** Another process has this archive open for writing. */
export class LockedError extends TroveError {
  override readonly code = "locked";
}

/** No archive, path or version there. */
export class NotFoundError extends TroveError {
  override readonly code = "not-found";
}

/** Nobody was found or reachable. */
export class NoPeersError extends TroveError {
  override readonly code = "no-peers";
}

/** Peers were there, but not everything could be had from them in time. */
export class IncompleteError extends TroveError {
  override readonly code = "incomplete";
}

/** SIGINT or SIGTERM ended a command before its job was done. */
export class InterruptedError extends TroveError {
  override readonly code = "interrupted";
  readonly signal: "SIGINT" | "SIGTERM";

  constructor(message: string, signal: "SIGINT" | "SIGTERM", hint?: string) {
    super(message, { hint });
    this.signal = signal;
  }
}

/** The command line asks for the impossible. */
export class UsageError extends TroveError {
  override readonly code = "usage";
}

/** For the `default` of a `switch` over a union: a new member then fails to compile there. */
export function unreachable(value: never): never {
  throw new LocalProtocolError(`Cannot handle ${JSON.stringify(value)}: no case for it`);
}
