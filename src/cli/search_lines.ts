/** What people see of the search for peers. */
import { SOURCE_NAMES } from "../app/source_names.ts";
import type { ArchiveEvent, DiscoveryChoice, TroveEvent } from "../mod.ts";
import type { CommandOutput } from "./output.ts";

/** What a source says again in other numbers is shown so often. */
const REPEAT_MS = 10_000;

/** Addresses shown: of a crowd the first few tell enough. */
const MAX_SHOWN = 8;

type DiscoveryEvent = Extract<ArchiveEvent, { event: "discovery" }>;

/** For whoever fetches: all of it while nobody was met yet, then no more. */
export class SearchLines {
  readonly #output: CommandOutput;
  readonly #now: () => number;
  readonly #shown = new Map<string, { state: string; at: number }>();
  #addresses = 0;
  #met = false;

  /** @param now Milliseconds of a clock that never goes back. */
  constructor(output: CommandOutput, now: () => number) {
    this.#output = output;
    this.#now = now;
  }

  /** Look at every event of a command. */
  take(event: ArchiveEvent): void {
    if (event.event === "peer" && event.state === "connected") this.#met = true;
    if (this.#met) return;
    if (event.event === "discovery") this.#show(event);
    if (event.event === "found" && ++this.#addresses <= MAX_SHOWN) {
      this.#output.note(`Found ${event.address} (${event.called})`);
    }
  }

  #show({ source, called, state, message }: DiscoveryEvent): void {
    const before = this.#shown.get(source);
    const now = this.#now();
    if (before?.state === state && now - before.at < REPEAT_MS) return;
    this.#shown.set(source, { state, at: now });
    this.#output.note(`Looking for peers: ${called}: ${message}`);
  }
}

/**
 * For whoever serves: nothing, unless no way of being found works, or none that leads beyond the local
 * network. That is told once, and once more if it gets worse.
 */
export class HiddenWarning {
  readonly #output: CommandOutput;
  readonly #ways: readonly string[];
  readonly #failed = new Map<string, string>();
  #told: "nothing" | "local" | "hidden" = "nothing";

  constructor(output: CommandOutput, choice: DiscoveryChoice | undefined) {
    this.#output = output;
    this.#ways = choice === undefined ? [] : choice.sources ?? SOURCE_NAMES;
  }

  /** Look at every event of a command. */
  take(event: ArchiveEvent | TroveEvent): void {
    if (event.event !== "discovery" || this.#ways.length === 0) return;
    const { source, called, state, message } = event;
    if (state !== "failed") return void this.#failed.delete(source);
    this.#failed.set(source, `${called}: ${message}`);
    const open = this.#ways.filter((way) => !this.#failed.has(way));
    const reasons = [...this.#failed.values()].join("; ");
    if (open.length === 0 && this.#told !== "hidden") {
      this.#told = "hidden";
      this.#warn(
        "not-found-by-link",
        `Nobody can find this by its link for now: ${reasons}. It is served all the same; ` +
          "trove doctor says what to do",
      );
    } else if (open.join() === "mdns" && this.#told === "nothing") {
      this.#told = "local";
      this.#warn(
        "found-locally",
        `Only the local network can find this by its link for now: ${reasons}. ` +
          "trove doctor says what to do",
      );
    }
  }

  #warn(code: string, message: string): void {
    this.#output.emit({ event: "warning", code, message });
  }
}
