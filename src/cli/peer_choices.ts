/** What the options of commands that meet peers come to. */
import { ANY_HOST, DEFAULT_PORT, type ListenOptions, PeerNetwork } from "../app/addresses.ts";
import { UsageError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import type { PeerOptions } from "./context.ts";

/** Where a command that serves listens; nowhere where it has its one connection already. */
export function listenAlways(options: PeerOptions): ListenOptions | undefined {
  return options.stdio ? undefined : listenOn(options);
}

/** Where a command listens that meets peers in no other way. */
export function listenOn({ port, host = ANY_HOST, ws }: PeerOptions): ListenOptions {
  return { host, port: port ?? DEFAULT_PORT, ws, exact: port !== undefined && port !== 0 };
}

/** Where a command that fetches listens; nowhere unless it was told to. */
export function listenIfAsked(
  { port, host = ANY_HOST, ws, stdio }: PeerOptions,
): ListenOptions | undefined {
  if (stdio || port === undefined && ws === undefined && !host.startsWith("unix:")) {
    return undefined;
  }
  return { host, port, ws, exact: port !== undefined && port !== 0 };
}

/**
 * How a command meets peers.
 *
 * @throws {UsageError} If the wire would be on a terminal.
 */
export function networkOf(
  { proxy, up, down, maxPeers, stdio }: PeerOptions,
  { clock, stdin, stdout }: World,
): PeerNetwork {
  if (stdio && (stdin.isTerminal || stdout.isTerminal)) {
    throw new UsageError("Cannot meet a peer on a terminal", {
      hint: "join standard input and output to another trove, for example with a pipe and ssh",
    });
  }
  return new PeerNetwork(clock, { proxy, up, down, maxPeers });
}
