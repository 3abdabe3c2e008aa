/**
 * Sharing and cloning on the hosts of a lab, with trove and with the dat command of both generations,
 * told a link and nothing else unless a test says more.
 */
import assert from "node:assert/strict";
import type { LabHost } from "./lab_host.ts";
import { dat, type Process, trove } from "./processes.ts";
import type { TempFolder } from "./temp.ts";
import { digestTree, manyFiles, writeTree } from "./trees.ts";

/** What shares or clones: trove, or dat of that generation. */
export type Kind = "trove" | "13" | "14";

/** In place of what keeps trove in other tests from looking for peers. */
export const SEARCHING = { TROVE_DISCOVERY: "" };

const FILES = manyFiles(20, { seed: "lab", largest: 100_000 });

/** A clone that takes longer has failed. */
const CLONE_DEADLINE_MS = 60_000;

export class LabPeers {
  readonly #temp: TempFolder;
  #count = 0;

  constructor(temp: TempFolder) {
    this.#temp = temp;
  }

  /** A new folder of files, the same ones with other contents each time. */
  folder(): string {
    const name = `folder-${++this.#count}`;
    const folder = this.#temp.folder(name);
    writeTree(folder, FILES, name);
    return folder;
  }

  /** A path where nothing is yet. */
  place(): string {
    return this.#temp.join(`copy-${++this.#count}`);
  }

  /** Run trove on a host, as somebody who was never there before unless there is a `home`. */
  trove(host: LabHost, args: readonly string[], { home = this.home() } = {}): Promise<Process> {
    return trove(args, { home, wrapper: host.wrapper, env: SEARCHING });
  }

  /** Run the dat command on a host. */
  dat(version: "13" | "14", host: LabHost, args: readonly string[], cwd = this.#temp.path) {
    return dat(version, args, { home: this.home(), cwd, wrapper: host.wrapper });
  }

  home(): string {
    return this.#temp.folder(`home-${++this.#count}`);
  }

  /** Share a folder; whoever asks is served when this returns. */
  async share(
    kind: Kind,
    host: LabHost,
    { folder = this.folder(), args = [], home }: {
      folder?: string;
      args?: readonly string[];
      home?: string;
    } = {},
  ): Promise<Shared> {
    const process = kind === "trove"
      ? await this.trove(host, ["share", folder, ...args], { home })
      : await this.dat(kind, host, ["share"], folder);
    const [link] = await process.says(/dat:\/\/[0-9a-f]{64}/);
    await process.says(kind === "trove" ? /Press Ctrl-C/ : /Watching for file updates/);
    return new Shared(process, link, folder);
  }

  /** The link of a folder that nobody shares yet. */
  async create(host: LabHost, folder: string, home: string): Promise<string> {
    const args = ["share", folder, "--no-discovery", "--timeout", "1ms"];
    await using process = await this.trove(host, args, { home });
    const { stdout } = await process.ended();
    return stdout.trim();
  }

  /**
   * Clone to the end and compare.
   *
   * @returns Seconds from the start of the process to its end.
   */
  async clone(
    kind: Kind,
    host: LabHost,
    { link, folder }: Pick<Shared, "link" | "folder">,
    args: readonly string[] = [],
  ): Promise<number> {
    const copy = this.place();
    const startedAt = performance.now();
    await using process = kind === "trove"
      ? await this.trove(host, ["clone", link, copy, ...args])
      : await this.dat(kind, host, ["clone", link, copy]);
    const timer = setTimeout(() => process.signal("SIGKILL"), CLONE_DEADLINE_MS);
    await process.ended().finally(() => clearTimeout(timer));
    const seconds = (performance.now() - startedAt) / 1000;
    assertSameContents(copy, folder);
    return seconds;
  }
}

export class Shared implements AsyncDisposable {
  constructor(
    readonly process: Process,
    readonly link: string,
    readonly folder: string,
  ) {}

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]();
  }
}

/** Not their modes: dat 13 may leave before it has set the last one. */
export function assertSameContents(copy: string, folder: string): void {
  const contents = (dir: string) =>
    Object.fromEntries([...digestTree(dir)].map(([path, { sha256 }]) => [path, sha256]));
  assert.deepEqual(contents(copy), contents(folder));
}

/** Say how long things took, by what they were. */
export function report(seconds: Readonly<Record<string, number>>): void {
  for (const [what, time] of Object.entries(seconds)) console.log(`${what}: ${time.toFixed(1)} s`);
}
