/** What every command that meets peers tells about them. */
import { TroveError } from "../base/errors.ts";
import type { Report } from "../core/sync/inputs.ts";
import { formatSeconds } from "../base/format.ts";
import type { PeerListener } from "../io/peer_listener.ts";
import type { Emit } from "./events.ts";

/** Tell where peers can connect. */
export function tellListening({ addrs }: PeerListener, emit: Emit): void {
  for (const { transport, hostname: host, port } of addrs) {
    emit({
      event: "listening",
      host,
      port,
      transport: transport === "tcp" ? undefined : transport,
    });
  }
}

/** Tell of peers that come, go, fail and send blocks. Other reports are passed over. */
export function tellPeerNews(report: Report, emit: Emit): void {
  switch (report.kind) {
    case "peer-opened":
      return emit({ event: "peer", state: "connected", address: report.address });
    case "peer-closed": {
      const { address, reason } = report;
      const text = reason instanceof TroveError ? reason.message : undefined;
      return emit({ event: "peer", state: "disconnected", address, reason: text });
    }
    case "peer-failed": {
      const { address, reason, retryMs, discovered } = report;
      const next = retryMs === undefined
        ? ""
        : `; trying again in ${formatSeconds(retryMs / 1000)}`;
      const message = `Peer ${address}: ${reason}${next}`;
      const minor = discovered || undefined;
      return emit({ event: "warning", code: "peer-failed", message, minor });
    }
    case "downloaded": {
      const { feed, block, bytes } = report;
      return emit({ event: "block", feed, block, bytes });
    }
    case "damaged": {
      const message = `Block ${report.block} of feed ${report.feed} does not match its hash any ` +
        "more, so it is not served: its file was changed after it was imported";
      return emit({ event: "warning", code: "damaged", message });
    }
  }
}
