/** What the options of commands that meet peers come to. */
import { ANY_HOST, DEFAULT_PORT, type ListenOptions, PeerNetwork } from "../app/addresses.ts";
import { UsageError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import type { PeerOptions } from "./context.ts";

/** Where a command that serves listens; nowhere where it has its one connection already. */
export function listenAlways(options: PeerOptions): ListenOptions | undefined {
  if (options.stdio) return undefined;
  return listenIfAsked({ ...options, port: options.port ?? DEFAULT_PORT }, options.port);
}

/** Where a command that fetches listens; nowhere unless it was told to. */
export function listenIfAsked(
  { port, host = ANY_HOST, ws, stdio }: PeerOptions,
  asked: number | undefined = port,
): ListenOptions | undefined {
  if (stdio || port === undefined && ws === undefined && !host.startsWith("unix:")) {
    return undefined;
  }
  return { host, port, ws, exact: asked !== undefined && asked !== 0 };
}

/**
 * How a command meets peers.
 *
 * @throws {UsageError} If the wire would be on a terminal.
 */
export function networkOf(
  { proxy, up, down, stdio }: PeerOptions,
  { clock, stdin, stdout }: World,
): PeerNetwork {
  if (stdio && (stdin.isTerminal || stdout.isTerminal)) {
    throw new UsageError("Cannot meet a peer on a terminal", {
      hint: "join standard input and output to another trove, for example with a pipe and ssh",
    });
  }
  return new PeerNetwork(clock, { proxy, up, down });
}
