/**
 * One folder of the writer's table: its children, and the list of sequence numbers that entries
 * carry about it, kept in order so that it can be written out as it is.
 */

/** A child's name; null stands for what was put at the folder's own path. */
export type ChildName = string | null;

export class Folder {
  readonly #newest = new Map<ChildName, number>();
  /** The values of the map, ascending. */
  #list: number[] = [];
  /** The children that have something below them. */
  readonly #folders = new Map<string, Folder>();

  /** Names of all children, in no order; null among them if something was put at this path. */
  get names(): IterableIterator<ChildName> {
    return this.#newest.keys();
  }

  /** The newest entry through this child. */
  newest(name: ChildName): number | undefined {
    return this.#newest.get(name);
  }

  /** The child as a folder, if something lies below it. */
  folder(name: string): Folder | undefined {
    return this.#folders.get(name);
  }

  setFolder(name: string, folder: Folder): void {
    this.#folders.set(name, folder);
  }

  /** The folder's list as it is without this child, ascending. */
  listWithout(name: ChildName): number[] {
    const seq = this.#newest.get(name);
    const list = this.#list.slice();
    if (seq !== undefined) list.splice(indexOfSorted(list, seq), 1);
    return list;
  }

  /** Whether there is any other child. */
  hasOthers(name: ChildName): boolean {
    return this.#newest.size > (this.#newest.has(name) ? 1 : 0);
  }

  /** Entry `seq` passes through this child. Fast if it is newer than all others, as a rule. */
  touch(name: ChildName, seq: number): void {
    this.#forget(name);
    this.#newest.set(name, seq);
    if (this.#list.length === 0 || this.#list[this.#list.length - 1] < seq) this.#list.push(seq);
    else this.#list.splice(indexOfSorted(this.#list, seq), 0, seq);
  }

  /** Take the child out, with everything below it. */
  remove(name: ChildName): void {
    this.#forget(name);
    if (name !== null) this.#folders.delete(name);
  }

  #forget(name: ChildName): void {
    const seq = this.#newest.get(name);
    if (seq === undefined) return;
    this.#newest.delete(name);
    this.#list.splice(indexOfSorted(this.#list, seq), 1);
  }
}

/** Where `seq` is in the ascending list, or belongs. */
function indexOfSorted(list: readonly number[], seq: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle] < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}
