/** Asking a router for a port by NAT-PMP. Source: RFC 6886. Routers with PCP speak it as well. */
import { createSocket } from "node:dgram";
import { networkInterfaces } from "node:os";
import type { HostPort } from "../io/peer_address.ts";
import type { Timers } from "../io/timers.ts";
import { reachOf } from "./candidates.ts";
import type { Mapping, MapRequest, Router } from "./router.ts";

/** Source: RFC 6886, section 3.1. */
export const NAT_PMP_PORT = 5351;

/** When a question is sent, in ms. The RFC goes on to 64 seconds; nobody waits for that. */
const SENT_AT = [0, 250, 750, 1750];
const GIVE_UP_MS = 2_500;

const [OP_HOST, OP_MAP_TCP, OP_ANSWER] = [0, 2, 128];

/** Source: RFC 6886, section 3.5. */
const RESULTS: Readonly<Record<number, string>> = {
  1: "it does not speak this version",
  2: "it does not allow that",
  3: "it has no address of its own",
  4: "it has no port left",
  5: "it does not know how",
};

export class NatPmp implements Router {
  readonly protocol = "NAT-PMP";
  readonly #gateway: HostPort;
  readonly #timers: Timers;

  /** @param gateway An IPv4 address. */
  constructor(gateway: HostPort, { timers }: { readonly timers: Timers }) {
    this.#gateway = gateway;
    this.#timers = timers;
  }

  async map({ port, externalPort, lifetime }: MapRequest, signal: AbortSignal): Promise<Mapping> {
    const question = new DataView(new ArrayBuffer(12));
    question.setUint8(1, OP_MAP_TCP);
    question.setUint16(4, port);
    question.setUint16(6, externalPort);
    question.setUint32(8, lifetime);
    const answer = await this.#ask(question, 16, signal, (answer) => answer.getUint16(8) === port);
    return { externalPort: answer.getUint16(10), lifetime: answer.getUint32(12) };
  }

  async unmap({ port }: { readonly port: number }, signal: AbortSignal): Promise<void> {
    // Source: RFC 6886, section 3.4: no port and no lifetime.
    await this.map({ port, externalPort: 0, lifetime: 0 }, signal);
  }

  async externalHost(signal: AbortSignal): Promise<string | undefined> {
    const question = new DataView(new ArrayBuffer(2));
    question.setUint8(1, OP_HOST);
    try {
      const answer = await this.#ask(question, 12, signal, () => true);
      return [8, 9, 10, 11].map((at) => answer.getUint8(at)).join(".");
    } catch {
      return undefined;
    }
  }

  /** Ask until the router answers. @throws {Error} If it does not, or says no. */
  async #ask(
    question: DataView<ArrayBuffer>,
    length: number,
    signal: AbortSignal,
    isMeant: (answer: DataView) => boolean,
  ): Promise<DataView> {
    const { host, port } = this.#gateway;
    const op = OP_ANSWER + question.getUint8(1);
    const socket = createSocket("udp4");
    const cancels: (() => void)[] = [];
    let stop = () => {};
    try {
      return await new Promise<DataView>((resolve, reject) => {
        stop = () => reject(new Error("it did not answer"));
        signal.addEventListener("abort", stop);
        if (signal.aborted) stop();
        socket.on("error", reject);
        socket.on("message", (bytes, from) => {
          if (from.address !== host || from.port !== port || bytes.length < 4) return;
          const answer = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
          if (answer.getUint8(0) !== 0 || answer.getUint8(1) !== op) return;
          const result = answer.getUint16(2);
          if (result !== 0) reject(new Error(RESULTS[result] ?? `its answer is error ${result}`));
          else if (bytes.length >= length && isMeant(answer)) resolve(answer);
        });
        const send = () => socket.send(new Uint8Array(question.buffer), port, host, () => {});
        cancels.push(...SENT_AT.map((ms) => this.#timers.after(ms, send)));
        cancels.push(this.#timers.after(GIVE_UP_MS, stop));
      });
    } finally {
      signal.removeEventListener("abort", stop);
      for (const cancel of cancels) cancel();
      socket.close();
    }
  }
}

/** Local networks that are looked at. */
const MAX_NETWORKS = 2;

/**
 * Where the router of a local network is mostly: its first address or its last. No call of the
 * platform tells, and what Linux has in a file is for programs that may do everything. Empty if the
 * network interfaces may not be looked at either.
 */
export function likelyGateways(interfaces = networkInterfaces): string[] {
  let all: ReturnType<typeof networkInterfaces>;
  try {
    all = interfaces();
  } catch {
    return [];
  }
  const networks = Object.values(all).flatMap((infos) => infos ?? [])
    .filter(({ family, address }) => family === "IPv4" && reachOf(address) === "private")
    .slice(0, MAX_NETWORKS);
  return networks.flatMap(({ address, netmask }) => {
    const bits = (text: string) =>
      text.split(".").reduce((sum, part) => sum << 8 | Number(part), 0);
    const first = bits(address) & bits(netmask);
    const last = first | ~bits(netmask);
    return [first + 1, last - 1]
      .map((number) => [24, 16, 8, 0].map((shift) => number >>> shift & 255).join("."))
      .filter((host) => host !== address);
  });
}
