/**
 * From the name of an archive to its key: a TXT record, asked for over HTTPS, or a file on the web
 * server of that name. Plain DNS is not asked, for its answers can be forged. Sources: DEP-0005
 * (draft), dat-dns 4.1.3; spec of discovery, section 8.
 */
import { equalBytes, fromHex, toHex } from "../base/bytes.ts";
import { NotFoundError, TroveError } from "../base/errors.ts";
import { formatSeconds } from "../base/format.ts";
import { type HttpsGet, httpsGet, UnreachableError } from "../io/https_get.ts";
import type { Proxy } from "../io/peer_address.ts";
import type { Timers } from "../io/timers.ts";
import { reachOf } from "./candidates.ts";
import { DOH_SERVERS, parseDoh } from "./doh_servers.ts";
import { holds, type KnownName, NameCache } from "./name_cache.ts";
import { type NameAnswer, readDnsAnswer, readNameFile, WELL_KNOWN_PATH } from "./name_records.ts";
import { type ArchiveName, parseName } from "./name_text.ts";

/** What people choose about names. */
export interface NameOptions {
  /** URLs of DNS over HTTPS servers; one of them is asked. None: only the web server is. */
  readonly doh?: readonly string[];
  /** Names and addresses of private networks are fine. */
  readonly allowPrivate?: boolean;
  /** Certificates to trust besides those that are trusted anyway. PEM. */
  readonly caCerts?: readonly string[];
}

export interface DatNamesOptions extends NameOptions {
  readonly timers: Timers;
  /** Milliseconds since 1970. */
  readonly wall: () => number;
  readonly random: () => number;
  /** Where what was found is kept; only in memory if left out. */
  readonly cacheFile?: string;
  readonly proxy?: Proxy;
  readonly get?: HttpsGet;
}

/** A name that leads to an archive. */
export interface ResolvedName {
  readonly host: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
  /** Seconds for which this holds from now on; 0 if it has to be looked up again each time. */
  readonly ttl: number;
  /** Who said so; `old`: nobody could be asked, and this was known from before. */
  readonly from: "dns" | "file" | "cache" | "old";
  readonly version?: number;
  /** The key that it had before, where that was another one. */
  readonly changedFrom?: Uint8Array;
  /** What people should know, as sentences without a period. */
  readonly warnings: readonly string[];
}

/** For each source, and for both together. */
const EACH_MS = 2000;
const TOTAL_MS = 5000;

/** Source: spec of discovery, section 8; spec of errors and limits, section 8. */
const MAX_DNS_BYTES = 64 * 1024;
const MAX_FILE_BYTES = 4 * 1024;

/** How long it is remembered that there is nothing, and that nothing could be found out. */
const MISS_MS = 60_000;
const FAILURE_MS = 5000;

const GIVE_DIGITS = "give the link's 64 hex digits";

export class DatNames {
  readonly #options: DatNamesOptions;
  readonly #cache: NameCache;
  readonly #get: HttpsGet;
  readonly #asking = new Map<string, Promise<ResolvedName>>();

  /** @throws {UsageError} If a DNS over HTTPS server is none. */
  constructor(options: DatNamesOptions) {
    if (options.doh?.length) parseDoh(options.doh.join(" "));
    this.#options = options;
    this.#cache = new NameCache(options.cacheFile);
    this.#get = options.get ?? httpsGet;
  }

