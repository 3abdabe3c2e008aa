/** What can be said of peers that were named, and of a proxy. */
import { TroveError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import { formatAddress, type Proxy } from "../io/peer_address.ts";
import { probeProxy } from "../io/net.ts";
import type { PeerNetwork } from "../io/peer_network.ts";
import type { Check } from "./doctor.ts";
import { greetPeer } from "./greet_peer.ts";

interface Options {
  readonly world: World;
  readonly network: PeerNetwork;
  /** The archive that is asked for: 32 bytes; without one it is enough that somebody is there. */
  readonly publicKey?: Uint8Array;
  readonly signal: AbortSignal;
}

const WRONG_ARCHIVE = "check the link, and what trove status says over there";

/** Whether somebody is at this address, and has the archive if one is asked for. */
export async function checkPeer(address: string, options: Options): Promise<Check> {
  const { publicKey, network, signal } = options;
  const hint = "check the address, that trove or dat runs there now, and the firewall on that side";
  if (publicKey !== undefined) {
    const { result, connected, message } = await greetPeer(address, publicKey, options);
    const check = { check: "peer", message: `Peer ${address}: ${message}` };
    if (result === "has") return { ...check, state: "ok" };
    return { ...check, state: "problem", hint: connected ? WRONG_ARCHIVE : hint };
  }
  try {
    const connection = await network.dial(address, { signal });
    connection.close();
    return { check: "peer", state: "ok", message: `Peer ${address}: somebody is there` };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof TroveError)) throw error;
    return { check: "peer", state: "problem", message: `Peer ${address}: ${error.message}`, hint };
  }
}

/** Whether the proxy is there, is one, and lets us in. */
export async function checkProxy(
  proxy: Proxy,
  { signal }: Pick<Options, "signal">,
): Promise<Check> {
  try {
    await probeProxy(proxy, { signal });
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof TroveError)) throw error;
    return {
      check: "proxy",
      state: "problem",
      message: `Nobody can be reached: ${error.message}`,
      hint: "check what --proxy or TROVE_PROXY says, or leave it out",
    };
  }
  return {
    check: "proxy",
    state: "ok",
    message: `The proxy at ${formatAddress(proxy)} lets us in`,
  };
}
