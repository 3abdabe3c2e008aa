/** Why a download ends before it is complete: what the peers did that were met, or not met. */
import {
  ForkError,
  IncompleteError,
  NoPeersError,
  ProofError,
  TroveError,
} from "../base/errors.ts";
import { formatSeconds } from "../base/format.ts";
import type { Report } from "../core/sync/inputs.ts";

/** Addresses that are counted. */
const MAX_TRIED = 10_000;

const GO_ON = "run the same command again to go on from here";

export class PeerFaults {
  readonly #explain: () => string | undefined;
  #metAnyone = false;
  /** The worst that a peer did: why we are alone, if we end up so. */
  #lastFault: TroveError | undefined;
  #lastFailure: string | undefined;
  readonly #tried = new Set<string>();

  /** @param explain What came of looking for peers so far; undefined where nobody looks. */
  constructor(explain: () => string | undefined = () => undefined) {
    this.#explain = explain;
  }

  /** Take note of a report, if it is about a peer. */
  take(report: Report): void {
    if (report.kind === "peer-opened") this.#metAnyone = true;
    else if (report.kind === "peer-closed") {
      this.#note(report.reason instanceof TroveError ? report.reason : undefined);
    } else if (report.kind === "peer-failed") {
      this.#note(report.error);
      // Whoever came by himself, and left, was no try of ours.
      if (report.discovered === undefined) return;
      this.#lastFailure = `${report.address}: ${report.reason}`;
      if (this.#tried.size < MAX_TRIED) this.#tried.add(report.address);
    }
  }

  /** No peer is left. */
  whyAlone(): TroveError {
    const fault = this.#lastFault;
    if (fault instanceof ProofError) return fault;
    if (!this.#metAnyone) return this.#nobody("no address is left to try");
    return new IncompleteError("Cannot complete the archive: every peer is gone", {
      cause: fault,
      hint: GO_ON,
    });
  }

  /** The deadline came. */
  whyLate(timeoutMs: number): TroveError {
    if (!this.#metAnyone) return this.#nobody(`tried for ${formatSeconds(timeoutMs / 1000)}`);
    return new IncompleteError(
      `Cannot complete the archive within ${formatSeconds(timeoutMs / 1000)}`,
      { hint: GO_ON },
    );
  }

  #note(error: TroveError | undefined): void {
    if (
      error instanceof ProofError || error instanceof ForkError || this.#lastFault === undefined
    ) {
      this.#lastFault = error ?? this.#lastFault;
    }
  }

  #nobody(what: string): TroveError {
    const search = this.#explain();
    if (search !== undefined) return this.#nobodyFound(what, search);
    const last = this.#lastFailure === undefined ? what : this.#lastFailure;
    return new NoPeersError(`Cannot reach a peer that has this archive: ${last}`, {
      hint: "check the link and the address, and that the other side is sharing",
    });
  }

  /** Everything that was asked and tried, in one paragraph. */
  #nobodyFound(what: string, search: string): TroveError {
    const { size } = this.#tried;
    const tried = size === 0
      ? "no address was found"
      : `${
        size === 1 ? "one address was" : `${size} addresses were`
      } tried in vain, the last ${this.#lastFailure}`;
    return new NoPeersError(
      `Cannot find a peer that has this archive (${what}): ${search}; ${tried}`,
      { hint: "check the link, and that somebody shares it now; trove doctor LINK looks into it" },
    );
  }
}

/** Peers are linked, and nothing came for so long. */
export function whyStalled(quietMs: number): TroveError {
  return new IncompleteError(
    `Cannot complete the archive: no peer sent anything for ${formatSeconds(quietMs / 1000)}`,
    { hint: "run the same command again when a peer has what is missing" },
  );
}
