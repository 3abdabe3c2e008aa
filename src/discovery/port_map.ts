/**
 * A port of the router that leads to ours, for `--port-map`: so that peers elsewhere can dial us.
 * NAT-PMP is asked for first, then UPnP. The mapping is renewed while it is in use and removed at
 * the end.
 *
 * The packages that do this start the program `ip` or read the whole environment, which needs more
 * permissions than this is worth, and one does not tell which port it was given.
 */
import { TroveError } from "../base/errors.ts";
import type { HostPort } from "../io/peer_address.ts";
import type { Timers } from "../io/timers.ts";
import { likelyGateways, NAT_PMP_PORT, NatPmp } from "./nat_pmp.ts";
import type { Mapping, Router } from "./router.ts";
import { within } from "./time_limit.ts";
import { findUpnpRouter } from "./upnp.ts";

export interface PortMapOptions {
  /** Our TCP port. */
  readonly port: number;
  readonly timers: Timers;
  readonly random: () => number;
  readonly signal?: AbortSignal;
  /** Whom to ask by NAT-PMP; the likely addresses if it is left out. */
  readonly gateway?: HostPort;
  /** Whom to ask for UPnP routers; everybody nearby if it is left out. */
  readonly ssdp?: HostPort;
  /** The mapping was lost, found again, or has another port or address now. */
  readonly changed?: () => void;
}

export interface PortMap {
  readonly protocol: Router["protocol"];
  /** The router's address; a private one means that there is another router behind it. */
  readonly externalHost: string | undefined;
  readonly externalPort: number;
  /** Why the mapping may be gone, as a clause for people; undefined while it is there. */
  readonly problem: string | undefined;
  /** Take the mapping back, within two seconds. */
  close(): Promise<void>;
}

/** Asked for, in seconds: short enough that a killed program leaves nothing for long. */
const LIFETIME = 3600;

/** Lifetimes that are believed, whatever the router says, in seconds. */
const LIFETIME_LIMITS = { least: 120, most: 24 * 3600 };

/** A renewal that failed is tried again after this. */
const RETRY_MS = 60_000;

const OPEN_MS = 15_000;
const RENEW_MS = 10_000;
const CLOSE_MS = 1_500;

/** External ports that are tried: our own number, then others. */
const PORT_ATTEMPTS = 4;

/** Ports that anybody may use. Source: RFC 6335. */
const FREE_PORTS = { least: 49152, count: 16384 };

/**
 * Takes fifteen seconds at most.
 *
 * @throws {TroveError} If no router maps the port.
 */
export async function openPortMap(options: PortMapOptions): Promise<PortMap> {
  const { port, timers, signal } = options;
  const reasons: string[] = [];
  const opened = await within(OPEN_MS, { timers, signal }, async (signal) => {
    for await (const router of routers(options, signal)) {
      try {
        const mapping = await mapSomewhere(router, options, signal);
        const host = await router.externalHost(signal);
        return new OpenPortMap(router, { mapping, host }, options);
      } catch (error) {
        reasons.push(`${router.protocol}: ${(error as Error).message}`);
      }
    }
  });
  if (opened !== undefined) return opened;
  const reason = reasons.length === 0 ? "no router was found" : reasons.join("; ");
  throw new TroveError(`Cannot map port ${port}: ${reason}`, {
    hint: "forward the port in the router's own pages, or go on without",
  });
}

async function* routers(options: PortMapOptions, signal: AbortSignal): AsyncGenerator<Router> {
  const { timers, ssdp, gateway } = options;
  if (gateway !== undefined) yield new NatPmp(gateway, { timers });
  else {
    const guesses = likelyGateways().map((host) =>
      new NatPmp({ host, port: NAT_PMP_PORT }, { timers })
    );
    const answering = await firstToAnswer(guesses, signal);
    if (answering !== undefined) yield answering;
  }
  const upnp = await findUpnpRouter({ timers, signal, ssdp });
  if (upnp !== undefined) yield upnp;
}

async function firstToAnswer(
  guesses: readonly Router[],
  signal: AbortSignal,
): Promise<Router | undefined> {
  return await Promise.any(guesses.map(async (router) => {
    if (await router.externalHost(signal) === undefined) throw new Error("it did not answer");
    return router;
  })).catch(() => undefined);
}

/** @throws {Error} What the router said last. */
async function mapSomewhere(
  router: Router,
  { port, random }: PortMapOptions,
  signal: AbortSignal,
): Promise<Mapping> {
  let externalPort = port;
  for (let attempt = 1;; attempt++) {
    try {
      const mapping = await router.map({ port, externalPort, lifetime: LIFETIME }, signal);
      if (mapping.externalPort > 0) return mapping;
      throw new Error("it names no port");
    } catch (error) {
      // NAT-PMP chooses another port by itself; with UPnP somebody else may have this one.
      const isOver = router.protocol === "NAT-PMP" || attempt === PORT_ATTEMPTS || signal.aborted;
      if (isOver) throw error;
      externalPort = FREE_PORTS.least + Math.floor(random() * FREE_PORTS.count);
    }
  }
}

class OpenPortMap implements PortMap {
  readonly protocol: Router["protocol"];
  externalHost: string | undefined;
  externalPort: number;
  problem: string | undefined;
  readonly #router: Router;
  readonly #options: PortMapOptions;
  readonly #closing = new AbortController();
  #cancel = () => {};
  #renewing = Promise.resolve();

  constructor(
    router: Router,
    { mapping, host }: { readonly mapping: Mapping; readonly host: string | undefined },
    options: PortMapOptions,
  ) {
    this.protocol = router.protocol;
    this.externalHost = host;
    this.externalPort = mapping.externalPort;
    this.#router = router;
    this.#options = options;
    this.#renewAfter(halfLifeOf(mapping));
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#cancel();
    await this.#renewing;
    const { port, timers } = this.#options;
    try {
      await within(
        CLOSE_MS,
        { timers },
        (signal) => this.#router.unmap({ port, externalPort: this.externalPort }, signal),
      );
    } catch {
      // The router forgets it by itself.
    }
  }

  #renewAfter(ms: number): void {
    this.#cancel = this.#options.timers.after(ms, () => this.#renewing = this.#renew());
  }

  async #renew(): Promise<void> {
    const { port, timers, changed = () => {} } = this.#options;
    const { signal } = this.#closing;
    const before = `${this.problem} ${this.externalHost} ${this.externalPort}`;
    let pause = RETRY_MS;
    try {
      await within(RENEW_MS, { timers, signal }, async (signal) => {
        const { externalPort } = this;
        const mapping = await this.#router.map({ port, externalPort, lifetime: LIFETIME }, signal);
        if (mapping.externalPort === 0) throw new Error("it names no port");
        this.externalPort = mapping.externalPort;
        this.externalHost = await this.#router.externalHost(signal) ?? this.externalHost;
        this.problem = undefined;
        pause = halfLifeOf(mapping);
      });
    } catch (error) {
      this.problem = `the router does not renew the mapping: ${(error as Error).message}`;
    }
    if (signal.aborted) return;
    this.#renewAfter(pause);
    if (before !== `${this.problem} ${this.externalHost} ${this.externalPort}`) changed();
  }
}

/** When to renew, in ms. Source: RFC 6886, section 3.3: after half of the lifetime. */
function halfLifeOf({ lifetime }: Mapping): number {
  const { least, most } = LIFETIME_LIMITS;
  return Math.min(Math.max(lifetime, least), most) / 2 * 1000;
}
