/**
 * Everything that this process does to files below some folders, seen call by call: a test can note
 * it down, make it fail, or end the process in front of it.
 *
 * The product reaches files through the functions of the `Deno` namespace and the methods of
 * `Deno.FsFile`, synchronously; these are replaced until the hooks are disposed. Locks and what is
 * done to sockets are not looked at, nor are mode and time as `finish_file.ts` sets them.
 */
import { sep } from "node:path";

/** One call, before it is made. Paths are as the caller gave them. */
export type DiskCall =
  | { readonly kind: "open"; readonly path: string; readonly options: Deno.OpenOptions }
  | { readonly kind: "read"; readonly path: string; readonly file?: Deno.FsFile }
  | {
    readonly kind: "write";
    readonly path: string;
    readonly file: Deno.FsFile;
    readonly offset: number;
    readonly bytes: Uint8Array;
  }
  | {
    readonly kind: "truncate";
    readonly path: string;
    readonly file: Deno.FsFile;
    readonly size: number;
  }
  | { readonly kind: "sync"; readonly path: string; readonly file: Deno.FsFile }
  | { readonly kind: "rename" | "link"; readonly path: string; readonly to: string }
  | { readonly kind: "remove"; readonly path: string }
  | { readonly kind: "mkdir"; readonly path: string }
  | { readonly kind: "chmod"; readonly path: string; readonly mode: number }
  | { readonly kind: "look"; readonly path: string }
  | { readonly kind: "list"; readonly path: string };

export type DiskCallKind = DiskCall["kind"];

/** The calls that change what is on the disk, or say when it has to be there. */
export const CHANGES: readonly DiskCallKind[] = [
  "open",
  "write",
  "truncate",
  "sync",
  "rename",
  "link",
  "remove",
  "mkdir",
  "chmod",
];

/** Whether a call may change something: an open that makes nothing does not. */
export function isChange(call: DiskCall): boolean {
  if (call.kind === "open") return makes(call.options);
  return CHANGES.includes(call.kind);
}

/** Whether opening with these options may make or empty a file. */
export function makes({ create, createNew, truncate }: Deno.OpenOptions): boolean {
  return create === true || createNew === true || truncate === true;
}

export interface DiskWatcher {
  /** Before a call. What it throws, the caller gets. */
  before?(call: DiskCall): void;
  /** After a call that went well. `bytes` of a write are those that were written. */
  after?(call: DiskCall, opened?: Deno.FsFile): void;
}

interface Handle {
  readonly path: string;
  position: number;
}

/** The functions as they were. */
type Originals = { readonly [name: string]: (...args: never[]) => unknown };

const FUNCTIONS = [
  "openSync",
  "readFileSync",
  "readTextFileSync",
  "writeFileSync",
  "writeTextFileSync",
  "copyFileSync",
  "renameSync",
  "linkSync",
  "removeSync",
  "mkdirSync",
  "chmodSync",
  "statSync",
  "lstatSync",
  "readDirSync",
] as const;
const METHODS = ["readSync", "writeSync", "seekSync", "truncateSync", "syncSync", "syncDataSync"];

/** Watch what this process does below `folders`, until it is disposed. One at a time. */
export class DiskHooks implements Disposable {
  readonly #folders: readonly string[];
  readonly #watcher: DiskWatcher;
  readonly #handles = new WeakMap<Deno.FsFile, Handle>();
  readonly #functions: Originals;
  readonly #methods: Originals;
  /** While a watcher itself is at work, nothing is watched. */
  #quiet = false;

  constructor(folders: readonly string[], watcher: DiskWatcher) {
    this.#folders = folders;
    this.#watcher = watcher;
    const deno = Deno as unknown as Record<string, (...args: never[]) => unknown>;
    const file = Deno.FsFile.prototype as unknown as Record<string, (...args: never[]) => unknown>;
    this.#functions = Object.fromEntries(FUNCTIONS.map((name) => [name, deno[name]]));
    this.#methods = Object.fromEntries(METHODS.map((name) => [name, file[name]]));
    this.#replaceFunctions();
    this.#replaceMethods();
  }

