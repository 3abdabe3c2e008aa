/** What people see of `trove seed`: a line for each of a few archives, and short ones later. */
import type { TroveEvent } from "../app/events.ts";
import { count, formatBytes, formatRate, printable } from "../base/format.ts";
import type { CommandOutput } from "./output.ts";

/** Archives that get a line of their own when it starts. */
const MAX_LISTED = 8;

/** Different failures of peers that are remembered, so that each is shown once for all archives. */
const MAX_SHOWN = 1000;

export class SeedLines {
  readonly #output: CommandOutput;
  #archives = 0;
  #started = false;
  readonly #shown = new Set<string>();

  constructor(output: CommandOutput) {
    this.#output = output;
  }

  take(event: TroveEvent): void {
    const output = this.#output;
    if (output.json) return output.emit(event);
    const of = event.link === undefined ? "" : ` [${shortLink(event.link)}]`;
    switch (event.event) {
      case "archive":
        output.look(event);
        this.#archives++;
        if (this.#started) output.say(`Added ${event.link} "${printable(event.dir)}"`);
        else if (this.#archives <= MAX_LISTED) {
          output.result(`${event.link}  ${printable(event.dir)}`);
        }
        return;
      case "removed":
        output.look(event);
        this.#archives--;
        return output.say(`Removed ${event.link} "${printable(event.dir)}"`);
      case "listening":
        this.#started = true;
        if (this.#archives > MAX_LISTED) {
          output.say(`... and ${count(this.#archives - MAX_LISTED, "more archive")}`);
        }
        output.say(`Serving ${count(this.#archives, "archive")}`);
        output.emit(event);
        return output.hint("Press Ctrl-C to stop");
      case "peer":
        output.look(event);
        return output.note(`Peer ${event.address} ${event.state}${of}`);
      case "uploaded":
        return output.say(`Peer ${event.peer} has everything${of}`);
      case "synced": {
        const { version, files, bytes } = event;
        return output.say(
          `Complete: version ${version}, ${count(files, "file")} (${formatBytes(bytes)})${of}`,
        );
      }
      case "progress": {
        const { bytes, bytesTotal, downRate, upRate, peers } = event;
        if (output.isLive || event.blocks === event.blocksTotal) return output.emit(event);
        const share = bytesTotal === 0 ? 1 : Math.min(1, bytes / bytesTotal);
        const rates = `${formatRate(downRate)} down, ${formatRate(upRate)} up`;
        return output.progress(share, `${rates}, ${count(peers, "peer")}`);
      }
      case "warning":
        if (event.code === "peer-failed" && !this.#isNew(event.message)) return;
        return output.emit({ ...event, message: `${event.message}${of}` });
      default:
        return output.emit(event);
    }
  }

  #isNew(message: string): boolean {
    if (this.#shown.has(message)) return false;
    if (this.#shown.size >= MAX_SHOWN) this.#shown.clear();
    this.#shown.add(message);
    return true;
  }
}

/** Enough of a link to tell archives apart by eye. */
function shortLink(link: string): string {
  return `${link.slice(0, "dat://".length + 8)}…`;
}
