/** Names of archives, for commands: where what was found is kept, and what people are told. */
import { join } from "node:path";
import type { World } from "../base/world.ts";
import type { Link } from "../crypto/link.ts";
import { formatLink } from "../crypto/link.ts";
import { DatNames, type NameOptions, type ResolvedName } from "../discovery/dat_names.ts";
import { recordsFor } from "../discovery/name_records.ts";
import { parseName } from "../discovery/name_text.ts";
import type { PeerNetwork } from "../io/peer_network.ts";
import { realTimers } from "../io/timers.ts";
import type { Emit } from "./events.ts";
import { stateFolder } from "./peer_search.ts";

export type { NameOptions } from "../discovery/dat_names.ts";

export interface LookUpOptions {
  readonly world: World;
  readonly names?: NameOptions;
  /** Look-ups go through the same proxy as everything else. */
  readonly network?: Pick<PeerNetwork, "proxy">;
  readonly emit: Emit;
}

/**
 * The archive that a name leads to; tells how that is known.
 *
 * @throws As `DatNames.resolveName`.
 */
export async function lookUpName(
  text: string,
  options: LookUpOptions,
  signal?: AbortSignal,
): Promise<Link> {
  const found = await namesOf(options).resolveName(text, signal);
  const { emit } = options;
  const { host, key, from, ttl, version } = found;
  emit({ event: "resolved", name: host, link: formatLink(key), from, ttl });
  for (const message of warningsOf(found)) emit({ event: "warning", code: "name", message });
  return version === undefined ? { key } : { key, version };
}

function namesOf({ world, names, network }: LookUpOptions): DatNames {
  return new DatNames({
    ...names,
    timers: realTimers(world.clock),
    wall: () => world.clock.wall(),
    random: () => world.randomBytes(1)[0] / 256,
    cacheFile: cacheFile(world),
    proxy: network?.proxy,
  });
}

function warningsOf({ host, key, changedFrom, warnings }: ResolvedName): readonly string[] {
  if (changedFrom === undefined) return warnings;
  const changed = `The name ${host} led to ${formatLink(changedFrom)} before, and leads to ` +
    `${formatLink(key)} now: make sure that its owner means that`;
  return [changed, ...warnings];
}

function cacheFile(world: World): string | undefined {
  try {
    const folder = stateFolder(world);
    return folder && join(folder, "names.json");
  } catch {
    return undefined; // a program that has trove as a library may not look at the environment
  }
}

/**
 * For whoever publishes an archive under a name: what to put where, and a warning if the name leads
 * somewhere else today. That is looked up meanwhile and holds nothing up.
 */
export class NamePublication implements AsyncDisposable {
  readonly #options: LookUpOptions;
  readonly #text: string;
  readonly #host: string;
  readonly #stop = new AbortController();
  #looking: Promise<void> | undefined;

  /** @throws {UsageError} If it is no name, or one that others cannot look up. */
  constructor(text: string, options: LookUpOptions) {
    this.#host = parseName(text, options.names).host;
    this.#text = text;
    this.#options = options;
  }

  /** The archive is known. */
  tell(key: Uint8Array): void {
    if (this.#looking !== undefined) return;
    this.#options.emit({ event: "name", name: this.#host, ...recordsFor(key) });
    this.#looking = this.#compare(key);
  }

  async #compare(key: Uint8Array): Promise<void> {
    const { emit } = this.#options;
    let found: ResolvedName;
    try {
      found = await namesOf(this.#options).resolveName(this.#text, this.#stop.signal);
    } catch {
      return; // nothing there yet, or nobody to ask: what is to be done has been said
    }
    if (formatLink(found.key) === formatLink(key)) return;
    const message = `The name ${this.#host} leads to ${formatLink(found.key)} so far`;
    emit({ event: "warning", code: "name", message });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#looking;
  }
}
