/**
 * One archive over HTTP: its files, folders and versions, read-only. Source: spec of the command lines,
 * "HTTP view"; of serving, sections 2 and 3.
 */
import {
  IncompleteError,
  NoPeersError,
  NotFoundError,
  ProofError,
  TroveError,
} from "../../base/errors.ts";
import { toHex } from "../../base/bytes.ts";
import { kindOfMode } from "../../core/archive/entry.ts";
import { compareNames } from "../../core/archive/tree_path.ts";
import { delay } from "../../io/pause.ts";
import type { ArchiveSource, BlockOrder, HeldArchive } from "../archive_source.ts";
import type { ArchiveView, ViewedFile } from "../archive_view.ts";
import { fileBytes } from "../file_bytes.ts";
import { fileTag, listingTag, matchesTag } from "./etag.ts";
import { chooseFormat, formatListing, LISTING_TYPES, sortedItems } from "./listing.ts";
import { readManifest, type WebManifest } from "./manifest.ts";
import { mediaType } from "./media_types.ts";
import { parseRange } from "./ranges.ts";
import { encodePath, type Target } from "./target.ts";

/** Whoever waits for a version is sent away after so long, and looked after so often. */
const MAX_WAIT_MS = 30_000;
const WAIT_LOOK_MS = 200;
/** Requests that wait at once. */
const MAX_WAITING = 100;

/** Seconds after which it is worth asking again for what no peer had. */
const RETRY_SECONDS = "10";

/** What is asked of an archive. */
export interface ArchiveRequest {
  readonly request: Request;
  readonly target: Target;
  /** Names before the archive's root, as in `/KEY/`. */
  readonly prefix: readonly string[];
  /** The version that the path names, and so one whose bytes never change. */
  readonly pinned?: number;
}

/** How an archive is shown. */
export interface ArchiveOnline {
  readonly source: ArchiveSource;
  /** Headers of every answer: an archive beside others is fenced in. */
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** How many requests wait for a version, on all archives together. */
  readonly waits: { count: number };
}

const LISTING_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; " +
  "form-action 'none'; frame-ancestors 'none'";

/** @throws {TroveError} Nothing that can be answered. */
export async function respond(online: ArchiveOnline, asked: ArchiveRequest): Promise<Response> {
  const { target } = asked;
  const ended = new AbortController();
  // The request's own signal is aborted when all went well, too: the body is told when it is not.
  const { signal } = ended;
  try {
    await online.source.ready();
    const refused = await waitFor(target, online, signal);
    if (refused !== undefined) return refused;
    // Handed on to the body where there is one, and closed by it.
    using stack = new DisposableStack();
    stack.defer(() => ended.abort(new NotFoundError("Nobody waits any more")));
    const held = stack.use(online.source.hold());
    const order = stack.use(online.source.order(signal));
    const version = versionOf(target, asked.pinned, held);
    if (typeof version !== "number") return version;
    const view = held.view(version);
    const scene: Scene = { ...asked, ...online, view, order, release: () => stack.move() };
    return await show(scene, await readManifest(view, order));
  } catch (error) {
    if (!(error instanceof TroveError)) throw error;
    return failed(error, online);
  }
}

/** All that it takes to answer. */
interface Scene extends ArchiveOnline, ArchiveRequest {
  readonly view: ArchiveView;
  readonly order: BlockOrder;
  /** What is open is the caller's from here on. */
  readonly release: () => Disposable;
}

