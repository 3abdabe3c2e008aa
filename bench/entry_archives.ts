/**
 * Archives of very many tiny files and clones of them, made once for all parts that look at them,
 * with what it took to make them.
 */
import { join } from "node:path";
import { type Process, trove } from "../tests/support/processes.ts";
import { cloneArguments, type Sharer, shareWithTrove } from "../tests/support/sharing.ts";
import { ProcessWatch } from "./measure.ts";
import { WorkFolder } from "./work_folder.ts";

/** A million entries take some minutes each way. */
const DEADLINE_MS = 3 * 3600 * 1000;
/** Files in a folder, and folders in a folder. */
const FAN_OUT = 100;

/** What a step took: seconds, and bytes of resident memory at its peak. */
export interface Step {
  readonly seconds: number;
  readonly peakRss: number;
}

export interface EntryArchive {
  readonly entries: number;
  /** The archive's folder, a clone of it, and the home of their programs. */
  readonly folder: string;
  readonly copy: string;
  readonly home: string;
  readonly import: Step;
  readonly clone: Step;
  /** What the sharer took for the whole clone, and before it to get ready. */
  readonly share: Step;
  readonly list: Step;
}

export class EntryArchives implements Disposable {
  readonly #temp = new WorkFolder();
  readonly #made = new Map<number, Promise<EntryArchive>>();

  /** The archive with so many entries, made when it is asked for first. */
  get(entries: number): Promise<EntryArchive> {
    return this.#made.getOrInsertComputed(entries, () => make(this.#temp, entries));
  }

  [Symbol.dispose](): void {
    this.#temp[Symbol.dispose]();
  }
}

/** `count` files of some bytes each, a hundred in a folder, in folders of at most a hundred. */
export function writeTinyFiles(folder: string, count: number): void {
  let last = "";
  for (let n = 0; n < count; n++) {
    const path = join(folder, tinyPath(n));
    const parent = path.slice(0, path.lastIndexOf("/"));
    if (parent !== last) Deno.mkdirSync(last = parent, { recursive: true });
    Deno.writeTextFileSync(path, `file ${n}\n`);
  }
}

/** Where file `n` lies. */
export function tinyPath(n: number): string {
  const folders = [Math.floor(n / FAN_OUT ** 2), Math.floor(n / FAN_OUT) % FAN_OUT];
  return [...folders, `file-${n}`].join("/");
}

async function make(temp: WorkFolder, entries: number): Promise<EntryArchive> {
  const name = String(entries);
  const [folder, copy, home] = ["origin", "copy", "home"].map((part) => temp.folder(name, part));
  console.error(`${entries} entries: writing the files`);
  writeTinyFiles(folder, entries);
  console.error(`${entries} entries: import`);
  const imported = await watched(await trove(["share", folder, "--exit", "--json"], { home }));
  console.error(`${entries} entries: clone`);
  const sharing = performance.now();
  await using sharer = await shareTiny(folder, home);
  const readySeconds = (performance.now() - sharing) / 1000;
  using watch = new ProcessWatch(sharer.process);
  const args = cloneArguments(sharer.link, copy, [sharer.address]);
  const cloned = await watched(await trove(args, { home }));
  await compare(folder, copy);
  console.error(`${entries} entries: list`);
  const wrapper = ["sh", "-c", 'exec "$0" "$@" > /dev/null'];
  const listing = await trove(["ls", "--recursive", "--dir", folder], { home, wrapper });
  const list = await watched(listing);
  const share = {
    seconds: readySeconds,
    peakRss: Math.max(watch.peak, sharer.process.peakRssBytes()),
  };
  return { entries, folder, copy, home, import: imported, clone: cloned, share, list };
}

/** Serve an archive that was imported, and follow its folder. */
export async function shareTiny(folder: string, home: string): Promise<Sharer> {
  const options = { deadlineMs: DEADLINE_MS };
  return await shareWithTrove(folder, { home }, [], options);
}

/** Wait for a process that has to end well. */
async function watched(process: Process): Promise<Step> {
  const startedAt = performance.now();
  await using running = process;
  using watch = new ProcessWatch(running);
  await running.ended();
  return { seconds: (performance.now() - startedAt) / 1000, peakRss: watch.peak };
}

/** In a process of its own: a million digests would take a lot of memory here. */
async function compare(folder: string, copy: string): Promise<void> {
  const args = ["--recursive", "--brief", "--exclude=.dat", folder, copy];
  const { success, stdout } = await new Deno.Command("diff", { args }).output();
  if (success) return;
  const [wrong] = new TextDecoder().decode(stdout).split("\n");
  throw new Error(`The clone is not the same: ${wrong}`);
}

/** Wait until a clone that stays has everything. */
export function followClone(
  { link, address }: Sharer,
  copy: string,
  home: string,
): Promise<Process> {
  const extra = ["--live", "--host", "127.0.0.1", "--port", "0"];
  return trove(cloneArguments(link, copy, [address], extra), { home });
}
