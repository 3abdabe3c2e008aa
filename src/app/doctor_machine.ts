/** What can be said of this machine by itself: its addresses, its ports, its multicast, its resolver. */
import type { World } from "../base/world.ts";
import { isAddress, reachOf } from "../discovery/candidates.ts";
import { probeMulticast } from "../discovery/mdns_probe.ts";
import { localMulticast } from "../discovery/mdns_socket.ts";
import { openPortMap } from "../discovery/port_map.ts";
import { hostsAsked } from "../discovery/sources.ts";
import { TroveError, UsageError } from "../base/errors.ts";
import { listenForPeers } from "../io/net.ts";
import { ANY_HOST, formatAddress } from "../io/peer_address.ts";
import { openTcp } from "../io/tcp.ts";
import { realTimers } from "../io/timers.ts";
import type { Check } from "./doctor.ts";
import { chosenSources, type DiscoveryChoice, randomOf } from "./peer_search.ts";

/** A connection to ourselves takes no longer, if it comes about. */
const SELF_MS = 2000;

/** Names that are looked up at once, and how long. */
const MAX_NAMES = 4;
const NAMES_MS = 3000;

/**
 * Addresses of this machine that others may know it by. Undefined if we may not ask. Link-local ones
 * of IPv6 are left out: they mean nothing without the interface.
 */
function ownAddresses(): { name: string; address: string }[] | undefined {
  try {
    return Deno.networkInterfaces().filter(({ address }) =>
      reachOf(address) !== "loopback" && !/^fe80:/i.test(address)
    );
  } catch {
    return undefined;
  }
}

/** Which addresses this machine has, and what that means for others. */
export function checkAddresses(): Check {
  const check = "addresses";
  const all = ownAddresses();
  if (all === undefined) {
    return {
      check,
      state: "note",
      message: "The addresses of this machine are not known",
      hint: "run with --allow-sys=networkInterfaces to see them",
    };
  }
  if (all.length === 0) {
    return {
      check,
      state: "problem",
      message: "This machine has no network address but its own loopback",
      hint: "connect it to a network",
    };
  }
  const list = all.map(({ name, address }) => `${address} (${name})`).join(", ");
  if (all.some(({ address }) => reachOf(address) === "public")) {
    return {
      check,
      state: "ok",
      message: `This machine's addresses: ${list}. At a public one others can reach it from ` +
        "anywhere, as far as firewalls let them",
    };
  }
  return {
    check,
    state: "note",
    message:
      `This machine's addresses: ${list}. All are private: others can reach it from its own ` +
      "network, and from elsewhere only if a router passes the port on",
    hint: "to be reached from elsewhere, use --port-map or forward the TCP port in the router",
  };
}

/** Whether we can listen, and whether a connection to ourselves comes about. */
export async function checkListening(
  { host, port, exact, signal }: {
    readonly host: string;
    readonly port: number;
    readonly exact: boolean;
    readonly signal: AbortSignal;
  },
): Promise<Check> {
  const check = "listen";
  let listener;
  try {
    listener = await listenForPeers({ host, port, exact });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const hint = error.hint ?? "choose another address or port with --host and --port";
    return { check, state: "problem", message: error.message, hint };
  }
  using open = listener;
  const serving = open.serve((connection) => connection.close());
  const { port: actual } = open.addr;
  const refused: string[] = [];
  const hosts = host === ANY_HOST ? (ownAddresses() ?? []).map(({ address }) => address) : [host];
  await Promise.all(hosts.map(async (host) => {
    try {
      const timely = AbortSignal.any([signal, AbortSignal.timeout(SELF_MS)]);
      (await openTcp({ host, port: actual }, { signal: timely })).close();
    } catch {
      signal.throwIfAborted();
      refused.push(formatAddress({ host, port: actual }));
    }
  }));
  open.close();
  await serving;
  if (refused.length > 0) {
    return {
      check,
      state: "problem",
      message: `Port ${actual} is closed: not even this machine can connect to ` +
        refused.join(" and "),
      hint: `let TCP port ${actual} through this machine's firewall; until then only peers that ` +
        "trove dials itself are met",
    };
  }
  if (port !== 0 && actual !== port) {
    return {
      check,
      state: "note",
      message:
        `Port ${port} is taken, maybe by another trove or dat: port ${actual} was free, and ` +
        "open as far as this machine can tell",
      hint: `a router or firewall that lets port ${port} through does so for that other program`,
    };
  }
  return {
    check,
    state: "ok",
    message: `Port ${actual} is free, and open as far as this machine can tell`,
  };
}