async function show(scene: Scene, manifest: WebManifest): Promise<Response> {
  const { target, view, prefix } = scene;
  const names = [...manifest.root, ...target.names];
  const path = `/${names.join("/")}`;
  const found = names.length === 0 ? undefined : view.find(path);
  const isFile = found !== undefined && kindOfMode(found.stat.mode) === "file";
  if (isFile && !target.isFolder) return await sendFile(scene, found);
  const items = view.folder(path) ?? [];
  const isFolder = names.length === 0 || items.length > 0 || found !== undefined && !isFile;
  if (isFolder) {
    if (!target.isFolder && target.names.length + prefix.length > 0) {
      const to = encodePath([...prefix, ...target.names], true);
      return answer(scene, 308, { Location: to + new URL(scene.request.url).search });
    }
    const index = view.find(`${path === "/" ? "" : path}/index.html`);
    const wantsList = target.query.has("viewSource");
    if (index !== undefined && kindOfMode(index.stat.mode) === "file" && !wantsList) {
      return await sendFile(scene, index);
    }
    return sendListing(
      scene,
      path,
      sortedItems([...items].sort((a, b) => compareNames(a.name, b.name))),
    );
  }
  for (const root of manifest.fallback === undefined ? [] : [manifest.root, []]) {
    const page = view.find(`/${[...root, ...manifest.fallback!].join("/")}`);
    if (page !== undefined && kindOfMode(page.stat.mode) === "file") {
      return await sendFile(scene, page, 404);
    }
  }
  return answer(scene, 404, {}, "Not found\n");
}

async function sendFile(scene: Scene, file: ViewedFile, status = 200): Promise<Response> {
  const { request, view, order } = scene;
  const { stat, path } = file;
  const tag = fileTag(view.archive.content!.publicKey, stat);
  const headers: Record<string, string> = {
    ...versionHeaders(scene, path),
    "Accept-Ranges": "bytes",
    "Content-Type": mediaType(path),
    ETag: tag,
  };
  const modified = Math.floor(stat.mtime / 1000) * 1000;
  const isPast = modified > 0 && modified <= scene.now();
  if (isPast) headers["Last-Modified"] = new Date(modified).toUTCString();
  if (status === 200) {
    const early = precondition(request, tag, isPast ? modified : undefined);
    if (early !== undefined) return answer(scene, early, headers);
  }
  const ifRange = request.headers.get("If-Range");
  const isSame = ifRange === null || matchesTag(ifRange, tag, { weak: false });
  const isPart = request.method === "GET" && status === 200 && isSame;
  const range = isPart ? parseRange(request.headers.get("Range"), stat.size) : undefined;
  if (range === "unsatisfiable") {
    return answer(scene, 416, { "Content-Range": `bytes */${stat.size}` });
  }
  const { start, end } = range ?? { start: 0, end: stat.size };
  headers["Content-Length"] = String(end - start);
  if (range !== undefined) headers["Content-Range"] = `bytes ${start}-${end - 1}/${stat.size}`;
  const code = range === undefined ? status : 206;
  if (request.method === "HEAD" || end === start) return answer(scene, code, headers);
  const body = await openBody(fileBytes(view, file, order, { start, end }), scene.release);
  return new Response(body, { status: code, headers: { ...scene.headers, ...headers } });
}

/**
 * A body whose first bytes are here. What goes wrong later breaks the connection, so that nobody takes
 * a part for the whole.
 */
async function openBody(
  pieces: AsyncGenerator<Uint8Array, void, void>,
  release: () => Disposable,
): Promise<ReadableStream<Uint8Array>> {
  let next: IteratorResult<Uint8Array, void> | undefined = await pieces.next();
  const held = release();
  const end = async () => {
    held[Symbol.dispose]();
    await pieces.return();
  };
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = next ?? await pieces.next();
        next = undefined;
        if (!done) return controller.enqueue(value);
        await end();
        controller.close();
      } catch (error) {
        await end();
        controller.error(error);
      }
    },
    cancel: end,
  }, { highWaterMark: 0 });
}

function sendListing(
  scene: Scene,
  path: string,
  items: ReturnType<typeof sortedItems>,
): Response {
  const { view, request } = scene;
  const format = chooseFormat(request.headers.get("Accept"));
  const { publicKey } = view.archive.metadata;
  const tag = listingTag(publicKey, view.version, `${format} ${path}`);
  const headers = {
    ...versionHeaders(scene, path === "/" ? path : `${path}/`),
    "Content-Security-Policy": LISTING_POLICY,
    "X-Frame-Options": "DENY",
    "Content-Type": LISTING_TYPES[format],
    ETag: tag,
    Vary: "Accept",
  };
  const early = precondition(request, tag, undefined);
  if (early !== undefined) return answer(scene, early, headers);
  const listing = { key: toHex(publicKey), version: view.version, path, items };
  return answer(scene, 200, headers, formatListing(listing, format));
}

