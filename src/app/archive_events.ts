/**
 * What happens to an archive, for programs that have trove as a library: all that commands print, and
 * the single steps behind it, which are too many to print.
 */
import type { Emit, TroveEvent } from "./events.ts";

/** The feeds by name; `feed` is one without an archive. */
export type FeedName = "metadata" | "content" | "feed";

/** Single steps; commands do not print these. */
export type StepEvent =
  /** An archive, or a feed, is open. */
  | { event: "opened"; dir: string; discoveryKey: string; writable: boolean; version: number }
  /** Entries were signed and are on disk: an import, at its end. */
  | { event: "appended"; version: number; put: number; deleted: number }
  /** A block came whose hash and signature are right; `downloaded` follows. */
  | { event: "verified"; feed: FeedName; block: number }
  /** It is kept: on disk within moments. */
  | { event: "downloaded"; feed: FeedName; block: number; bytes: number }
  /** A link to a peer is open. */
  | { event: "peer-added"; address: string }
  | { event: "peer-removed"; address: string; reason?: string };

export type ArchiveEvent = Exclude<TroveEvent, { event: "block" }> | StepEvent;

/** Called with everything that happens, in order. It must not throw. */
export type ArchiveListener = (event: ArchiveEvent) => void;

/** What is not printed either: there is too much of it, or it is only looked at. */
const UNPRINTED: ReadonlySet<string> = new Set<ArchiveEvent["event"] | "block">([
  ...["block", "peers", "entry"] as const,
  ...["opened", "appended", "verified", "downloaded", "peer-added", "peer-removed"] as const,
]);

/** Whether commands tell of it. */
export function isPrinted(event: ArchiveEvent | TroveEvent): event is TroveEvent {
  return !UNPRINTED.has(event.event);
}

/** Hand events on to a listener, each with the steps that it stands for. */
export function tellListener(listener: ArchiveListener): Emit {
  let isFeed = false;
  return (event) => {
    switch (event.event) {
      case "block": {
        const { block, bytes } = event;
        const feed = isFeed ? "feed" : event.feed === 0 ? "metadata" : "content";
        listener({ event: "verified", feed, block });
        return listener({ event: "downloaded", feed, block, bytes });
      }
      case "archive": {
        listener(event);
        const { dir, discoveryKey, writable, version } = event;
        return listener({ event: "opened", dir, discoveryKey, writable, version });
      }
      case "feed": {
        isFeed = true;
        listener(event);
        const { dir, discoveryKey, blocks } = event;
        return listener({ event: "opened", dir, discoveryKey, writable: false, version: blocks });
      }
      case "imported": {
        listener(event);
        const { version, put, deleted } = event;
        if (put + deleted > 0) listener({ event: "appended", version, put, deleted });
        return;
      }
      case "peer": {
        listener(event);
        const { address, reason } = event;
        if (event.state === "connected") return listener({ event: "peer-added", address });
        return listener({ event: "peer-removed", address, reason });
      }
      default:
        return listener(event);
    }
  };
}