  /**
   * The key of a name.
   *
   * @param text As `parseName` takes it.
   * @throws {UsageError} If it is no name, or one that is not looked up.
   * @throws {NotFoundError} If there is no archive of that name.
   * @throws {TroveError} If that could not be found out, and nothing is known from before.
   */
  async resolveName(text: string, signal?: AbortSignal): Promise<ResolvedName> {
    const name = parseName(text, this.#options);
    const { version } = name;
    const known = this.#cache.get(name.host);
    const now = this.#options.wall();
    if (known?.key !== undefined && holds(known.until, now)) {
      const ttl = Math.ceil((known.until! - now) / 1000);
      return { ...foundBefore(name, known.key), ttl, from: "cache", version };
    }
    if (known?.failure !== undefined && holds(known.failure.until, now)) {
      return { ...this.#fallBack(name, known, known.failure), version };
    }
    // Whoever asks while it is being asked gets the same answer.
    let asking = this.#asking.get(name.host);
    if (asking === undefined) {
      asking = this.#ask(name, signal).finally(() => this.#asking.delete(name.host));
      this.#asking.set(name.host, asking);
    }
    return { ...await asking, version };
  }

  async #ask(name: ArchiveName, signal?: AbortSignal): Promise<ResolvedName> {
    using total = this.#deadline(TOTAL_MS, signal);
    const dns = await this.#askDns(name, total.signal);
    const file = dns?.kind === "found" ? undefined : await this.#askFile(name, total.signal);
    signal?.throwIfAborted();
    const known = this.#cache.get(name.host);
    const now = this.#options.wall();
    for (const [from, answer] of [["dns", dns], ["file", file]] as const) {
      if (answer?.kind !== "found") continue;
      const { keys: [key], ttl } = answer;
      const before = known?.key === undefined ? undefined : fromHex(known.key);
      this.#cache.set(name.host, { key: toHex(key), found: now, until: now + 1000 * ttl });
      const changedFrom = before === undefined || equalBytes(before, key) ? undefined : before;
      const warnings = answer.keys.length > 1
        ? [
          `The name ${name.host} has ${answer.keys.length} keys in DNS; the one that all peers ` +
          `choose is taken`,
        ]
        : [];
      return { host: name.host, key, ttl, from, changedFrom, warnings };
    }
    const failure = whyNot(dns, file!);
    const until = now + (failure.kind === "none" ? MISS_MS : FAILURE_MS);
    this.#cache.set(name.host, { ...known, failure: { ...failure, until } });
    return this.#fallBack(name, known, failure);
  }

  /**
   * What was known before stands in where nothing could be found out.
   *
   * @throws {TroveError} If nothing was, or the owner has taken the name back.
   */
  #fallBack(
    { host }: ArchiveName,
    known: KnownName | undefined,
    { kind, why }: { readonly kind: "none" | "failed"; readonly why: string },
  ): ResolvedName {
    if (kind === "none") {
      throw new NotFoundError(`Cannot find an archive under the name "${host}": ${why}`, {
        hint: `check the spelling, or ${GIVE_DIGITS}`,
      });
    }
    if (known?.key === undefined) {
      throw new TroveError(`Cannot look up the name "${host}": ${why}`, {
        hint: `try again later, or ${GIVE_DIGITS}`,
      });
    }
    const seconds = Math.max(0, this.#options.wall() - (known.found ?? 0)) / 1000;
    const warning = `The name ${host} cannot be looked up (${why}); the link that it had ` +
      `${formatSeconds(seconds)} ago is taken`;
    return { ...foundBefore({ host }, known.key), ttl: 0, from: "old", warnings: [warning] };
  }

  /** Undefined if no server is asked. */
  async #askDns(name: ArchiveName, signal: AbortSignal): Promise<NameAnswer | undefined> {
    const { doh = DOH_SERVERS, random } = this.#options;
    // The operator of a public server has no business with names of a private network.
    if (doh.length === 0 || name.isPrivate) return undefined;
    const url = new URL(doh[Math.floor(random() * doh.length)]);
    url.searchParams.set("name", `${name.host}.`);
    url.searchParams.set("type", "TXT");
    return await this.#fetch(url, signal, {
      maxBytes: MAX_DNS_BYTES,
      accept: "application/dns-json",
      // Where it is was chosen by the user.
      isAllowed: () => true,
      read: ({ status, body }) =>
        status === 200 ? readDnsAnswer(body) : { kind: "failed", why: `it answers ${status}` },
    });
  }

  async #askFile(name: ArchiveName, signal: AbortSignal): Promise<NameAnswer> {
    const { allowPrivate } = this.#options;
    return await this.#fetch(new URL(`https://${name.host}${WELL_KNOWN_PATH}`), signal, {
      maxBytes: MAX_FILE_BYTES,
      isAllowed: (address) => allowPrivate || reachOf(address) === "public",
      read: ({ status, body }) => {
        if (status === 200) return readNameFile(body);
        if (status === 404 || status === 410) return { kind: "none" };
        const why = status >= 300 && status < 400
          ? "it answers with a redirect, which is not followed"
          : `it answers ${status}`;
        return { kind: "failed", why };
      },
    });
  }

  async #fetch(
    url: URL,
    within: AbortSignal,
    options: {
      readonly maxBytes: number;
      readonly accept?: string;
      readonly isAllowed: (address: string) => boolean;
      readonly read: (answer: { status: number; body: Uint8Array }) => NameAnswer;
    },
  ): Promise<NameAnswer> {
    const { proxy, caCerts } = this.#options;
    const { read, ...about } = options;
    using deadline = this.#deadline(EACH_MS, within);
    const { signal } = deadline;
    try {
      return read(await this.#get(url, { ...about, signal, proxy, caCerts }));
    } catch (error) {
      if (signal.aborted) return { kind: "failed", why: `no answer in ${EACH_MS / 1000} s` };
      if (!(error instanceof TroveError)) throw error;
      return {
        kind: "failed",
        why: error.message,
        unreachable: error instanceof UnreachableError,
      };
    }
  }

  #deadline(ms: number, within?: AbortSignal): Disposable & { readonly signal: AbortSignal } {
    const own = new AbortController();
    const cancel = this.#options.timers.after(ms, () => own.abort());
    const signal = within === undefined ? own.signal : AbortSignal.any([within, own.signal]);
    return { signal, [Symbol.dispose]: cancel };
  }
}

function foundBefore({ host }: { readonly host: string }, key: string) {
  return { host, key: fromHex(key), warnings: [] };
}

/** What two sources without a key come to. */
function whyNot(
  dns: NameAnswer | undefined,
  file: NameAnswer,
): { readonly kind: "none" | "failed"; readonly why: string } {
  const noRecord = dns?.kind === "none";
  if (file.kind === "none") {
    if (dns === undefined) return { kind: "none", why: `there is no ${WELL_KNOWN_PATH}` };
    if (noRecord) {
      return { kind: "none", why: `it has no dat record, and no ${WELL_KNOWN_PATH}` };
    }
  }
  const web = file.kind === "failed" ? file.why : `there is no ${WELL_KNOWN_PATH}`;
  if (noRecord && file.kind === "failed" && file.unreachable) {
    return { kind: "none", why: `it has no dat record, and no web server (${web})` };
  }
  if (dns === undefined) return { kind: "failed", why: `its web server: ${web}` };
  const asked = dns.kind === "failed" ? dns.why : "no dat record";
  return { kind: "failed", why: `DNS over HTTPS: ${asked}; its web server: ${web}` };
}
