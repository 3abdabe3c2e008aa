/** How a command that fails must look, and ways to make this machine fail it. */
import assert from "node:assert/strict";
import { runTrove } from "./processes.ts";
import type { TempFolder } from "./temp.ts";

/** Runs a program as a user who may not read what the mode of a file forbids, root or not. */
export const NO_PRIVILEGES: readonly string[] = Deno.uid() === 0
  ? ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
  : [];

/** What is expected of a failing command. */
export interface Failure {
  readonly temp: TempFolder;
  readonly exitCode: number;
  /** The word of the `error` event. */
  readonly code: string;
  /** What the message has to mention. */
  readonly names?: string;
  readonly wrapper?: readonly string[];
}

/** What a command that fails may have printed as a result before: the archive's link. */
const LINK_OR_NOTHING = /^(dat:\/\/[0-9a-f]{64}\n)?$/;

/**
 * Run a command that must fail, once for people and once for programs: one line on stderr and at
 * most the link on stdout for the former, an `error` line last on stdout for the latter. `makeArgs` is
 * called for each run. The commands run in the folder `work` of `temp`, with `home` as home.
 */
export async function assertFails(
  makeArgs: () => readonly string[],
  { temp, exitCode, code, names = "", wrapper }: Failure,
): Promise<void> {
  const options = { home: temp.folder("home"), cwd: temp.folder("work"), wrapper };
  for (const flag of ["--quiet", "--json"]) {
    const args = [...makeArgs().filter((arg) => arg !== "--json"), flag];
    const exit = await runTrove(args, options);
    const said = `stdout:\n${exit.stdout}\nstderr:\n${exit.stderr}`;
    assert.equal(exit.code, exitCode, `${args.join(" ")} ended with ${exit.code}\n${said}`);
    let message = exit.stderr;
    if (flag === "--json") {
      const { event, ...error } = exit.lines.at(-1) ?? { event: "nothing" };
      assert.equal(event, "error", said);
      assert.equal(error.code, code, said);
      assert.equal(error.exitCode, exitCode, said);
      message = error.message;
    } else {
      const lines = exit.stderr.split("\n").filter((line) => line !== "");
      assert.equal(lines.length, 1, `one line on stderr\n${said}`);
      assert.match(exit.stdout, LINK_OR_NOTHING, said);
    }
    assert.doesNotMatch(message, /^\s+at |\bundefined\b|\[object /m, said);
    assert.ok(message.includes(names), `the message names "${names}"\n${said}`);
  }
}

/** A folder without room: where mounting is allowed a file system, else a limit on file sizes. */
export class SmallDisk implements Disposable {
  readonly #mounted: string | undefined;
  #bytes: number;

  constructor(folder: string, bytes: number) {
    this.#bytes = bytes;
    if (run("mount", "-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", folder)) this.#mounted = folder;
  }

  /** To put in front of the program that is to meet the limit. */
  get wrapper(): readonly string[] {
    if (this.#mounted !== undefined) return [];
    const blocks = Math.ceil(this.#bytes / 1024);
    // Ignored, the signal that comes at the limit turns into an error of the write.
    return ["bash", "-c", `trap "" XFSZ; ulimit -f ${blocks}; exec "$@"`, "bash"];
  }

  /** Room is found: from now on there are so many bytes. */
  grow(bytes: number): void {
    this.#bytes = bytes;
    if (this.#mounted === undefined) return;
    if (!run("mount", "-o", `remount,size=${bytes}`, this.#mounted)) {
      throw new Error(`Cannot enlarge "${this.#mounted}"`);
    }
  }

  [Symbol.dispose](): void {
    if (this.#mounted === undefined) return;
    if (!run("umount", this.#mounted)) throw new Error(`Cannot unmount "${this.#mounted}"`);
  }
}

function run(program: string, ...args: readonly string[]): boolean {
  const command = new Deno.Command(program, { args: [...args], stdout: "null", stderr: "null" });
  return command.outputSync().success;
}

/** Leave `bytes` bytes of room in `folder`, until the end of the block. */
export function smallDisk(folder: string, bytes: number): SmallDisk {
  return new SmallDisk(folder, bytes);
}
