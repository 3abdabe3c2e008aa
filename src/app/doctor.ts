/**
 * Whether this machine can find and reach peers: one check after the other, each with what it found in
 * plain words and what to do about it.
 */
import type { World } from "../base/world.ts";
import { DEFAULT_PORT, type Proxy } from "../io/peer_address.ts";
import type { PeerNetwork } from "../io/peer_network.ts";
import {
  checkAddresses,
  checkListening,
  checkMulticast,
  checkNames,
  checkPortMap,
} from "./doctor_machine.ts";
import { checkPeer, checkProxy } from "./doctor_peers.ts";
import { lookAround } from "./doctor_search.ts";
import { chosenSources, type DiscoveryChoice } from "./peer_search.ts";

/** What one check found. */
export interface Check {
  /** Its name, for programs. */
  readonly check: string;
  /** `note`: worth knowing, and no obstacle by itself. */
  readonly state: "ok" | "note" | "problem";
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
}

export interface DoctorOptions {
  readonly world: World;
  readonly network: PeerNetwork;
  readonly proxy?: Proxy;
  /** How peers are looked for; undefined: they are not. */
  readonly discovery?: DiscoveryChoice;
  /** Where peers would connect to. */
  readonly host: string;
  readonly port: number;
  /** That port, and not any free one if it is taken. */
  readonly exact: boolean;
  /** Peers that are named. */
  readonly peers: readonly string[];
  /** The archive to look for: 32 bytes. */
  readonly publicKey?: Uint8Array;
  /** How long to wait for answers. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Told of each check as soon as it is done. */
  readonly onCheck: (check: Check) => void;
}

/**
 * Look into everything.
 *
 * @returns Whether peers can be found and reached, as far as can be known: one that has something of
 *   the link's archive, or one of those that were named, or else any.
 */
export async function runDoctor(options: DoctorOptions): Promise<boolean> {
  const { discovery, publicKey, peers, onCheck } = options;
  const tell = (check: Check) => {
    onCheck(check);
    return check.state !== "problem";
  };
  const reaches = options.proxy === undefined || tell(await checkProxy(options.proxy, options));
  tell(await checkListening(options));
  tell(checkAddresses());
  if (discovery?.portMap) tell(await checkPortMap(options.port || DEFAULT_PORT, options));
  let finds = false;
  let namesFail = false;
  if (discovery === undefined && peers.length === 0) tell(nobodyToMeet(options));
  if (discovery !== undefined) {
    if (chosenSources(discovery).includes("mdns")) {
      finds = tell(await checkMulticast(options.world));
    }
    const names = await checkNames(discovery, options.signal);
    if (names !== undefined) namesFail = !tell(names);
  }
  let meets = false;
  for (const peer of peers) {
    if (tell(await checkPeer(peer, options))) meets = true;
  }
  if (discovery !== undefined) {
    const { works, answered } = await lookAround(discovery, { ...options, namesFail, tell });
    finds ||= works;
    meets ||= answered;
  }
  if (!reaches) return false;
  return publicKey !== undefined || peers.length > 0 ? meets : finds;
}

function nobodyToMeet({ proxy }: DoctorOptions): Check {
  return {
    check: "discovery",
    state: "problem",
    message: proxy === undefined
      ? "Nobody is looked for, and no peer is named"
      : "Behind a proxy nobody is looked for unless that is said, and no peer is named",
    hint: "name one with --peer HOST:PORT, or say with --discovery how to find them",
  };
}
