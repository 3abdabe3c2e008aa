/** What of a live view a terminal shows, and what it is left with. */
import assert from "node:assert/strict";
import type { TroveEvent } from "../../src/app/events.ts";
import { LiveView } from "../../src/cli/live_view.ts";
import { CommandOutput } from "../../src/cli/output.ts";
import { Painter } from "../../src/cli/painter.ts";
import { UsageError } from "../../src/base/errors.ts";
import { FakeTerminal } from "../support/fake_terminal.ts";
import { TestClock } from "../support/test_world.ts";

const LINK = `dat://${"ab".repeat(32)}`;

const ARCHIVE: TroveEvent = {
  ...{ event: "archive", link: LINK, discoveryKey: "cd", dir: "/copy", writable: false },
  version: 0,
} as TroveEvent;

function progress(blocks: number): TroveEvent {
  return {
    ...{ event: "progress", blocks, blocksTotal: 100, bytes: blocks * 1e6, bytesTotal: 1e8 },
    ...{ peers: 1, downRate: 1e6, upRate: 0 },
  } as TroveEvent;
}

const SYNCED: TroveEvent = {
  ...{ event: "synced", version: 7, files: 2, bytes: 1e8, downloadedBytes: 1e8, seconds: 9 },
} as TroveEvent;

Deno.test("a painter draws over what it drew, in one write, and leaves nothing", () => {
  const terminal = new FakeTerminal();
  const painter = new Painter(terminal);
  terminal.write("$ trove\n");
  painter.draw(["one", "two", "three"]);
  assert.deepEqual(terminal.lines, ["$ trove", "one", "two", "three"]);
  assert.deepEqual(terminal.cursor, { row: 4, column: 0 });
  painter.draw(["ONE", "t"]);
  assert.deepEqual(terminal.lines, ["$ trove", "ONE", "t"]);
  painter.draw(["ONE", "t"]);
  assert.equal(terminal.writes.length, 3, "the same again is not drawn");
  painter.draw(["ONE", "t"], { above: "news\nmore\n" });
  assert.deepEqual(terminal.lines, ["$ trove", "news", "more", "ONE", "t"]);
  assert.equal(terminal.writes.length, 4);
  painter.clear();
  painter.clear();
  assert.deepEqual(terminal.lines, ["$ trove", "news", "more"]);
  assert.deepEqual(terminal.cursor, { row: 3, column: 0 });
  assert.ok(terminal.writes.every((text) => !text.includes("\u001b[2J")), "no clear of the screen");
});

Deno.test("a painter finds the top of lines that wrapped when the terminal got narrower", () => {
  for (const columns of [79, 40, 33, 20, 7]) {
    const terminal = new FakeTerminal({ rows: 100 });
    const painter = new Painter(terminal);
    terminal.write("before\n");
    painter.draw(["x".repeat(79), "short", "写".repeat(35), "\u001b[32mgreen\u001b[0m"]);
    terminal.resize(columns);
    painter.draw(["a", "b"]);
    assert.deepEqual(terminal.lines, ["before", "a", "b"], `${columns} columns`);
    terminal.resize(120);
    painter.draw(["c"]);
    assert.deepEqual(terminal.lines, ["before", "c"]);
  }
});

Deno.test("a painter hides the cursor while it draws, and shows it at the end", () => {
  const terminal = new FakeTerminal();
  const painter = new Painter(terminal);
  painter.draw([], { hideCursor: true });
  assert.ok(terminal.cursorVisible, "nothing is drawn");
  painter.draw(["a"], { hideCursor: true });
  assert.ok(!terminal.cursorVisible);
  painter.clear();
  assert.ok(!terminal.cursorVisible, "there is more to come");
  painter.clear({ end: true });
  assert.ok(terminal.cursorVisible);
});

/** A command's output on a terminal, with a clock that the test turns. */
function open(options: { columns?: number; rows?: number; verbose?: boolean } = {}) {
  const terminal = new FakeTerminal(options);
  const clock = new TestClock();
  clock.monotonicMs = 1000;
  const restores = new Set<() => void>();
  const beforeExit = (restore: () => void) => {
    restores.add(restore);
    return { [Symbol.dispose]: () => void restores.delete(restore) };
  };
  const world = { stdout: terminal, stderr: terminal, clock, beforeExit };
  const view = new LiveView(world, { colour: false });
  const plain = { json: false, quiet: false, verbose: options.verbose === true, color: false };
  const output = new CommandOutput(world, plain, view);
  const later = (ms: number) => clock.monotonicMs! += ms;
  return { terminal, output, restores, later };
}

Deno.test("what is over at once is never drawn", () => {
  const { terminal, output } = open();
  output.emit(ARCHIVE);
  output.emit(progress(50));
  output.emit(SYNCED);
  output.end();
  assert.deepEqual(terminal.lines, [
    LINK,
    "Complete: version 7, 2 files (100 MB), 100 MB downloaded in 9.0 s",
  ]);
  assert.ok(terminal.writes.every((text) => !text.includes("\u001b")));
});

