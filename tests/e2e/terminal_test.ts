/** The live view on a real terminal, at several sizes, and what is left when a command ends. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { denoDirectory, QUIET } from "../support/processes.ts";
import { troveCommand } from "../support/trove_command.ts";
import { shareWithTrove } from "../support/sharing.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { tmuxAvailable, TmuxPane } from "../support/tmux.ts";
import { writeTree } from "../support/trees.ts";

const ENDS_BADLY = fileURLToPath(new URL("../support/ends_badly.ts", import.meta.url));

/** A terminal in which `trove` is a command that writes its number to the file `pid`. */
async function openPane(temp: TempFolder): Promise<TmuxPane> {
  const bin = temp.folder("bin");
  const words = troveCommand().map((word) => `'${word}'`).join(" ");
  const script = `#!/bin/sh\necho $$ > '${temp.join("pid")}'\nexec ${words} "$@"\n`;
  Deno.writeTextFileSync(join(bin, "trove"), script, { mode: 0o755 });
  return await TmuxPane.open({
    ...{ socket: temp.join("tmux"), cwd: temp.folder("work"), columns: 80, rows: 24 },
    env: {
      ...QUIET,
      DENO_DIR: await denoDirectory(),
      DENO_NO_UPDATE_CHECK: "1",
      HOME: temp.folder("home"),
      PATH: `${bin}:${Deno.env.get("PATH")}`,
      DENO: Deno.execPath(),
      LANG: "C.UTF-8",
    },
  });
}

/** The terminal is as it was: the cursor is seen behind the prompt, and what is typed is shown. */
async function assertSane(pane: TmuxPane, code: number): Promise<void> {
  const lines = await pane.ready();
  const cursor = await pane.cursor();
  assert.ok(cursor.visible, "the cursor is seen");
  assert.deepEqual([cursor.column, cursor.row], ["ready$ ".length, lines.length - 1]);
  const bars = lines.filter((line) => /^\[[=-]+\]/.test(line));
  assert.deepEqual(bars, [], "nothing of the view is left");
  await pane.type("echo code $? $(stty -a | grep -ow -- '-*echo')");
  const shown = await pane.shows(/^code \d+ \S+$/m);
  assert.ok(shown.includes(`code ${code} echo`), shown.join("\n"));
}

/** Lines that a view is made of, where numbers stand for any. */
function assertFrame(lines: readonly string[], expected: readonly RegExp[]): void {
  const from = lines.findIndex((line) => expected[0].test(line));
  const frame = lines.slice(from, from + expected.length);
  for (const [n, pattern] of expected.entries()) {
    assert.match(frame[n] ?? "", pattern, `line ${n} of:\n${lines.join("\n")}`);
  }
}

