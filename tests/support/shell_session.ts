/**
 * What a page of the documentation shows, tried: its `console` blocks are typed into a shell, one
 * after the other, and what comes back is compared with what the page says.
 *
 * In a block a line `$ command` is typed; `# exit code N` behind it is what it has to end with,
 * otherwise 0. The lines up to the next one are its output: `…` stands for anything within a line,
 * and alone in a line for any number of lines.
 */
import assert from "node:assert/strict";

/** Time for one command, in milliseconds. */
const DEADLINE_MS = 60_000;

export interface Step {
  readonly command: string;
  readonly exitCode: number;
  readonly output: readonly string[];
  /** Line of the page, from 1. */
  readonly line: number;
}

/** The commands of a page, in order. */
export function readSteps(page: string): Step[] {
  const steps: (Step & { output: string[] })[] = [];
  let inside = false;
  for (const [n, line] of page.split("\n").entries()) {
    if (line.startsWith("```")) inside = line === "```console";
    else if (inside && line.startsWith("$ ")) {
      const [, command, code] = /^\$ (.*?)(?:\s+# exit code (\d+))?$/.exec(line)!;
      steps.push({ command, exitCode: Number(code ?? 0), output: [], line: n + 1 });
    } else if (inside) steps.at(-1)?.output.push(line);
  }
  return steps;
}

/** A shell that one types into; what it started ends with it. */
export class ShellSession implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<string>;
  #unread = "";
  #count = 0;

  constructor(options: { cwd: string; env: Record<string, string> }) {
    this.#child = new Deno.Command("bash", {
      args: ["--noprofile", "--norc"],
      cwd: options.cwd,
      env: options.env,
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#output = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Type a command; gives its exit code and what it wrote, to stdout and stderr alike. */
  async type(command: string): Promise<{ exitCode: number; output: string }> {
    const mark = `-- ${++this.#count} ended`;
    // In braces, so that a command in the background is one of this shell's jobs.
    const line = `{ ${command}\n} 2>&1 < /dev/null; printf '\\n${mark} %d\\n' $?\n`;
    await this.#input.write(new TextEncoder().encode(line));
    const end = new RegExp(`\\n${mark} (\\d+)\\n`);
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), DEADLINE_MS);
    try {
      for (;;) {
        const found = end.exec(this.#unread);
        if (found !== null) {
          const output = this.#unread.slice(0, found.index);
          this.#unread = this.#unread.slice(found.index + found[0].length);
          return { exitCode: Number(found[1]), output };
        }
        const { done, value } = await this.#output.read();
        assert.ok(!done, `the shell ended at: ${command}\n${this.#unread}`);
        this.#unread += value;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const rest = 'for pid in $(jobs -p); do kill "$pid"; done; wait; exit\n';
    await this.#input.write(new TextEncoder().encode(rest)).catch(() => {});
    await this.#input.close().catch(() => {});
    while (!(await this.#output.read()).done);
    await this.#child.status;
  }
}

/** Compare what a command wrote with what the page says. */
export function assertShown(step: Step, page: string, actual: string): void {
  const expected = trimLines(step.output);
  const lines = trimLines(actual.split("\n"));
  const said = `${page}:${step.line}: $ ${step.command}\n` +
    `the page says:\n${expected.join("\n")}\nit was:\n${lines.join("\n")}`;
  assert.ok(fits(lines, expected), said);
}

function fits(lines: readonly string[], expected: readonly string[]): boolean {
  if (expected.length === 0) return lines.length === 0;
  const [first, ...rest] = expected;
  if (first === "…") {
    return lines.some((_, n) => fits(lines.slice(n), rest)) || fits([], rest);
  }
  if (lines.length === 0) return false;
  const pattern = first.split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${pattern.join(".*")}$`).test(lines[0]) && fits(lines.slice(1), rest);
}

/** Without blanks at the ends of lines, and without empty lines at the ends. */
function trimLines(lines: readonly string[]): string[] {
  return lines.map((line) => line.trimEnd()).join("\n").replace(/^\n+|\n+$/g, "").split("\n")
    .filter((line, _, all) => all.length > 1 || line !== "");
}
