import assert from "node:assert/strict";
import * as errors from "../../src/base/errors.ts";
import { errorCodeOf, exitCodeOf } from "../../src/cli/exit_codes.ts";
import { ArchiveError } from "../../src/core/archive/archive_error.ts";

/** Source: the page on the command line, "Exit codes". */
const CODES: readonly (readonly [unknown, number, errors.ErrorCode])[] = [
  [new errors.TroveError("x"), 1, "failure"],
  [new errors.RemoteProtocolError("x"), 1, "failure"],
  [new errors.LocalProtocolError("x"), 1, "failure"],
  [new ArchiveError("x"), 1, "failure"],
  [new Error("x"), 1, "failure"],
  ["not even an error", 1, "failure"],
  [new errors.UsageError("x"), 2, "usage"],
  [new errors.NoPeersError("x"), 3, "no-peers"],
  [new errors.IncompleteError("x"), 4, "incomplete"],
  [new errors.ProofError("x"), 5, "verification"],
  [new errors.StorageError("x"), 6, "storage"],
  [new errors.LockedError("x"), 7, "locked"],
  [new errors.ForkError("x"), 8, "fork"],
  [new errors.NotFoundError("x"), 9, "not-found"],
  [new errors.InterruptedError("x", "SIGINT"), 130, "interrupted"],
  [new errors.InterruptedError("x", "SIGTERM"), 143, "interrupted"],
];

for (const [error, exitCode, code] of CODES) {
  const name = error instanceof errors.InterruptedError
    ? error.signal
    : error instanceof Error
    ? error.constructor.name
    : typeof error;
  Deno.test(`${name} ends in ${exitCode}, ${code}`, () => {
    assert.equal(exitCodeOf(error), exitCode);
    assert.equal(errorCodeOf(error), code);
  });
}
