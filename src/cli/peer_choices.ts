/** What the options of commands that meet peers come to. */
import { ANY_HOST, DEFAULT_PORT, type ListenOptions } from "../app/addresses.ts";
import { type DiscoveryChoice, stateFolder } from "../app/peer_search.ts";
import { UsageError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import { PeerNetwork } from "../mod.ts";
import type { PeerOptions } from "./context.ts";

/** Where a command that serves listens; nowhere where it has its one connection already. */
export function listenAlways(options: PeerOptions): ListenOptions | undefined {
  return options.stdio ? undefined : listenOn(options);
}

/** Where a command listens that meets peers in no other way. */
export function listenOn({ port, host = ANY_HOST, ws }: PeerOptions): ListenOptions {
  return { host, port: port ?? DEFAULT_PORT, ws, exact: port !== undefined && port !== 0 };
}

/**
 * Where a command that fetches listens; nowhere unless it was told to or lets itself be found.
 */
export function listenIfAsked(options: PeerOptions): ListenOptions | undefined {
  const { port, host = ANY_HOST, ws, stdio } = options;
  if (stdio) return undefined;
  if (port === undefined && ws === undefined && !host.startsWith("unix:")) {
    return isFound(options) ? { host, port: DEFAULT_PORT, exact: false } : undefined;
  }
  return { host, port, ws, exact: port !== undefined && port !== 0 };
}

/**
 * How a command finds peers; undefined where it finds none. Behind a proxy, and with a peer on
 * standard input and output, nothing is asked of the network unless that was said.
 */
export function discoveryOf(options: PeerOptions, world: World): DiscoveryChoice | undefined {
  if (!isFound(options)) return undefined;
  const { discovery, bootstrap, allowPrivate, portMap } = options;
  return {
    sources: discovery || undefined,
    bootstrap,
    allowPrivate,
    portMap,
    stateDir: stateFolder(world),
  };
}

function isFound({ discovery, proxy, stdio }: PeerOptions): boolean {
  if (discovery !== undefined) return discovery !== false;
  return proxy === undefined && !stdio;
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