/** Whether the router passes a port on when it is asked to. It is taken back at once. */
export async function checkPortMap(
  port: number,
  { world, signal }: { readonly world: World; readonly signal: AbortSignal },
): Promise<Check> {
  const check = "port-map";
  try {
    const timers = realTimers(world.clock);
    const map = await openPortMap({ port, timers, random: () => randomOf(world), signal });
    await map.close();
    const { protocol, externalHost, externalPort } = map;
    const at = externalHost === undefined ? "" : ` of ${externalHost}`;
    const message = `The router passes port ${externalPort}${at} on when asked (${protocol})`;
    if (externalHost === undefined || reachOf(externalHost) === "public") {
      return { check, state: "ok", message };
    }
    return {
      check,
      state: "note",
      message: `${message}, but that address is private too: there is another router behind it`,
      hint: "forward the port in that one as well, if it is yours",
    };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof TroveError)) throw error;
    return { check, state: "problem", message: error.message, hint: error.hint };
  }
}

/** Whether multicast goes out and comes back. */
export async function checkMulticast(world: World): Promise<Check> {
  const check = "multicast";
  const { trouble, interfaces } = await probeMulticast({
    network: localMulticast,
    timers: realTimers(world.clock),
    randomBytes: (length) => world.randomBytes(length),
  });
  const hint =
    "see that no program keeps UDP port 5353 to itself, and let it through this machine's " +
    "firewall; peers on the same network are " +
    "met with --peer HOST:PORT until then";
  if (trouble !== undefined) {
    return { check, state: "problem", message: `Multicast does not work: ${trouble}`, hint };
  }
  const deaf = interfaces.filter(({ heard }) => !heard).map(({ address }) => address);
  const heard = interfaces.filter(({ heard }) => heard).map(({ address }) => address);
  if (heard.length === 0) {
    const message =
      `Multicast does not come back to this machine (${deaf.join(", ")}): nobody on ` +
      "its network is found that way";
    return { check, state: "problem", message, hint };
  }
  if (heard.every((address) => reachOf(address) === "loopback")) {
    return { check, state: "problem", ...whyAlone() };
  }
  if (deaf.length > 0) {
    const message = `Multicast works at ${heard.join(", ")}, and not at ${deaf.join(", ")}`;
    return { check, state: "note", message, hint };
  }
  const known = heard.filter((address) => address !== "0.0.0.0").join(", ");
  const message = `Multicast works here${known === "" ? "" : ` (${known})`}: peers on the same ` +
    "network are found, if it passes multicast on";
  return { check, state: "ok", message };
}

/** Why multicast stays within this machine. */
function whyAlone(): Pick<Check, "message" | "hint"> {
  if (ownAddresses()?.length) {
    return {
      message: "Multicast works within this machine only: it has IPv6 addresses alone, and peers " +
        "are looked for by IPv4",
      hint: "name peers by their addresses, with --peer [ADDRESS]:PORT",
    };
  }
  return {
    message: "Multicast works within this machine only: it is in no network",
    hint: "connect it to a network",
  };
}

/** Whether names of servers can be looked up; undefined if none has to be. */
export async function checkNames(
  choice: DiscoveryChoice,
  signal: AbortSignal,
): Promise<Check | undefined> {
  const hosts = hostsAsked(chosenSources(choice), choice);
  const names = [...new Set(hosts.filter((host) => !isAddress(host)))].slice(0, MAX_NAMES);
  if (names.length === 0) return undefined;
  const timely = AbortSignal.any([signal, AbortSignal.timeout(NAMES_MS)]);
  const answers = await Promise.all(names.map(async (name) => {
    try {
      await Deno.resolveDns(name, "A", { signal: timely });
      return true;
    } catch (error) {
      signal.throwIfAborted();
      return error instanceof Deno.errors.NotFound; // there is no such name, says a name server
    }
  }));
  const check = "names";
  if (answers.includes(true)) {
    return { check, state: "ok", message: "A name server answers" };
  }
  return {
    check,
    state: "problem",
    message: `Names of servers cannot be looked up (tried ${names.join(", ")})`,
    hint:
      "check this machine's name server (on Linux /etc/resolv.conf); servers and nodes can be " +
      "given by number, for example --bootstrap dht=192.0.2.7:6881",
  };
}
