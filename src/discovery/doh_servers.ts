/** Which DNS over HTTPS servers are asked, and how people name others. */
import { UsageError } from "../base/errors.ts";

/** Servers that answer DNS questions over HTTPS in JSON. Source: dat-dns 4.1.3. */
export const DOH_SERVERS: readonly string[] = [
  "https://cloudflare-dns.com/dns-query",
  "https://dns.google/resolve",
];

/**
 * DNS over HTTPS servers as people name them: URLs with commas or blanks between them, or `off`.
 *
 * @throws {UsageError}
 */
export function parseDoh(text: string): string[] {
  if (text.trim() === "off") return [];
  const urls = text.split(/[\s,]+/).filter((part) => part !== "");
  for (const url of urls.length === 0 ? [text] : urls) {
    if (URL.parse(url)?.protocol === "https:") continue;
    throw new UsageError(`Cannot use "${url}" as a DNS over HTTPS server`, {
      hint: `give a URL such as ${DOH_SERVERS[0]}, or off`,
    });
  }
  return urls;
}
