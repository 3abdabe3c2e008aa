/**
 * Where a part works: gone at its end, and on Ctrl-C or SIGTERM as well, with the processes that it
 * started.
 */
import { TempFolder } from "../tests/support/temp.ts";

/** And the exit codes that shells give them. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;
/** What a process that was killed had in hand may still come into its folder. */
const REMOVE_TRIES = 5;

const open = new Set<WorkFolder>();

export class WorkFolder extends TempFolder {
  constructor() {
    super("trove-bench-");
    if (open.size === 0) listen();
    open.add(this);
  }

  override [Symbol.dispose](): void {
    open.delete(this);
    if (open.size === 0) unlisten();
    super[Symbol.dispose]();
  }
}

const handlers = Object.entries(SIGNALS).map(([name, code]) => ({
  signal: name as keyof typeof SIGNALS,
  handle: () => {
    for (const pid of childrenOf(Deno.pid)) end(pid);
    for (const folder of open) removeAll(folder.path);
    Deno.exit(code);
  },
}));

function listen(): void {
  for (const { signal, handle } of handlers) Deno.addSignalListener(signal, handle);
}

function unlisten(): void {
  for (const { signal, handle } of handlers) Deno.removeSignalListener(signal, handle);
}

/** Processes that a process started, by the kernel's list. None on systems without one. */
function childrenOf(pid: number): number[] {
  const children: number[] = [];
  try {
    for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
      const text = Deno.readTextFileSync(`/proc/${pid}/task/${name}/children`);
      children.push(...text.split(" ").filter((word) => word !== "").map(Number));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return children;
}

/** What it works on goes at once, so it need not end in good order. */
function end(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function removeAll(path: string): void {
  for (let tries = 1;; tries++) {
    try {
      return Deno.removeSync(path, { recursive: true });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      if (tries === REMOVE_TRIES) throw error;
    }
  }
}
