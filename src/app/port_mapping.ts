/** A port of the router that leads to ours, for as long as a command runs, and what is told of it. */
import { TroveError } from "../base/errors.ts";
import { openPortMap, type PortMap } from "../discovery/port_map.ts";
import type { Timers } from "../io/timers.ts";
import type { Emit } from "./events.ts";

export interface PortMappingOptions {
  readonly timers: Timers;
  readonly random: () => number;
  readonly emit: Emit;
  /** Told of the router's port, and of undefined when nothing is passed on any more. */
  readonly onChange: (publicPort: number | undefined) => void;
  /** How a mapping is had; as it is if left out. */
  readonly open?: typeof openPortMap;
}

export class PortMapping {
  readonly #options: PortMappingOptions;
  readonly #ended = new AbortController();
  readonly #opening: Promise<void>;
  #map: PortMap | undefined;
  #told = "";

  /** @param port Our TCP port. */
  constructor(port: number, options: PortMappingOptions) {
    this.#options = options;
    this.#opening = this.#open(port);
  }

  /** Take the mapping back. */
  async close(): Promise<void> {
    this.#ended.abort();
    await this.#opening;
    await this.#map?.close();
  }

  async #open(port: number): Promise<void> {
    const { timers, random, emit, open = openPortMap } = this.#options;
    const { signal } = this.#ended;
    try {
      const changed = () => this.#tell();
      this.#map = await open({ port, timers, random, signal, changed });
      this.#tell();
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof TroveError)) throw error;
      const hint = error.hint === undefined ? "" : `; ${error.hint}`;
      emit({ event: "warning", code: "port-map", message: `${error.message}${hint}` });
    }
  }

  #tell(): void {
    const { emit, onChange } = this.#options;
    if (this.#map === undefined || this.#ended.signal.aborted) return;
    const { protocol, externalHost: host, externalPort: port, problem } = this.#map;
    onChange(problem === undefined ? port : undefined);
    const text = `${host} ${port} ${problem}`;
    if (text === this.#told) return;
    this.#told = text;
    if (problem === undefined) return emit({ event: "mapped", protocol, host, port });
    const message = `The router may not pass port ${port} on any more: ${problem}`;
    emit({ event: "warning", code: "port-map", message });
  }
}
