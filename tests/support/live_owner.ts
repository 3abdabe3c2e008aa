/** An owner's folder that is served and changed while others follow it, in this process. */
import { mapWorkingFiles } from "../../src/app/checkout.ts";
import { CONTENT, METADATA } from "../../src/app/clone_archive.ts";
import { importFolder } from "../../src/app/import_folder.ts";
import { type Archive, createArchive } from "../../src/app/open_archive.ts";
import { serveArchive, type Served } from "./serve_archive.ts";
import type { TempFolder } from "./temp.ts";
import { TestWorld } from "./test_world.ts";
import { type FilePlan, writeTree } from "./trees.ts";

export class LiveOwner implements AsyncDisposable {
  readonly dir: string;
  readonly archive: Archive;
  readonly #world: TestWorld;
  #served: Served | undefined;
  #imports = 0;

  private constructor(temp: TempFolder, name: string) {
    this.dir = temp.folder(name);
    this.#world = new TestWorld(temp, { home: `${name}-home`, running: true });
    this.archive = createArchive(this.dir, this.#world);
  }

  /** Share a folder of this name, with these files, until the result is disposed. */
  static async share(
    temp: TempFolder,
    files: readonly FilePlan[],
    name = "origin",
  ): Promise<LiveOwner> {
    const owner = new LiveOwner(temp, name);
    owner.write(files);
    await owner.import();
    owner.#served = serveArchive(owner.archive, owner.#world);
    return owner;
  }

  get link(): string {
    return this.archive.link;
  }

  /** HOST:PORT to dial. */
  get address(): string {
    return this.#served!.address;
  }

  get version(): number {
    return this.archive.version;
  }

  path(name: string): string {
    return `${this.dir}/${name}`;
  }

  /** Write files, or write them anew with other bytes. */
  write(files: readonly FilePlan[]): void {
    writeTree(this.dir, files, `import ${this.#imports}`);
  }

  /** Take in what changed in the folder, and tell peers. */
  async import(): Promise<void> {
    this.#imports++;
    this.#world.clock.wallMs += 60_000;
    const { metadata, content } = this.archive;
    const [entries, blocks] = [metadata.length, content!.length];
    const { signal } = new AbortController();
    await importFolder(this.archive, { world: this.#world, emit: () => {}, signal });
    mapWorkingFiles(this.archive);
    if (this.#served === undefined) return;
    const { sync } = this.#served;
    sync.input({ kind: "appended", feed: CONTENT, start: blocks });
    sync.input({ kind: "appended", feed: METADATA, start: entries });
  }

  /** Go away: who follows is left alone. */
  async leave(): Promise<void> {
    await this.#served?.[Symbol.asyncDispose]();
    this.#served = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave();
    this.archive[Symbol.dispose]();
  }
}

/** A command that stays, in this process: ended by SIGTERM when it is disposed. */
export class Staying implements AsyncDisposable {
  readonly code: Promise<number>;

  constructor(readonly world: TestWorld, ...args: readonly string[]) {
    world.clock.monotonicMs = undefined;
    this.code = world.run(...args, "--json");
  }

  /** Until the version is complete in the folder. */
  synced(version: number): Promise<Record<string, unknown>> {
    return this.until((line) => line.event === "synced" && line.version === version);
  }

  /** The first line that fits, said already or yet to come; fails when the command ends before. */
  until(
    fits: (line: Record<string, unknown>) => boolean,
  ): Promise<Record<string, unknown>> {
    const { stdout, stderr } = this.world;
    const found = stdout.waitFor(({ text }) =>
      text.split("\n").slice(0, -1).filter((line) => line !== "").map((line) => JSON.parse(line))
        .find(fits)
    );
    const ended = this.code.then((code) => {
      throw new Error(`the command ended with ${code}: ${stderr.text}`);
    });
    return Promise.race([found, ended]);
  }

  /** Warnings with this code so far. */
  warnings(code: string): Record<string, unknown>[] {
    return this.world.stdout.json.filter((line) => line.event === "warning" && line.code === code);
  }

  /** HOST:PORT where it takes connections. */
  async address(): Promise<string> {
    const { host, port } = await this.world.stdout.event("listening");
    return `${host}:${port}`;
  }

  /** Ask it to stop; gives its exit code. */
  stop(): Promise<number> {
    this.world.raise("SIGTERM");
    return this.code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