  [Symbol.dispose](): void {
    Object.assign(Deno, this.#functions);
    Object.assign(Deno.FsFile.prototype, this.#methods);
  }

  #isWatched(path: string | URL): path is string {
    return !this.#quiet && typeof path === "string" &&
      this.#folders.some((folder) => path === folder || path.startsWith(folder + sep));
  }

  /** Make a call, watched. */
  #make<T>(call: DiskCall, run: () => T, seen: (result: T) => DiskCall = () => call): T {
    this.#aside(() => this.#watcher.before?.(call));
    const result = run();
    this.#aside(() =>
      this.#watcher.after?.(seen(result), result instanceof Deno.FsFile ? result : undefined)
    );
    return result;
  }

  #aside(run: () => void): void {
    this.#quiet = true;
    try {
      run();
    } finally {
      this.#quiet = false;
    }
  }

  #replaceFunctions(): void {
    const original = this.#functions as unknown as typeof Deno;
    const look = (name: "statSync" | "lstatSync") => (path: string | URL) =>
      this.#isWatched(path)
        ? this.#make({ kind: "look", path }, () => original[name](path))
        : original[name](path);
    const replaced: Partial<typeof Deno> = {
      openSync: (path, options = { read: true }) => {
        if (!this.#isWatched(path)) return original.openSync(path, options);
        const call: DiskCall = { kind: "open", path, options };
        return this.#make(call, () => {
          const file = original.openSync(path, options);
          const position = options.append === true ? file.statSync().size : 0;
          this.#handles.set(file, { path, position });
          return file;
        });
      },
      readFileSync: (path) =>
        this.#isWatched(path)
          ? this.#make({ kind: "read", path }, () => original.readFileSync(path))
          : original.readFileSync(path),
      readTextFileSync: (path) =>
        this.#isWatched(path)
          ? this.#make({ kind: "read", path }, () => original.readTextFileSync(path))
          : original.readTextFileSync(path),
      writeFileSync: (path, data, options = {}) => {
        if (!this.#isWatched(path)) return original.writeFileSync(path, data, options);
        writeWhole(path, data as Uint8Array, options);
      },
      writeTextFileSync: (path, text, options = {}) => {
        if (!this.#isWatched(path)) return original.writeTextFileSync(path, text, options);
        writeWhole(path, new TextEncoder().encode(text as string), options);
      },
      copyFileSync: (from, to) => {
        if (!this.#isWatched(from) && !this.#isWatched(to)) return original.copyFileSync(from, to);
        const { mode } = original.statSync(from);
        writeWhole(to as string, Deno.readFileSync(from), { mode: mode ?? undefined });
      },
      renameSync: (path, to) =>
        this.#isWatched(path)
          ? this.#make(
            { kind: "rename", path, to: to as string },
            () => original.renameSync(path, to),
          )
          : original.renameSync(path, to),
      linkSync: (path, to) =>
        this.#isWatched(path)
          ? this.#make({ kind: "link", path, to }, () => original.linkSync(path, to))
          : original.linkSync(path, to),
      removeSync: (path, options) =>
        this.#isWatched(path)
          ? this.#make({ kind: "remove", path }, () => original.removeSync(path, options))
          : original.removeSync(path, options),
      mkdirSync: (path, options) =>
        this.#isWatched(path)
          ? this.#make({ kind: "mkdir", path }, () => original.mkdirSync(path, options))
          : original.mkdirSync(path, options),
      chmodSync: (path, mode) =>
        this.#isWatched(path)
          ? this.#make({ kind: "chmod", path, mode }, () => original.chmodSync(path, mode))
          : original.chmodSync(path, mode),
      statSync: look("statSync"),
      lstatSync: look("lstatSync"),
      readDirSync: (path) =>
        this.#isWatched(path)
          ? this.#make({ kind: "list", path }, () => original.readDirSync(path))
          : original.readDirSync(path),
    };
    Object.assign(Deno, replaced);
  }

  #replaceMethods(): void {
    const original = this.#methods as unknown as Deno.FsFile;
    const handleOf = (file: Deno.FsFile) => this.#quiet ? undefined : this.#handles.get(file);
    const make = <T>(call: DiskCall, run: () => T, seen?: (result: T) => DiskCall): T =>
      this.#make(call, run, seen);
    const sync = (name: "syncSync" | "syncDataSync") =>
      function (this: Deno.FsFile) {
        const handle = handleOf(this);
        if (handle === undefined) return original[name].call(this);
        const call: DiskCall = { kind: "sync", path: handle.path, file: this };
        make(call, () => original[name].call(this));
      };
    const replaced: Partial<Deno.FsFile> = {
      readSync(this: Deno.FsFile, into) {
        const handle = handleOf(this);
        if (handle === undefined) return original.readSync.call(this, into);
        const call: DiskCall = { kind: "read", path: handle.path, file: this };
        const count = make(call, () => original.readSync.call(this, into));
        handle.position += count ?? 0;
        return count;
      },
      writeSync(this: Deno.FsFile, bytes) {
        const handle = handleOf(this);
        if (handle === undefined) return original.writeSync.call(this, bytes);
        const { path, position: offset } = handle;
        const call = { kind: "write", path, file: this, offset, bytes } as const;
        const count = make(
          call,
          () => original.writeSync.call(this, bytes),
          (count) => ({ ...call, bytes: bytes.subarray(0, count) }),
        );
        handle.position += count;
        return count;
      },
      seekSync(this: Deno.FsFile, offset, whence) {
        const position = original.seekSync.call(this, offset, whence);
        const handle = handleOf(this);
        if (handle !== undefined) handle.position = position;
        return position;
      },
      truncateSync(this: Deno.FsFile, size = 0) {
        const handle = handleOf(this);
        if (handle === undefined) return original.truncateSync.call(this, size);
        const call: DiskCall = { kind: "truncate", path: handle.path, file: this, size };
        make(call, () => original.truncateSync.call(this, size));
      },
      syncSync: sync("syncSync"),
      syncDataSync: sync("syncDataSync"),
    };
    Object.assign(Deno.FsFile.prototype, replaced);
  }
}

/** A whole file as its parts, so that each of them is seen. */
function writeWhole(path: string, bytes: Uint8Array, options: Deno.WriteFileOptions): void {
  const { create = true, createNew, mode, append = false } = options;
  using file = Deno.openSync(path, {
    write: true,
    create,
    createNew,
    truncate: !append,
    append,
    mode,
  });
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(file.writeSync(rest));
}