Deno.test("what is printed stays above the view, and is all that stays", () => {
  const { terminal, output, later } = open();
  output.emit(ARCHIVE);
  later(200);
  output.emit({ event: "peer", state: "connected", address: "192.0.2.7:1" });
  output.emit(progress(50));
  assert.deepEqual(terminal.lines.slice(0, 3), [LINK, "Fetching copy", LINK]);
  assert.ok(!terminal.cursorVisible);
  later(200);
  output.emit({ event: "warning", code: "skipped", message: "Something was left out" });
  assert.deepEqual(terminal.lines.slice(0, 3), [
    LINK,
    "warning: Something was left out",
    "Fetching copy",
  ]);
  output.emit(SYNCED);
  output.end();
  assert.deepEqual(terminal.lines, [
    LINK,
    "warning: Something was left out",
    "Complete: version 7, 2 files (100 MB), 100 MB downloaded in 9.0 s",
  ]);
  assert.ok(terminal.cursorVisible);
});

Deno.test("a failure takes the view away and stays", () => {
  const { terminal, output, restores, later } = open();
  output.emit(ARCHIVE);
  later(200);
  output.emit(progress(50));
  assert.equal(restores.size, 1);
  output.fail(new UsageError("Cannot go on", { hint: "do this" }));
  assert.deepEqual(terminal.lines, [LINK, "error: Cannot go on; do this"]);
  assert.ok(terminal.cursorVisible);
  assert.equal(restores.size, 0);
});

Deno.test("whatever ends the process, the cursor is seen again and what was said stays", () => {
  const { terminal, output, restores, later } = open();
  output.emit(ARCHIVE);
  later(200);
  output.emit(progress(50));
  assert.ok(!terminal.cursorVisible);
  for (const restore of restores) restore();
  assert.ok(terminal.cursorVisible);
  assert.deepEqual(terminal.lines, [LINK]);
  assert.deepEqual(terminal.cursor, { row: 1, column: 0 });
});

Deno.test("local work shows how far it is, and leaves the cursor alone: it may be killed", () => {
  const { terminal, output, restores, later } = open();
  later(200);
  output.progress(0.5, "1 of 2 blocks", "a\nb");
  assert.deepEqual(terminal.lines.length, 2);
  assert.match(terminal.lines[0], /^\[=+-+\] {2}50% {2}1 of 2 blocks$/);
  assert.equal(terminal.lines[1], "a\\u000ab");
  assert.ok(terminal.cursorVisible && restores.size === 0);
  output.result("done");
  assert.deepEqual(terminal.lines, ["done"]);
});

Deno.test("frames are drawn ten times a second at most, however much happens", () => {
  const { terminal, output, later } = open();
  output.emit(ARCHIVE);
  const { length } = terminal.writes;
  for (let n = 0; n < 1000; n++) {
    later(1);
    output.emit(progress(n % 100));
  }
  assert.ok(terminal.writes.length - length <= 10, `${terminal.writes.length - length}`);
});

Deno.test("a burst of lines is printed without frames between them", () => {
  const { terminal, output, later } = open();
  output.emit(ARCHIVE);
  later(200);
  output.emit(progress(1));
  for (let n = 0; n < 100; n++) output.say(`line ${n}`);
  const drawn = terminal.writes.filter((text) => text.includes("Looking")).length;
  assert.ok(drawn <= 2, `${drawn} frames`);
  later(200);
  output.emit(progress(2));
  assert.deepEqual(terminal.lines.slice(100, 102), ["line 99", "Looking for peers of copy"]);
});

Deno.test("what changes while it is shared is shown for a minute, and not what a first import took", () => {
  const { terminal, output, later } = open();
  const entry = (type: "put" | "del", path: string) =>
    output.emit({ event: "entry", type, path, size: 1 });
  output.emit({ ...ARCHIVE, writable: true } as TroveEvent);
  later(200);
  entry("put", "/first");
  output.emit({ event: "listening", host: "127.0.0.1", port: 1 });
  later(200);
  entry("put", "/a\u001b[2J");
  later(200);
  entry("del", "/b/c");
  assert.deepEqual(terminal.lines.slice(-2), ["  + a\\u001b[2J", "  - b/c"]);
  assert.ok(!terminal.text.includes("first"));
  later(59_900);
  output.emit(progress(100));
  assert.deepEqual(terminal.lines.slice(-1), ["  - b/c"]);
});

Deno.test("remarks pass, and stay with --verbose", () => {
  for (const verbose of [false, true]) {
    const { terminal, output, later } = open({ verbose });
    output.emit(ARCHIVE);
    later(200);
    output.note("Looking for peers");
    assert.ok(terminal.text.includes("Looking for peers\n") || !verbose);
    output.end();
    assert.equal(terminal.lines.includes("Looking for peers"), verbose);
  }
});

Deno.test("the view fits a terminal that gets smaller while it runs", () => {
  const { terminal, output, later } = open();
  output.emit(ARCHIVE);
  for (const [columns, rows] of [[40, 24], [20, 24], [20, 5], [120, 40]]) {
    later(200);
    output.emit(progress(40));
    terminal.resize(columns, rows);
    later(200);
    output.emit(progress(41));
    const frame = terminal.lines.slice(terminal.lines.lastIndexOf("Fetching copy"));
    assert.ok(frame.length < rows && frame.every((line) => line.length < columns), terminal.text);
    assert.equal(terminal.text.match(/^\[=/gm)!.length, 1, terminal.text);
  }
});
