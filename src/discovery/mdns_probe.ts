/**
 * Whether multicast works here at all: a packet that is sent to the group has to come back to us. What
 * stands in its way is usually a firewall of this machine. Says nothing of what the network passes on.
 */
import type { Timers } from "../io/timers.ts";
import { equalBytes, toHex } from "../base/bytes.ts";
import type { LocalInterface, MulticastNetwork } from "./mdns_network.ts";
import { encodeDatQuestion, PORT } from "./mdns_packets.ts";

/** Packets get lost: it is sent at once and at each of these times, in milliseconds. */
const AGAIN_AT_MS = [300, 800];

/** How long to listen. */
export const PROBE_MS = 1500;

export interface ProbeResult {
  /** Why nothing could be sent, as a clause for people; undefined if it could. */
  readonly trouble: string | undefined;
  /** Each interface, and whether what was sent there came back. */
  readonly interfaces: readonly (LocalInterface & { readonly heard: boolean })[];
}

/**
 * Send a question that nobody can answer, and see on which interfaces it comes back. Takes
 * `PROBE_MS` at most, and less when all is well. Loopback is left out where there are others.
 *
 * An interface that the system does not name (`0.0.0.0`) counts as heard when it comes back from
 * anywhere.
 */
export async function probeMulticast(
  { network, timers, randomBytes }: {
    readonly network: MulticastNetwork;
    readonly timers: Timers;
    readonly randomBytes: (length: number) => Uint8Array;
  },
): Promise<ProbeResult> {
  const all = network.interfaces();
  if (all.length === 0) {
    return { trouble: "no network interface has an IPv4 address", interfaces: [] };
  }
  const outer = all.filter(({ address }) => !address.startsWith("127."));
  const probed = outer.length > 0 ? outer : all;
  const question = encodeDatQuestion(toHex(randomBytes(20)));
  const heardFrom = new Set<string>();
  const cancels: (() => void)[] = [];
  const isHeard = ({ address }: LocalInterface) =>
    address === "0.0.0.0" ? heardFrom.size > 0 : heardFrom.has(address);

  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const socket = network.open(all, {
    opened() {
      for (const ms of [0, ...AGAIN_AT_MS]) {
        cancels.push(timers.after(ms, () => socket.send(question, PORT)));
      }
    },
    received(bytes, { host }) {
      if (!equalBytes(bytes, question)) return;
      heardFrom.add(host);
      if (probed.every(isHeard)) resolve(undefined);
    },
    sent() {},
    failed: resolve,
  });
  cancels.push(timers.after(PROBE_MS, () => resolve(undefined)));
  const trouble = await promise;
  for (const cancel of cancels) cancel();
  await socket.close();
  return { trouble, interfaces: probed.map((one) => ({ ...one, heard: isHeard(one) })) };
}
