/** What people see of the search for peers: all of it while nobody was met yet, then no more. */
import type { ArchiveEvent } from "../mod.ts";
import type { CommandOutput } from "./output.ts";

/** What a source says again in other numbers is shown so often. */
const REPEAT_MS = 10_000;

/** Addresses shown: of a crowd the first few tell enough. */
const MAX_SHOWN = 8;

type DiscoveryEvent = Extract<ArchiveEvent, { event: "discovery" }>;

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
      this.#output.say(`Found ${event.address} (${event.called})`);
    }
  }

  #show({ source, called, state, message }: DiscoveryEvent): void {
    const before = this.#shown.get(source);
    const now = this.#now();
    if (before?.state === state && now - before.at < REPEAT_MS) return;
    this.#shown.set(source, { state, at: now });
    this.#output.say(`Looking for peers: ${called}: ${message}`);
  }
}
