/**
 * Names of archives: what people write, and which names are looked up at all. Source: DEP-0005
 * (draft), dat-dns 4.1.3; spec of discovery, section 8.
 */
import { UsageError } from "../base/errors.ts";
import { reachOf } from "./candidates.ts";

/** A name out of a text, ready to be looked up. */
export interface ArchiveName {
  /** In lower case, letters beyond ASCII encoded (`xn--`), without a final dot. */
  readonly host: string;
  /** The host is one that the rest of the world has no business with. */
  readonly isPrivate: boolean;
  /** From `+VERSION` behind the host. */
  readonly version?: number;
}

/** Scheme, user, host, port, version, and whatever follows. */
const PARTS =
  /^(?:(dat|https?):\/\/)?(?:[^/?#@]*@)?([^/?#+:@%\s]+)(?::\d{1,5})?(?:\+(\d{1,15}))?(?::\d{1,5})?(?:[/?#].*)?$/is;

/** A name that may be written without a scheme: it ends as domains do. */
const BARE = /^[\p{L}\p{M}\p{N}_-]+(?:\.[\p{L}\p{M}\p{N}_-]+)*\.(?:\p{L}{2,}|xn--[a-z0-9-]+)\.?$/iu;

const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

const MAX_HOST_LENGTH = 253;

/** Names with these ends are not for everybody. Source: RFC 6761, 6762, 7686. */
const PRIVATE_ENDS = ["localhost", "local", "internal", "onion"];

/**
 * Whether a text is meant as a name: with `dat://` or `https://` before it, or by its looks. What
 * has a key in it never is; that is for the caller to see first.
 */
export function isName(text: string): boolean {
  const match = PARTS.exec(text);
  if (match === null) return false;
  const [, scheme, host] = match;
  return BARE.test(host) || (scheme !== undefined && (host.includes(".") || isLocal(host)));
}

/**
 * The name in a text: `dat://example.org/path`, `example.org+5`, `Example.ORG.`
 *
 * @param options.allowPrivate Take names of this machine and of private networks too.
 * @throws {UsageError} If it is no name, or one that is not looked up.
 */
export function parseName(
  text: string,
  { allowPrivate = false }: { allowPrivate?: boolean } = {},
): ArchiveName {
  const match = PARTS.exec(text);
  const host = match === null ? undefined : encodeHost(match[2]);
  if (host === undefined) {
    throw new UsageError(`Cannot read "${text.slice(0, 100)}" as a name`, {
      hint: "names are like example.org",
    });
  }
  const isAddress = /^[\d.]+$/.test(host);
  const isPrivate = isAddress || !host.includes(".") || isLocal(host);
  if (isPrivate && (!allowPrivate || isAddress && reachOf(host) === "none")) {
    const what = isAddress ? "an address" : "a name of a private network";
    throw new UsageError(`Cannot look up "${host}": it is ${what}, not a name for everybody`, {
      hint: "give the link's 64 hex digits, or --allow-private where it is your own network",
    });
  }
  const version = match![3] === undefined ? undefined : Number(match![3]);
  return { host, isPrivate, version };
}

function isLocal(host: string): boolean {
  const last = host.replace(/\.$/, "").toLowerCase().split(".").at(-1)!;
  return PRIVATE_ENDS.includes(last);
}

/** As the network has it; undefined if it cannot be a host. */
function encodeHost(text: string): string | undefined {
  // `URL` knows IDNA, and every way to write an IPv4 address.
  const host = URL.parse(`https://${text}/`)?.hostname.replace(/\.$/, "");
  if (host === undefined || host.length > MAX_HOST_LENGTH) return undefined;
  return host.split(".").every((label) => LABEL.test(label)) ? host : undefined;
}
