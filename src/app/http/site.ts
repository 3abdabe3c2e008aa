/**
 * Archives behind one address: one of them at its root, several at the folders of their keys. Source:
 * spec of serving, sections 2.6 and 3.
 */
import { fromHex, toHex } from "../../base/bytes.ts";
import { formatLink } from "../../crypto/link.ts";
import type { ArchiveSource } from "../archive_source.ts";
import { formatIndex, LISTING_TYPES } from "./listing.ts";
import { type ArchiveOnline, plain, respond } from "./respond.ts";
import { encodePath, isOurHost, readTarget, type Target } from "./target.ts";

export interface SiteOptions {
  /** By key, 64 lower-case hex digits; undefined for the only one whose key is not known yet. */
  readonly archives: ReadonlyMap<string | undefined, ArchiveSource>;
  /** Names besides addresses and `localhost` that requests may be for. */
  readonly names: readonly string[];
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Told of what should not have happened. */
  readonly onError: (error: unknown) => void;
}

/** Of every answer. */
const HEADERS: Readonly<Record<string, string>> = {
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Origin-Agent-Cluster": "?1",
};

/**
 * What an archive's pages may do that share their origin with others: run, and see nothing of the
 * others.
 */
const FENCE =
  "sandbox allow-scripts allow-forms allow-popups allow-modals allow-downloads; frame-ancestors 'self'";

const KEY = /^([0-9a-f]{64})(?:\+(\d{1,15}))?$/i;

export class HttpSite {
  readonly #options: SiteOptions;
  readonly #isSingle: boolean;
  readonly #waits = { count: 0 };
  #port = 0;

  constructor(options: SiteOptions) {
    this.#options = options;
    this.#isSingle = options.archives.size === 1;
  }

  /** Where it was made to listen. */
  set port(port: number) {
    this.#port = port;
  }

  /** Answer a request. Never throws. */
  readonly handle = async (request: Request): Promise<Response> => {
    try {
      return await this.#route(request);
    } catch (error) {
      this.#options.onError(error);
      return plain(500, "Something went wrong\n", HEADERS);
    }
  };

  async #route(request: Request): Promise<Response> {
    const { names } = this.#options;
    if (!isOurHost(request.headers.get("Host"), this.#port, names)) {
      return plain(421, "This server does not go by that name\n", HEADERS);
    }
    if (request.method !== "GET" && request.method !== "HEAD") {
      return plain(405, "Archives are read-only here\n", { ...HEADERS, Allow: "GET, HEAD" });
    }
    const url = new URL(request.url);
    const target = readTarget(url);
    if (target === undefined) return plain(400, "That path makes no sense\n", HEADERS);
    const [first = "", ...rest] = target.names;
    const match = KEY.exec(first);
    if (match !== null && first !== first.toLowerCase()) {
      const path = encodePath([first.toLowerCase(), ...rest], target.isFolder);
      return new Response(null, {
        status: 308,
        headers: { ...HEADERS, Location: path + url.search },
      });
    }
    const [only] = this.#options.archives.values();
    if (match === null) {
      if (!this.#isSingle) return this.#index(request, target);
      if (target.names.join("/") === ".well-known/dat") return this.#wellKnown(only);
      return await respond(this.#online(only), { request, target, prefix: [] });
    }
    const source = this.#archiveOf(match[1]);
    if (source === undefined) return plain(404, "That archive is not served here\n", HEADERS);
    const pinned = match[2] === undefined ? undefined : Number(match[2]);
    const below = { ...target, names: rest };
    return await respond(this.#online(source), { request, target: below, prefix: [first], pinned });
  }

  #archiveOf(key: string): ArchiveSource | undefined {
    const { archives } = this.#options;
    const known = archives.get(key);
    const single = archives.get(undefined);
    if (known !== undefined || single === undefined) return known;
    return keyOf(single) === key ? single : undefined;
  }

  #online(source: ArchiveSource): ArchiveOnline {
    const headers = this.#isSingle ? HEADERS : { ...HEADERS, "Content-Security-Policy": FENCE };
    return { source, headers, now: this.#options.now, waits: this.#waits };
  }

  #index({ method }: Request, { names }: Target): Response {
    if (names.length > 0) return plain(404, "Not found\n", HEADERS);
    const keys = [...this.#options.archives.keys()].filter((key) => key !== undefined);
    const body = method === "HEAD" ? null : formatIndex(keys);
    const headers = { ...HEADERS, "Content-Type": LISTING_TYPES.html, "X-Frame-Options": "DENY" };
    return new Response(body, { status: 200, headers });
  }

  /** Source: DEP-0005; spec of serving, section 2.6. */
  #wellKnown(source: ArchiveSource): Response {
    const key = keyOf(source);
    if (key === undefined) return plain(404, "Not found\n", HEADERS);
    return plain(200, `${formatLink(fromHex(key))}\nTTL=3600\n`, HEADERS);
  }
}

function keyOf(source: ArchiveSource): string | undefined {
  try {
    using held = source.hold();
    return toHex(held.archive.metadata.publicKey);
  } catch {
    return undefined;
  }
}