Deno.test({
  name: "the live view on a terminal of 80, 40 and 20 columns, and whatever ends it",
  ignore: !tmuxAvailable(),
  async fn(t) {
    using temp = tempFolder();
    const folder = temp.folder("photos");
    const files = [1, 2, 3, 4].map((n) => ({ path: `2024/写真-${n}.jpg`, size: 1_000_000 }));
    writeTree(folder, files, "terminal");
    await using sharer = await shareWithTrove(folder, { home: temp.folder("sharer") });
    await using pane = await openPane(temp);
    const { link, address } = sharer;
    // Each begins where the one before it ended.
    const step = async (name: string, work: () => Promise<void>) => {
      if (!await t.step(name, work)) throw new Error(`not in this state: ${name}`);
    };
    const slowly = `trove clone ${link} copy --peer ${address} --down 100kb`;

    await step("a download at 80 columns", async () => {
      await pane.type(slowly);
      const lines = await pane.shows(/ ms$[^]* [1-9]\d?% .* left$/m);
      assertFrame(lines, [
        /^Fetching copy$/,
        new RegExp(`^${link}$`),
        /^1 peer$/,
        new RegExp(`^  ${address}  down [\\d.]+ kB/s +up 0 B/s +(\\d+|below 1) ms$`),
        /^\[=+-+\] +\d+% +[\d.]+ [kM]B of 4\.0 MB +[\d.]+ kB\/s +(\d+ m )?\d+ s left$/,
      ]);
      assert.ok(lines.includes(link), "the link stays above");
      assert.ok(!(await pane.cursor()).visible);
    });

    await step("the same after the terminal was made narrower, twice", async () => {
      await pane.resize(40, 24);
      const lines = await pane.shows(/^\[[=-]{15,25}\] +\d+% +(\d+ m )?\d+ s left$/m);
      assertFrame(lines, [
        /^Fetching copy$/,
        /^dat:\/\/[0-9a-f]{12}\.\.\.[0-9a-f]{18}$/,
        /^1 peer$/,
        new RegExp(`^  ${address}  down [\\d.]+ kB/s$`),
        /^\[/,
      ]);
      await pane.resize(20, 12);
      const narrow = await pane.shows(/^\[[=-]{10,14}\] +\d+%$/m);
      assert.ok(narrow.every((line) => line.length <= 20));
      assert.equal(narrow.filter((line) => /^\[[=-]+\]/.test(line)).length, 1);
    });

    await step("Ctrl-C in the middle of it", async () => {
      await pane.keys("C-c");
      await assertSane(pane, 130);
      await pane.resize(80, 24);
      await pane.clear();
    });

    await step("Ctrl-C twice, and before there is anything to see", async () => {
      await pane.type(slowly);
      await pane.shows(/^\[=*-+\]/m);
      await pane.keys("C-c", "C-c");
      await assertSane(pane, 130);
      await pane.type(slowly);
      await pane.shows(new RegExp(`copy --peer ${address} `));
      await pane.keys("C-c");
      await assertSane(pane, 130);
    });

    await step("SIGTERM", async () => {
      await pane.clear();
      await pane.type(slowly);
      await pane.shows(/^\[=*-+\]/m);
      Deno.kill(Number(Deno.readTextFileSync(temp.join("pid"))), "SIGTERM");
      await assertSane(pane, 143);
    });

    await step("a good end leaves what was said, and nothing else", async () => {
      await pane.clear();
      await pane.type(`trove clone ${link} copy --peer ${address}`);
      await pane.shows(/Complete: /);
      await assertSane(pane, 0);
      const lines = (await pane.lines({ all: true })).slice(1, 3);
      assert.equal(lines[0], link);
      assert.match(lines[1], /^Complete: version 4, 4 files \(4\.0 MB\), .* downloaded in /);
    });

    await t.step(
      "an owner's folder at 40 columns, with a name that nobody should see raw",
      async () => {
        await pane.resize(40, 24);
        await pane.clear();
        Deno.writeTextFileSync(temp.join("work", "copy", "evil\u001b[2J"), "");
        await pane.type("trove share copy --host 127.0.0.1 --port 0");
        await pane.shows(/warning: This archive is not your own/);
        const lines = await pane.shows(/^Press Ctrl-C to stop sharing$/m);
        assertFrame(lines, [
          /^Serving copy, version 4$/,
          /^dat:\/\/[0-9a-f]{12}\.\.\.[0-9a-f]{18}$/,
          /^No peers, 1 warning$/,
          /^Press Ctrl-C to stop sharing$/,
        ]);
        await pane.keys("C-c");
        await assertSane(pane, 0);
      },
    );

    for (const [how, code] of [["error", 1], ["rejection", 1], ["exit", 3]] as const) {
      await step(`an end that nobody foresaw: ${how}`, async () => {
        await pane.clear();
        await pane.type(`"$DENO" run --quiet '${ENDS_BADLY}' ${how} 2>/dev/tty`);
        await pane.shows(/^drawn$/m);
        await pane.ready();
        await assertSane(pane, code);
      });
    }
  },
});
