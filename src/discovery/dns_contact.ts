/**
 * Getting in touch with one of dat's own discovery servers: its address, the port that answers, and
 * the token that it wants to see. Source: dns-discovery 6.2.3 `index.js`; spec of discovery,
 * section 4.
 */
import type { Timers } from "../io/timers.ts";
import { reachOf } from "./candidates.ts";
import { type Address, type DnsExchanges, GIVE_UP_MS } from "./dns_exchanges.ts";
import type { DnsMessage } from "./dns_message.ts";
import { answeredValues, encodeProbe } from "./dns_packets.ts";
import type { DnsServerAddress } from "./dns_server_address.ts";

/** The IPv4 address of a name. Rejects if it has none. */
export type ResolveHost = (name: string, signal: AbortSignal) => Promise<string>;

export interface DnsContactOptions {
  readonly timers: Timers;
  readonly random: () => number;
  readonly domain: string;
  readonly exchanges: DnsExchanges;
  readonly resolveHost: ResolveHost;
  /** There is a token. */
  readonly ready: () => void;
  /** It failed, or no longer does. */
  readonly changed: () => void;
}

/** A name that is not resolved by then is not resolved. */
const RESOLVE_MS = 5000;

/** What is done again and again is done after so long, and up to `JITTER_MS` more. */
export const REFRESH_MS = 60_000;
export const JITTER_MS = 10_000;

/** A token is good for that long. Source: dns-discovery 6.2.3, which makes new secrets then. */
const TOKEN_MS = 5 * 60_000;

/** Its own are base64 of 32 bytes. */
const MAX_TOKEN_LENGTH = 100;

export class DnsContact {
  readonly #given: DnsServerAddress;
  readonly #options: DnsContactOptions;
  #host: string | undefined;
  #portIndex = 0;
  #token: { readonly text: string; readonly at: number } | undefined;
  #isTrying = false;
  #failure: "unresolved" | "silent" | undefined;
  #publicAddress: Address | undefined;
  #abort = new AbortController();
  #cancel = () => {};

  constructor(given: DnsServerAddress, options: DnsContactOptions) {
    this.#given = given;
    this.#options = options;
  }

  get name(): string {
    return this.#given.host;
  }

  /** How long it takes to find out that it is silent. */
  get patienceMs(): number {
    return GIVE_UP_MS * this.#given.ports.length;
  }

  /** Why it is of no use; it is tried again all the same. */
  get failure(): "unresolved" | "silent" | undefined {
    return this.#failure;
  }

  /** Where it sees us, if it said so. */
  get publicAddress(): Address | undefined {
    return this.#publicAddress;
  }

  /** Where it is, as far as that is known. */
  get address(): Address | undefined {
    if (this.#host === undefined) return undefined;
    return { host: this.#host, port: this.#given.ports[this.#portIndex] };
  }

  /** Whether a packet may be of this server. */
  isAt({ host, port }: Address): boolean {
    return host === this.#host && this.#given.ports.includes(port);
  }

  /** The token to show, if there is one that is good. */
  get token(): string | undefined {
    const { timers } = this.#options;
    if (this.#token === undefined || timers.now() - this.#token.at >= TOKEN_MS) return undefined;
    return this.#token.text;
  }

  /** Every answer carries a token, and is a sign of life. */
  keepToken(values: ReadonlyMap<string, string> | undefined): void {
    const text = values?.get("token");
    if (text === undefined || text.length > MAX_TOKEN_LENGTH) return;
    this.#token = { text, at: this.#options.timers.now() };
    this.stop();
    const hadFailed = this.#failure !== undefined;
    this.#failure = undefined;
    if (hadFailed) this.#options.changed();
  }

  /** Get a token, unless that is being tried, or was tried a moment ago. */
  begin(): void {
    if (this.#isTrying) return;
    this.#isTrying = true;
    this.#token = undefined;
    this.#resolve();
  }

  /** It has not answered for long: have nothing to do with it for a while. */
  giveUp(failure: "unresolved" | "silent" = "silent"): void {
    const { timers, random, changed } = this.#options;
    this.#cancel();
    this.#isTrying = true;
    this.#token = undefined;
    this.#cancel = timers.after(REFRESH_MS + random() * JITTER_MS, () => this.#resolve());
    if (this.#failure === failure) return;
    this.#failure = failure;
    changed();
  }

  /** Leave it alone until the next `begin`. */
  stop(): void {
    this.#cancel();
    this.#abort.abort();
    this.#isTrying = false;
  }

  async #resolve(): Promise<void> {
    const { timers, resolveHost } = this.#options;
    const abort = this.#abort = new AbortController();
    let host: string | undefined = this.#given.host;
    if (reachOf(host) === "none") {
      const { promise: tooLate, resolve: giveUp } = Promise.withResolvers<undefined>();
      this.#cancel = timers.after(RESOLVE_MS, () => giveUp(undefined));
      const address = resolveHost(host, abort.signal).catch(() => undefined);
      host = await Promise.race([address, tooLate]);
      if (abort.signal.aborted) return;
      this.#cancel();
      abort.abort();
    }
    if (host === undefined) return this.giveUp("unresolved");
    this.#host = host;
    this.#probe(0);
  }

  /** Ask at one port after the other; the one that answers is kept. */
  #probe(portIndex: number): void {
    if (portIndex === this.#given.ports.length) return this.giveUp();
    this.#portIndex = portIndex;
    const { domain, exchanges } = this.#options;
    this.#cancel = exchanges.ask({
      to: this.address!,
      encode: (id) => encodeProbe(id, domain),
      answered: (answer) => this.#probed(answer, portIndex),
      gaveUp: () => this.#probe(portIndex + 1),
    });
  }

  #probed(answer: DnsMessage, portIndex: number): void {
    const { domain, ready } = this.#options;
    const values = answeredValues(answer, domain);
    this.keepToken(values);
    if (this.token === undefined) return this.#probe(portIndex + 1); // a server of another kind
    this.#publicAddress = publicAddressIn(values!);
    ready();
  }
}

function publicAddressIn(values: ReadonlyMap<string, string>): Address | undefined {
  const host = values.get("host") ?? "";
  const port = values.get("port") ?? "";
  if (host.includes(":") || reachOf(host) === "none" || !/^\d{1,5}$/.test(port)) return undefined;
  return Number(port) < 65536 ? { host, port: Number(port) } : undefined;
}
