/**
 * What a command prints. People: results on stdout, everything else on stderr. Programs (`--json`):
 * one object a line on stdout and nothing else there.
 */
import { TroveError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import { ANY_HOST } from "../app/addresses.ts";
import type { TroveEvent } from "../app/events.ts";
import { type ArchiveEvent, isPrinted } from "../app/archive_events.ts";
import type { LiveView } from "./live_view.ts";
import { rowsOf } from "./mirror_lines.ts";
import { errorCodeOf, exitCodeOf } from "./exit_codes.ts";
import { count, formatBytes, formatRate, formatSeconds, printable } from "../base/format.ts";

export interface OutputOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly color: boolean;
}

/** How text can stand out on a terminal. */
export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

export const STYLES: Readonly<Record<Style, string>> = {
  bold: "1",
  dim: "2",
  red: "31",
  green: "32",
  yellow: "33",
  cyan: "36",
};

/** On a pipe or in a log, progress is a plain line now and then. */
const PLAIN_PROGRESS_MS = 5000;

const BAR_WIDTH = 24;

/** Where it is printed. */
export type Printer = Pick<World, "stdout" | "stderr" | "clock">;

/** What is drawn on a terminal while the command runs; plain lines now and then stand in for it. */
export type View = Pick<
  LiveView,
  "take" | "work" | "note" | "hint" | "print" | "hide" | "end"
>;

export class CommandOutput {
  readonly #world: Printer;
  readonly #options: OutputOptions;
  readonly #view: View | undefined;
  /** When a plain line of progress was printed last; what is quick needs none. */
  #plainAt: number;
  /** Said then: a log does not need it again. */
  #plainText = "";

  constructor(world: Printer, options: OutputOptions, view?: View) {
    this.#world = world;
    this.#options = options;
    this.#view = view;
    this.#plainAt = world.clock.monotonic();
  }

  get json(): boolean {
    return this.#options.json;
  }

  /** Whether progress is drawn on a terminal, as the live view has it. */
  get isLive(): boolean {
    return this.#view !== undefined;
  }

  /** Take an event: a line of JSON for programs, or what people see of it. */
  emit(event: TroveEvent | ArchiveEvent): void {
    this.look(event);
    if (!isPrinted(event)) return;
    if (this.#options.json) {
      if (event.event !== "importing") this.#printJson(event);
      return;
    }
    this.#show(event);
  }

  /** Have an event in the live view, if there is one, and print nothing of it. */
  look(event: TroveEvent | ArchiveEvent): void {
    this.#view?.take(event);
  }

  /** A result, on stdout. Answers false when nobody reads any more: stop then. */
  result(text: string): boolean {
    this.#view?.hide();
    return this.#world.stdout.write(`${text}\n`);
  }

  /** Bytes of a file, on stdout as they are. Answers as `result`. */
  bytes(bytes: Uint8Array): boolean {
    this.#view?.hide();
    return this.#world.stdout.writeBytes(bytes);
  }

  /** A JSON record of a local command; `event` is the command's name. Answers as `result`. */
  record(event: string, record: object): boolean {
    return this.#printJson({ event, ...record });
  }

