/**
 * What was found out about names, in a file that all of a user's processes share. It saves look-ups,
 * stands in when none succeeds, and remembers which key a name had. Whatever is wrong with the file
 * costs nothing but that.
 */
import { dirname } from "node:path";
import { fromUtf8, toUtf8 } from "../base/bytes.ts";
import { ReplacedFile } from "../io/replaced_file.ts";

/** All that is known of a name. Times are milliseconds since 1970. */
export interface KnownName {
  /** 64 hex digits: the last key that it had, if ever it had one. */
  readonly key?: string;
  /** When it was found, and how long that holds. */
  readonly found?: number;
  readonly until?: number;
  /** What the last look-up came to if it was no key, and how long that holds. */
  readonly failure?: {
    readonly kind: "none" | "failed";
    readonly why: string;
    readonly until: number;
  };
}

/** Names that are remembered. */
const MAX_NAMES = 1000;

/** A file that is larger was not written by us. */
const MAX_FILE_BYTES = 1024 * 1024;

/** A clock that was set back must not keep an answer for ever: none holds for longer. */
const MAX_HOLD_MS = 7 * 24 * 3600 * 1000;

/** `why` is shown to people. */
const MAX_WHY_LENGTH = 300;

export class NameCache {
  readonly #path: string | undefined;
  /** The one that was written longest ago first. */
  #names = new Map<string, KnownName>();

  /** @param path Where the file is; without one, everything is forgotten with the process. */
  constructor(path: string | undefined) {
    this.#path = path;
  }

  get(host: string): KnownName | undefined {
    this.#read();
    return this.#names.get(host);
  }

  /** Other processes may have written meanwhile: what they know of other names stays. */
  set(host: string, known: KnownName): void {
    this.#read();
    this.#names.delete(host);
    this.#names.set(host, known);
    if (this.#names.size > MAX_NAMES) this.#names.delete(this.#names.keys().next().value!);
    this.#write();
  }

  #read(): void {
    if (this.#path === undefined) return;
    try {
      const { size, isFile } = Deno.statSync(this.#path);
      if (!isFile || size > MAX_FILE_BYTES) return;
      const { names } = JSON.parse(fromUtf8(Deno.readFileSync(this.#path)));
      const read = Object.entries(names).slice(-MAX_NAMES).filter(([, known]) => isKnown(known));
      this.#names = new Map(read as [string, KnownName][]);
    } catch {
      // Not there, not ours, cut off, or not to be read: what this process knows is all there is.
    }
  }

  #write(): void {
    if (this.#path === undefined) return;
    try {
      Deno.mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      using file = new ReplacedFile(this.#path, { mode: 0o600 });
      file.write(toUtf8(`${JSON.stringify({ names: Object.fromEntries(this.#names) })}\n`));
      file.finish();
    } catch {
      // Another process writes, the disk is full, or it may not be written: it is only a cache.
    }
  }
}

/** Whether something that was answered until then still holds. */
export function holds(until: number | undefined, now: number): boolean {
  return until !== undefined && now < until && until - now <= MAX_HOLD_MS;
}

function isKnown(value: unknown): value is KnownName {
  if (!isObject(value)) return false;
  const { key, found, until, failure } = value;
  if (key !== undefined && !(typeof key === "string" && /^[0-9a-f]{64}$/.test(key))) return false;
  if (!isTime(found) || !isTime(until)) return false;
  if (failure === undefined) return true;
  return isObject(failure) && (failure.kind === "none" || failure.kind === "failed") &&
    typeof failure.why === "string" && failure.why.length <= MAX_WHY_LENGTH &&
    typeof failure.until === "number";
}

function isTime(value: unknown): boolean {
  return value === undefined || typeof value === "number";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
