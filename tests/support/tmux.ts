/**
 * A terminal that is really there: a shell in a tmux of its own, typed into and looked at.
 *
 *     await using pane = await TmuxPane.open({ cwd, env, columns: 80, rows: 24 });
 *     await pane.type("trove share photos");
 *     const lines = await pane.shows(/Sharing photos/);
 *
 * It takes tmux; tests that use it are skipped where there is none: `ignore: !tmuxAvailable()`.
 */
import assert from "node:assert/strict";

/** Time to wait for something to be seen, and between looks, in milliseconds. */
const DEADLINE_MS = 30_000;
const LOOK_MS = 40;

/** What the shell says when it is ready. */
const PROMPT = "ready$ ";

export function tmuxAvailable(): boolean {
  try {
    return new Deno.Command("tmux", { args: ["-V"] }).outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

export class TmuxPane implements AsyncDisposable {
  readonly #socket: string;

  private constructor(socket: string) {
    this.#socket = socket;
  }

  /** @param options.socket A path that nothing has yet. */
  static async open(options: {
    socket: string;
    cwd: string;
    env: Readonly<Record<string, string>>;
    columns: number;
    rows: number;
  }): Promise<TmuxPane> {
    const { socket, cwd, env, columns, rows } = options;
    const pane = new TmuxPane(socket);
    const variables = Object.entries({ ...env, PS1: PROMPT }).map(([name, value]) =>
      `${name}='${value}'`
    );
    await pane.#tmux(
      ...["new-session", "-d", "-x", `${columns}`, "-y", `${rows}`, "-c", cwd],
      `exec env ${variables.join(" ")} bash --noprofile --norc`,
    );
    await pane.#tmux("set-option", "-g", "history-limit", "5000");
    await pane.ready();
    return pane;
  }

  /** Type a command, and Enter. */
  async type(command: string): Promise<void> {
    await this.#tmux("send-keys", "-l", command);
    await this.keys("Enter");
  }

  /** Press keys by their names, such as `C-c`. */
  async keys(...names: readonly string[]): Promise<void> {
    await this.#tmux("send-keys", ...names);
  }

  /** Empty the screen and what has scrolled away. */
  async clear(): Promise<void> {
    await this.type("clear");
    await this.ready();
    await this.#tmux("clear-history");
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#tmux("resize-window", "-x", `${columns}`, "-y", `${rows}`);
  }

  /** The lines of the screen, without empty ones at the end; what has scrolled away with `all`. */
  async lines({ all = false } = {}): Promise<string[]> {
    const text = await this.#tmux("capture-pane", "-p", ...(all ? ["-S", "-", "-J"] : []));
    const lines = text.split("\n").map((line) => line.trimEnd());
    return lines.slice(0, lines.findLastIndex((line) => line !== "") + 1);
  }

  async cursor(): Promise<{ visible: boolean; column: number; row: number }> {
    const text = await this.#tmux("display", "-p", "#{cursor_flag} #{cursor_x} #{cursor_y}");
    const [flag, column, row] = text.trim().split(" ").map(Number);
    return { visible: flag === 1, column, row };
  }

  /** Wait until the screen shows something; gives its lines. */
  async shows(pattern: RegExp): Promise<string[]> {
    return await this.#waitFor(String(pattern), (lines) => pattern.test(lines.join("\n")));
  }

  /** Wait until the shell asks for the next command; gives the lines of the screen. */
  async ready(): Promise<string[]> {
    return await this.#waitFor("a prompt", (lines) => lines.at(-1) === PROMPT.trimEnd());
  }

  async #waitFor(what: string, found: (lines: readonly string[]) => boolean): Promise<string[]> {
    const until = performance.now() + DEADLINE_MS;
    for (;;) {
      const lines = await this.lines();
      if (found(lines)) return lines;
      if (performance.now() > until) {
        throw new assert.AssertionError({ message: `no ${what} in:\n${lines.join("\n")}` });
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  async #tmux(...args: readonly string[]): Promise<string> {
    const command = new Deno.Command("tmux", {
      args: ["-u", "-f", "/dev/null", "-S", this.#socket, ...args],
      env: { TERM: "xterm-256color" },
    });
    const { success, stdout, stderr } = await command.output();
    assert.ok(success, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tmux("kill-server");
  }
}