/** Which archive and version it is, and how long the answer stays true. */
function versionHeaders({ view, pinned }: Scene, path: string): Record<string, string> {
  const { link, metadata } = view.archive;
  return {
    "Hyperdrive-Key": toHex(metadata.publicKey),
    "Hyperdrive-Version": String(view.version),
    Link: `<${link}${encodeURI(path)}>; rel="canonical"`,
    "Cache-Control": pinned === undefined ? "no-cache" : "public, max-age=31536000, immutable",
  };
}

/** What the conditions of a request come to; undefined if it is to be answered in full. */
function precondition(
  { headers }: Request,
  tag: string,
  modified: number | undefined,
): 304 | 412 | undefined {
  const ifMatch = headers.get("If-Match");
  if (ifMatch !== null && !matchesTag(ifMatch, tag, { weak: false })) return 412;
  const ifNone = headers.get("If-None-Match");
  if (ifNone !== null) return matchesTag(ifNone, tag, { weak: true }) ? 304 : undefined;
  const since = Date.parse(headers.get("If-Modified-Since") ?? "");
  return modified !== undefined && modified <= since ? 304 : undefined;
}

/** The version that is asked for, or why there is none. */
function versionOf(
  { query }: Target,
  pinned: number | undefined,
  held: HeldArchive,
): number | Response {
  const text = query.get("version");
  const version = text === null ? pinned ?? held.version : parseNumber(text);
  if (version === undefined) return plain(400, `"version" takes a number\n`);
  if (version > held.version) return plain(404, `The newest version is ${held.version}\n`);
  return version;
}

/** `?wait=N`: until the metadata has so many entries. Answers what ends it otherwise. */
async function waitFor(
  { query }: Target,
  { source, waits }: ArchiveOnline,
  signal: AbortSignal,
): Promise<Response | undefined> {
  const length = parseNumber(query.get("wait") ?? "");
  if (length === undefined) return undefined;
  if (waits.count >= MAX_WAITING) return plain(503, "Too many wait already\n");
  waits.count++;
  try {
    for (let waited = 0; waited < MAX_WAIT_MS && !signal.aborted; waited += WAIT_LOOK_MS) {
      {
        using held = source.hold();
        if (held.version + 1 >= length) return undefined;
      }
      await delay(WAIT_LOOK_MS, signal);
    }
    return new Response(null, { status: 204 });
  } finally {
    waits.count--;
  }
}

function parseNumber(text: string): number | undefined {
  const number = /^\d+$/.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(number) ? number : undefined;
}

/** What is not said to strangers: paths on this machine, and what went wrong in detail. */
function failed(error: TroveError, online: ArchiveOnline): Response {
  const retry = { ...online.headers, "Retry-After": RETRY_SECONDS };
  if (error instanceof NoPeersError || error instanceof IncompleteError) {
    return plain(504, "No peer has sent that yet\n", retry);
  }
  if (error instanceof NotFoundError) return plain(503, "That is not here yet\n", retry);
  if (error instanceof ProofError) {
    return plain(502, "The bytes here are not those that were signed\n", online.headers);
  }
  return plain(500, "Something went wrong\n", online.headers);
}

function answer(
  scene: Pick<Scene, "headers" | "request">,
  status: number,
  headers: Readonly<Record<string, string>> = {},
  text = "",
): Response {
  const isText = text !== "" && headers["Content-Type"] === undefined;
  const body = status === 304 || scene.request.method === "HEAD" || text === "" ? null : text;
  const all = new Headers({ ...scene.headers, ...headers });
  if (isText) all.set("Content-Type", "text/plain; charset=utf-8");
  if (status !== 304 && !all.has("Content-Length")) {
    all.set("Content-Length", String(new TextEncoder().encode(text).length));
  }
  return new Response(body, { status, headers: all });
}

/** A line of text for whoever asks for something that is not to be had. */
export function plain(
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(text, {
    status,
    headers: { ...headers, "Content-Type": "text/plain; charset=utf-8" },
  });
}