  /** How far a long local command has come; only shown to people. `share` is from 0 to 1. */
  progress(share: number, text: string, tail = ""): void {
    if (this.#view !== undefined) this.#view.work(share, text, tail);
    else if (!this.#options.json) this.#progress(`${bar(share)} ${text}`);
  }

  /** Text in a colour or style, where colours are wanted. */
  paint(style: Style, text: string): string {
    return this.#paint(STYLES[style], text);
  }

  /** The command is over: nothing of its progress stays on the terminal. */
  end(): void {
    this.#view?.end();
  }

  /** News for people, on stderr. */
  say(text: string): void {
    if (this.#options.quiet || this.#options.json) return;
    this.#print(`${text}\n`);
  }

  /** News that the live view shows for a while, and that stays where there is none. */
  note(text: string): void {
    if (this.#view === undefined || this.#options.verbose) this.say(text);
    else this.#view.note(text);
  }

  /** How to end the command: at the bottom of the live view, where there is one. */
  hint(text: string): void {
    if (this.#view === undefined) this.say(text);
    else this.#view.hint(text);
  }

  /** The last line: what went wrong and what to try. */
  fail(error: unknown): void {
    const exitCode = exitCodeOf(error);
    const code = errorCodeOf(error);
    const message = error instanceof Error ? error.message : String(error);
    const hint = error instanceof TroveError ? error.hint : undefined;
    if (this.#options.json) {
      this.#printJson({ event: "error", code, message, hint, exitCode });
    }
    this.end();
    const label = this.#paint("31;1", "error:");
    const text = printable(hint === undefined ? message : `${message}; ${hint}`);
    this.#world.stderr.write(`${label} ${text}\n`);
    // Something nobody foresaw: whoever reports it needs to see where it happened.
    const unforeseen = !(error instanceof TroveError);
    if (error instanceof Error && (this.#options.verbose || unforeseen)) {
      this.#printStack("", error);
      if (error.cause instanceof Error) this.#printStack("cause: ", error.cause);
    }
  }

  #printStack(label: string, error: Error): void {
    const lines = `${label}${error.stack ?? error.message}`.split("\n");
    this.#world.stderr.write(`${lines.map(printable).join("\n")}\n`);
  }

  #printJson<E extends { readonly event: string }>(event: E): boolean {
    const time = new Date(this.#world.clock.wall()).toISOString();
    // The escapes mean the same to a parser, and do no harm where a person looks at the lines.
    return this.#world.stdout.write(`${printable(JSON.stringify({ ...event, time }))}\n`);
  }

  #show(event: TroveEvent): void {
    switch (event.event) {
      case "archive":
        this.result(this.#paint("1", event.link));
        return;
      case "feed":
        this.result(this.#paint("1", event.key));
        return;
      case "imported": {
        const { put, deleted, same, skipped, bytes, seconds, version } = event;
        const parts = [`${count(put, "file")} added or changed (${formatBytes(bytes)})`];
        if (deleted > 0) parts.push(`${deleted} deleted`);
        if (same > 0) parts.push(`${same} unchanged`);
        if (skipped > 0) parts.push(`${skipped} skipped`);
        return this.say(
          `Imported: ${parts.join(", ")} in ${formatSeconds(seconds)}; ` +
            `version ${version}`,
        );
      }
      case "listening":
        return this.say(listening(event));
      case "http":
        return this.say(`Files are shown at ${event.url}`);
      case "peer": {
        const reason = event.reason === undefined ? "" : ` (${printable(event.reason)})`;
        return this.note(`Peer ${event.address} ${event.state}${reason}`);
      }
      case "importing":
        return this.#progress(
          `Importing: ${count(event.files, "file")}, ${formatBytes(event.bytes)}`,
        );
      case "progress": {
        const { bytes, bytesTotal, downRate, upRate, peers, blocks, blocksTotal } = event;
        if (blocks === blocksTotal && upRate > 0) {
          return this.#progress(`Sending to ${count(peers, "peer")}: ${formatRate(upRate)}`);
        }
        if (blocksTotal === 0) {
          const what = peers === 0 ? "Looking for peers" : `Asking ${count(peers, "peer")}`;
          return this.#progress(what);
        }
        const share = bytesTotal === 0 ? 0 : Math.min(1, bytes / bytesTotal);
        const figures = `${formatBytes(bytes)} of ${formatBytes(bytesTotal)}  ` +
          `${formatRate(downRate)}  ${count(peers, "peer")}`;
        return this.#progress(`${bar(share)} ${figures}`);
      }
      case "synced": {
        const { version, files, bytes, downloadedBytes, seconds, kept, missingBlocks } = event;
        const what = event.blocks === undefined
          ? `version ${version}, ${count(files, "file")}`
          : count(event.blocks, "block");
        const parts = [
          `Complete: ${what} (${formatBytes(bytes)})`,
          `${formatBytes(downloadedBytes)} downloaded in ${formatSeconds(seconds)}`,
        ];
        if (kept) {
          parts.push(`${count(kept, "file")} left as you have ${kept === 1 ? "it" : "them"}`);
        }
        if (missingBlocks) {
          parts.push(`${count(missingBlocks, "block")} of older versions not to be had`);
        }
        return this.say(parts.join(", "));
      }
      case "mirrored":
        for (const [name, value] of rowsOf(event)) this.result(`${name.padEnd(16)}${value}`);
        return;
      case "change": {
        const style = event.type === "put" ? "green" : "red";
        const mark = this.paint(style, event.type === "put" ? "+" : "-");
        const size = formatBytes(event.size).padStart(7);
        this.result(`${mark} ${size}  ${printable(event.path.replace(/^\//, ""))}`);
        return;
      }
      case "planned": {
        const { put, deleted, bytes, version } = event;
        return this.say(
          `Version ${version}: ${count(put, "file")} would be written (${formatBytes(bytes)}), ` +
            `${deleted} deleted; nothing was changed`,
        );
      }
      case "resolved":
        return this.say(`The name ${event.name} leads to ${event.link}`);
      case "name":
        return this.say(howToPublish(event));
      case "removed":
        return this.say(`No longer served: ${event.link}`);
      case "mapped":
        return this.say(
          `The router passes port ${event.port} on to this machine (${event.protocol})` +
            (event.host === undefined ? "" : `: others find it at ${printable(event.host)}`),
        );
      case "discovery":
      case "found":
      case "block":
        return;
      case "uploaded":
        return this.say(`Peer ${event.peer} has everything (version ${event.version})`);
      case "confirmed":
        return this.say(
          `Peer ${event.peer} holds everything of version ${event.version} ` +
            `(${event.peers} of ${event.wanted})`,
        );
      case "warning":
        if (this.#options.quiet || event.minor && !this.#options.verbose) return;
        return this.#print(`${this.#paint("33", "warning:")} ${printable(event.message)}\n`);
      case "peers":
    }
  }

  /** A plain line of progress, now and then. */
  #progress(text: string): void {
    const { stderr, clock } = this.#world;
    if (this.#view !== undefined || this.#options.quiet) return;
    if (clock.monotonic() - this.#plainAt < PLAIN_PROGRESS_MS || text === this.#plainText) return;
    this.#plainAt = clock.monotonic();
    this.#plainText = text;
    stderr.write(`${text}\n`);
  }

  /** On stderr, above the view. */
  #print(text: string): void {
    if (this.#view === undefined) this.#world.stderr.write(text);
    else this.#view.print(text);
  }

  #paint(style: string, text: string): string {
    return this.#options.color ? `\u001b[${style}m${text}\u001b[0m` : text;
  }
}

function listening(event: Extract<TroveEvent, { event: "listening" }>): string {
  const { host, port, transport } = event;
  if (transport === "unix") return `Listening on ${printable(host)}`;
  const place = host === ANY_HOST ? "all addresses," : host;
  return `Listening on ${place} port ${port}${transport === "ws" ? " (WebSocket)" : ""}`;
}

function howToPublish({ name, txt, file }: Extract<TroveEvent, { event: "name" }>): string {
  const lines = file.trimEnd().split("\n").map((line) => `  ${line}`).join("\n");
  return `To have ${name} lead here, publish a TXT record of ${name}:\n  ${txt}\n` +
    `or a file at https://${name}/.well-known/dat:\n${lines}`;
}

function bar(share: number): string {
  const done = Math.round(share * BAR_WIDTH);
  const percent = `${Math.floor(share * 100)}%`.padStart(5);
  return `[${"=".repeat(done)}${"-".repeat(BAR_WIDTH - done)}]${percent}`;
}
