/** What the options of commands that meet peers come to. */
import { ANY_HOST, DEFAULT_PORT, type ListenOptions, PeerNetwork } from "../app/addresses.ts";
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

/** How a command meets peers. */
export function networkOf({ proxy, up, down }: PeerOptions, { clock }: World): PeerNetwork {
  return new PeerNetwork(clock, { proxy, up, down });
}
