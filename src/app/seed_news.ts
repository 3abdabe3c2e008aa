/** What serving many archives tells: every event says which archive it is about. */
import { TroveError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import type { Report } from "../core/sync/inputs.ts";
import { type Emit, PROGRESS_MS, type TroveEvent } from "./events.ts";
import { tellPeerNews } from "./peer_news.ts";
import { RateMeter } from "./rates.ts";
import { MAX_TOLD, STRANGER_MS } from "./seed_limits.ts";

/** How much of an archive is here. */
export interface Share {
  readonly blocks: number;
  readonly blocksTotal: number;
  readonly bytes: number;
  readonly bytesTotal: number;
}

/** Complaints about one archive: each is told once, until `forget`. */
export class Complaints {
  readonly #told = new Set<string>();

  /** Whether it is to be told. */
  take(what: string): boolean {
    if (this.#told.has(what) || this.#told.size >= MAX_TOLD) return false;
    this.#told.add(what);
    return true;
  }

  forget(): void {
    this.#told.clear();
  }
}

export class SeedNews {
  readonly #world: World;
  readonly #emit: Emit;
  readonly #down = new RateMeter();
  readonly #up = new RateMeter();
  #progressAt: number;
  #moved = false;
  /** Links that came to nothing since it was told of them, and the reason of the last one. */
  #strangers = 0;
  #strangerReason = "";
  #strangersAt = -Infinity;

  constructor(world: World, emit: Emit) {
    this.#world = world;
    this.#emit = emit;
    this.#progressAt = world.clock.monotonic();
  }

  tell(link: string | undefined, event: TroveEvent): void {
    this.#emit(link === undefined ? event : { ...event, link });
  }

  warn(link: string | undefined, code: string, message: string): void {
    this.tell(link, { event: "warning", code, message });
  }

  /** Something went wrong with an archive; `dir` is its place. */
  fail(link: string, dir: string, error: unknown, complaints: Complaints): void {
    const code = error instanceof TroveError ? error.code : "failure";
    const text = error instanceof Error ? error.message : String(error);
    const hint = error instanceof TroveError && error.hint !== undefined ? `; ${error.hint}` : "";
    const place = text.includes(dir) ? "" : `"${dir}": `;
    const message = `${place}${text}${hint}`;
    if (complaints.take(message)) this.warn(link, code, message);
  }

  /** News of a peer, of the archive with this link; failures are told once. */
  peer(report: Report, link: string | undefined, complaints?: Complaints): void {
    if (report.kind === "peer-failed" && link === undefined) return this.#countStranger(report);
    tellPeerNews(report, (event) => {
      const isKnown = event.event === "warning" && complaints?.take(event.message) === false;
      if (!isKnown) this.tell(link, event);
    });
  }

  downloaded(bytes: number): void {
    this.#down.add(bytes, this.#now());
    this.#moved = true;
  }

  uploaded(bytes: number): void {
    this.#up.add(bytes, this.#now());
    this.#moved = true;
  }

  /** Tell how far all of it has come, if anything moved and it was not told just now. */
  progress(
    shares: () => Iterable<Share>,
    counts: () => { readonly archives: number; readonly peers: number },
  ): void {
    const now = this.#now();
    if (!this.#moved || now - this.#progressAt < PROGRESS_MS) return;
    this.#progressAt = now;
    this.#moved = false;
    const sum = { blocks: 0, blocksTotal: 0, bytes: 0, bytesTotal: 0 };
    for (const share of shares()) {
      sum.blocks += share.blocks;
      sum.blocksTotal += share.blocksTotal;
      sum.bytes += share.bytes;
      sum.bytesTotal += share.bytesTotal;
    }
    const rates = { downRate: this.#down.rate(now), upRate: this.#up.rate(now) };
    this.#emit({ event: "progress", ...sum, ...counts(), ...rates });
  }

  /** Anybody can dial and ask for what is not here: such news must not fill a log. */
  #countStranger({ reason }: Extract<Report, { kind: "peer-failed" }>): void {
    this.#strangers++;
    this.#strangerReason = reason;
    this.tellStrangers();
  }

  /** Tell of those who dialled and got nothing, if that was not done just now. */
  tellStrangers(): void {
    const now = this.#now();
    if (this.#strangers === 0 || now - this.#strangersAt < STRANGER_MS) return;
    const links = this.#strangers === 1 ? "A link" : `${this.#strangers} links`;
    const message = `${links} from outside came to nothing; the last one: ${this.#strangerReason}`;
    this.#strangersAt = now;
    this.#strangers = 0;
    this.warn(undefined, "peer-failed", message);
  }

  #now(): number {
    return this.#world.clock.monotonic();
  }
}
