/** The live view of a command on a terminal: what is going on, drawn again when it changes. */
import type { ArchiveEvent } from "../app/archive_events.ts";
import type { TroveEvent } from "../app/events.ts";
import type { World } from "../base/world.ts";
import { Painter } from "./painter.ts";
import { frame } from "./view_frame.ts";
import {
  afterEvent,
  afterNote,
  EMPTY_MODEL,
  type ViewModel,
  withoutOldNotes,
} from "./view_model.ts";

/** No eye follows more than ten frames a second. What is over sooner is not drawn at all. */
const FRAME_MS = 100;

/** How long a remark is shown, and a change of the folder. */
const NOTE_MS = 10_000;
const CHANGE_MS = 60_000;

/** Lines that are printed so soon one after the other are a burst: no frame is drawn between them. */
const BURST_MS = 20;

/** Events of commands that go on until they are done or stopped, which end well on a signal. */
const RUNNING: ReadonlySet<string> = new Set<TroveEvent["event"]>([
  ...["archive", "feed", "listening", "importing", "progress", "peers"] as const,
]);

export class LiveView {
  readonly #world: Pick<World, "stderr" | "clock" | "beforeExit">;
  readonly #colour: boolean;
  readonly #painter: Painter;
  #model: ViewModel = EMPTY_MODEL;
  #drawnAt: number;
  #printedAt = -Infinity;
  #guard: Disposable | undefined;

  constructor(
    world: Pick<World, "stderr" | "clock" | "beforeExit">,
    { colour }: { colour: boolean },
  ) {
    this.#world = world;
    this.#colour = colour;
    this.#painter = new Painter(world.stderr);
    this.#drawnAt = world.clock.monotonic();
  }

  /** Look at an event. */
  take(event: TroveEvent | ArchiveEvent): void {
    // Work that never looks up must stay as easy to kill as it is: its cursor is left alone.
    if (RUNNING.has(event.event)) this.#guard ??= this.#guardCursor();
    // What a first import takes in is too much to look at.
    if (event.event === "entry" && this.#model.listens) {
      const text = `${event.type === "put" ? "+" : "-"} ${event.path.slice(1)}`;
      this.#update(afterNote(this.#model, text, this.#now() + CHANGE_MS));
    } else this.#update(afterEvent(this.#model, event));
  }

  /** Local work has come so far: `share` is from 0 to 1. */
  work(share: number, text: string, tail: string): void {
    this.#update({ ...this.#model, work: { share, text, tail } });
  }

  /** A remark that need not stay. */
  note(text: string): void {
    this.#update(afterNote(this.#model, text, this.#now() + NOTE_MS));
  }

  /** How to end it. */
  hint(hint: string): void {
    this.#update({ ...this.#model, hint });
  }

  /** Print text that stays, with its line end, above the view. */
  print(text: string): void {
    const now = this.#now();
    const isDrawn = (this.#painter.isShown || this.#isDue()) && now - this.#printedAt >= BURST_MS;
    this.#printedAt = now;
    if (isDrawn) this.#drawnAt = now;
    const lines = isDrawn ? this.#frame() : [];
    this.#painter.draw(lines, { above: text, hideCursor: this.#guard !== undefined });
  }

  /** Make way for what is written to stdout. */
  hide(): void {
    this.#painter.clear();
  }

  /** The command is over: nothing of the view stays. */
  end(): void {
    this.#painter.clear({ end: true });
    this.#guard?.[Symbol.dispose]();
    this.#guard = undefined;
    this.#model = EMPTY_MODEL;
  }

  #update(model: ViewModel): void {
    this.#model = model;
    if (!this.#isDue()) return;
    this.#drawnAt = this.#now();
    this.#painter.draw(this.#frame(), { hideCursor: this.#guard !== undefined });
  }

  #guardCursor(): Disposable {
    return this.#world.beforeExit(() => this.#painter.clear({ end: true }));
  }

  #frame(): string[] {
    const { columns, rows } = this.#world.stderr;
    this.#model = withoutOldNotes(this.#model, this.#now());
    return frame(this.#model, { columns, rows, colour: this.#colour });
  }

  #isDue(): boolean {
    return this.#now() - this.#drawnAt >= FRAME_MS;
  }

  #now(): number {
    return this.#world.clock.monotonic();
  }
}
