/** What the live view shows, kept from the events that the plain lines are made of. */
import type { ArchiveEvent } from "../app/archive_events.ts";
import type { TroveEvent } from "../app/events.ts";
import type { LinkFigures } from "../app/link_meters.ts";

/** Passing remarks that are kept. */
const MAX_NOTES = 5;

type Progress = Extract<TroveEvent, { event: "progress" }>;
type Importing = Extract<TroveEvent, { event: "importing" }>;

export interface ViewModel {
  /** Of the archive, or the key of a feed by itself; where there are many, of the last one. */
  readonly link?: string;
  readonly dir?: string;
  readonly writable: boolean;
  readonly version?: number;
  /** How many there are. */
  readonly archives: number;
  readonly isFeed: boolean;
  /** Peers can connect. */
  readonly listens: boolean;
  /** Everything wanted is here. */
  readonly isComplete: boolean;
  readonly links: readonly LinkFigures[];
  /** Bytes of blocks a second. */
  readonly downRate: number;
  readonly upRate: number;
  readonly progress?: Progress;
  readonly importing?: Importing;
  /** How far local work has come: `share` is from 0 to 1. */
  readonly work?: { readonly share: number; readonly text: string; readonly tail: string };
  readonly warnings: number;
  /** Passing remarks, the oldest first. */
  readonly notes: readonly { readonly text: string; readonly until: number }[];
  /** How to end it. */
  readonly hint?: string;
}

export const EMPTY_MODEL: ViewModel = {
  ...{ writable: false, archives: 0, isFeed: false, listens: false, isComplete: false },
  ...{ links: [], downRate: 0, upRate: 0, warnings: 0, notes: [] },
};

/** The model after an event. */
export function afterEvent(model: ViewModel, event: TroveEvent | ArchiveEvent): ViewModel {
  switch (event.event) {
    case "archive": {
      const { link, dir, writable, version } = event;
      return { ...model, link, dir, writable, version, archives: model.archives + 1 };
    }
    case "removed":
      return { ...model, archives: Math.max(0, model.archives - 1) };
    case "feed": {
      const { key: link, dir, blocks } = event;
      return { ...model, link, dir, isFeed: true, archives: 1, isComplete: blocks > 0 };
    }
    case "importing":
      return { ...model, importing: event, work: undefined };
    case "imported":
      return { ...model, importing: undefined, version: event.version };
    case "listening":
      return { ...model, listens: true };
    case "progress": {
      const isComplete = event.blocksTotal > 0 && event.blocks === event.blocksTotal;
      return { ...model, progress: event, isComplete, work: undefined };
    }
    case "synced": {
      const { version } = event;
      return { ...model, version, isComplete: true, progress: undefined, work: undefined };
    }
    case "peers": {
      const { links, downRate, upRate } = event;
      return { ...model, links, downRate, upRate };
    }
    case "peer": {
      const others = model.links.filter(({ address }) => address !== event.address);
      const { address } = event;
      const links = event.state === "disconnected"
        ? others
        : [...others, { address, downRate: 0, upRate: 0 }];
      return { ...model, links };
    }
    case "warning":
      return event.minor ? model : { ...model, warnings: model.warnings + 1 };
    default:
      return model;
  }
}

/** The model after a remark that passes at a time, in milliseconds. */
export function afterNote(model: ViewModel, text: string, until: number): ViewModel {
  return { ...model, notes: [...model.notes, { text, until }].slice(-MAX_NOTES) };
}

/** The model without the remarks whose time has come. */
export function withoutOldNotes(model: ViewModel, now: number): ViewModel {
  return { ...model, notes: model.notes.filter(({ until }) => now < until) };
}
