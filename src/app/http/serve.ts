/** Bringing archives online over HTTP. */
import { resolve } from "node:path";
import type { World } from "../../base/world.ts";
import { listenHttp } from "../../io/http_listener.ts";
import { type ArchiveSource, FolderSource } from "../archive_source.ts";
import { HttpSite, type SiteOptions } from "./site.ts";

/** Source: dat 13. */
const DEFAULT_PORT = 8080;

/** Pages elsewhere cannot get there, and neither can other machines. */
const DEFAULT_HOST = "127.0.0.1";

export interface ServeOptions {
  readonly world: World;
  readonly host?: string;
  /** 0 for any free one; if left out 8080, or a free one if that is taken. */
  readonly port?: number;
  readonly names?: readonly string[];
  readonly option: string;
  readonly onError?: (error: unknown) => void;
}

/** What is being served, until it is disposed of. */
export interface ServedSite extends AsyncDisposable {
  readonly url: string;
}

/** The sources stay the caller's. @throws {UsageError} If it cannot listen there. */
export function serveSite(
  archives: SiteOptions["archives"],
  { world, host = DEFAULT_HOST, port, names = [], option, onError = () => {} }: ServeOptions,
): ServedSite {
  const site = new HttpSite({ archives, names, onError, now: () => world.clock.wall() });
  const exact = port !== undefined && port !== 0;
  const listener = listenHttp({ host, port: port ?? DEFAULT_PORT, exact, option }, site.handle);
  site.port = listener.port;
  return { url: listener.url, [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose]() };
}

/** One folder's archive, as it is and as it becomes. @throws as `serveSite` */
export function serveFolder(
  dir: string,
  { world, port }: { readonly world: World; readonly port?: number },
): ServedSite {
  const source: ArchiveSource = new FolderSource(resolve(world.cwd(), dir), world);
  const site = serveSite(new Map([[undefined, source]]), { world, port, option: "--http" });
  return {
    url: site.url,
    async [Symbol.asyncDispose]() {
      await site[Symbol.asyncDispose]();
      await source[Symbol.asyncDispose]();
    },
  };
}
