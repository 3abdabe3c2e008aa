import assert from "node:assert/strict";
import type { TroveEvent } from "../../src/app/events.ts";
import { StorageError, UsageError } from "../../src/base/errors.ts";
import { LiveView } from "../../src/cli/live_view.ts";
import { CommandOutput, type OutputOptions } from "../../src/cli/output.ts";
import { printable } from "../../src/base/format.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { START_MS, TestWorld } from "../support/test_world.ts";

const PLAIN: OutputOptions = { json: false, quiet: false, verbose: false, color: false };

const LINK = `dat://${"ab".repeat(32)}`;

/** What strangers may call a file: clears the screen, ends the line, turns the writing around. */
const HOSTILE = "a\u001b[2Jb\nc\r\u009bd\u202ee";

// deno-lint-ignore no-control-regex -- what a live view is drawn with
const DRAWING = /\r|\u001b\[(J|K|\d+A|\?25[hl])/g;

/** One of each. */
const EVENTS: readonly TroveEvent[] = [
  { event: "archive", link: LINK, discoveryKey: "cd", dir: "/d", writable: true, version: 1 },
  {
    ...{ event: "imported", put: 1, deleted: 2, same: 3, skipped: 4, bytes: 5000 },
    ...{ seconds: 1.5, version: 7 },
  } as TroveEvent,
  { event: "listening", host: "127.0.0.1", port: 3282 },
  { event: "peer", state: "connected", address: "192.0.2.7:1" },
  { event: "peer", state: "disconnected", address: "192.0.2.7:1", reason: HOSTILE },
  { event: "importing", files: 3, bytes: 1000, path: HOSTILE },
  {
    ...{ event: "progress", blocks: 1, blocksTotal: 4, bytes: 250, bytesTotal: 1000 },
    ...{ peers: 1, downRate: 100, upRate: 0 },
  } as TroveEvent,
  {
    ...{ event: "synced", version: 7, files: 2, bytes: 10, downloadedBytes: 5 },
    ...{ seconds: 0.5 },
  } as TroveEvent,
  { event: "uploaded", peer: "192.0.2.7:1", version: 7 },
  { event: "warning", code: "skipped", message: HOSTILE },
];

function make(temp: TempFolder, options: Partial<OutputOptions> = {}) {
  const world = new TestWorld(temp);
  return { world, output: new CommandOutput(world, { ...PLAIN, ...options }) };
}

/** The same on a terminal, with a clock that runs so fast that every event is drawn. */
function makeLive(temp: TempFolder, options: Partial<OutputOptions> = {}) {
  const world = new TestWorld(temp);
  let now = 0;
  world.clock.monotonic = () => now += 1000;
  const view = new LiveView(world, { colour: false });
  return { world, output: new CommandOutput(world, { ...PLAIN, ...options }, view) };
}

Deno.test("with --json every event is one line with its fields and the time, and stderr is silent", () => {
  using temp = tempFolder();
  const { world, output } = make(temp, { json: true });
  for (const event of EVENTS) output.emit(event);
  output.say("for people");
  output.end();
  const time = new Date(START_MS).toISOString();
  const told = EVENTS.filter(({ event }) => event !== "importing");
  assert.deepEqual(
    world.stdout.json,
    told.map((event) => JSON.parse(JSON.stringify({ ...event, time }))),
  );
  assert.equal(world.stderr.text, "");
  assert.doesNotMatch(world.stdout.text.replaceAll("\n", ""), /\p{Cc}|\u202e/u);
});

Deno.test("people get the link on stdout, and everything else on stderr", () => {
  using temp = tempFolder();
  const { world, output } = make(temp);
  for (const event of EVENTS) output.emit(event);
  assert.equal(world.stdout.text, `${LINK}\n`);
  for (const part of ["1 file added or changed (5.0 kB)", "2 deleted", "4 skipped", "version 7"]) {
    assert.ok(world.stderr.text.includes(part), part);
  }
  assert.match(world.stderr.text, /Listening on 127\.0\.0\.1 port 3282/);
  assert.match(world.stderr.text, /^warning: /m);
});

for (const options of [{}, { verbose: true }, { json: true, verbose: true }]) {
  for (const isTerminal of "json" in options ? [false] : [false, true]) {
    const how = `${JSON.stringify(options)}${isTerminal ? ", terminal" : ""}`;
    Deno.test(`names of strangers reach nobody raw: ${how}`, () => {
      using temp = tempFolder();
      const { world, output } = (isTerminal ? makeLive : make)(temp, options);
      for (const event of EVENTS) output.emit(event);
      output.progress(0.5, HOSTILE, HOSTILE);
      output.note(printable(HOSTILE));
      const cause = new Error(HOSTILE);
      output.fail(new StorageError(`Cannot read "${HOSTILE}"`, { cause, hint: HOSTILE }));
      output.fail(new Error(HOSTILE));
      const text = world.stdout.text + world.stderr.text;
      // What remains are our own ways to draw, and line ends.
      assert.doesNotMatch(text.replace(DRAWING, "").replaceAll("\n", ""), /\p{Cc}|\u202e/u);
      assert.ok(text.includes("\\u001b[2J"));
    });
  }
}

Deno.test("--quiet leaves results and errors", () => {
  using temp = tempFolder();
  const { world, output } = make(temp, { quiet: true });
  world.stderr.isTerminal = true;
  for (const event of EVENTS) output.emit(event);
  output.say("news");
  assert.equal(world.stderr.text, "");
  assert.equal(world.stdout.text, `${LINK}\n`);
  output.fail(new UsageError("Cannot do that", { hint: "do this" }));
  assert.equal(world.stderr.text, "error: Cannot do that; do this\n");
});

Deno.test("an error that was foreseen is one line, another one comes with where it happened", () => {
  using temp = tempFolder();
  const { world, output } = make(temp);
  output.fail(new StorageError("Cannot read it", { cause: new Error("the cause") }));
  assert.equal(world.stderr.text, "error: Cannot read it\n");
  world.stderr.text = "";
  output.fail(new TypeError("a bug"));
  assert.match(world.stderr.text, /^error: a bug\nTypeError: a bug\n +at /);
  const verbose = make(temp, { verbose: true });
  verbose.output.fail(new StorageError("Cannot read it", { cause: new Error("the cause") }));
  assert.match(
    verbose.world.stderr.text,
    /^error: Cannot read it\nStorageError: [^]+cause: Error: the cause/,
  );
});

Deno.test("with --json an error is the last line of stdout, and one line on stderr", () => {
  using temp = tempFolder();
  const { world, output } = make(temp, { json: true });
  output.fail(new UsageError('Cannot use "\u001b"', { hint: "h" }));
  const time = new Date(START_MS).toISOString();
  assert.deepEqual(world.stdout.json, [
    { event: "error", code: "usage", message: 'Cannot use "\u001b"', hint: "h", exitCode: 2, time },
  ]);
  assert.equal(world.stderr.lines.length, 1);
});

const PROGRESS = EVENTS.find(({ event }) => event === "progress")!;

Deno.test("elsewhere progress is a plain line now and then", () => {
  using temp = tempFolder();
  const { world, output } = make(temp);
  for (let ms = 0; ms < 12_000; ms += 500) {
    world.clock.monotonicMs = ms;
    output.emit({ ...PROGRESS, downRate: 1000 * ms } as TroveEvent);
  }
  // After 5 and 10 seconds: what is over sooner needs none.
  assert.equal(world.stderr.lines.length, 2);
  assert.doesNotMatch(world.stderr.text.replaceAll("\n", ""), /\p{Cc}/u);
});

Deno.test("elsewhere progress that says the same again is left out", () => {
  using temp = tempFolder();
  const { world, output } = make(temp);
  for (const [n, downRate] of [5000, 5000, 5000, 0, 0, 5000].entries()) {
    world.clock.monotonicMs = 10_000 * (n + 1);
    output.emit({ ...PROGRESS, downRate } as TroveEvent);
  }
  assert.equal(world.stderr.lines.length, 3);
});

Deno.test("progress of nothing is no division by zero", () => {
  using temp = tempFolder();
  const { world, output } = make(temp);
  world.clock.monotonicMs = 5000;
  output.emit({ ...PROGRESS, bytes: 0, bytesTotal: 0 } as TroveEvent);
  assert.match(world.stderr.text, / 0% 0 B of 0 B/);
});

Deno.test("colours are where they are wanted, and nowhere else", () => {
  using temp = tempFolder();
  for (const color of [true, false]) {
    const { world, output } = make(temp, { color });
    for (const event of EVENTS) output.emit(event);
    output.fail(new UsageError("x"));
    assert.equal(world.stdout.text.includes("\u001b["), color);
    assert.equal(world.stderr.text.includes("\u001b["), color);
  }
});

Deno.test("record() names the command and the time", () => {
  using temp = tempFolder();
  const { world, output } = make(temp, { json: true });
  output.record("status", { link: LINK, files: undefined });
  const time = new Date(START_MS).toISOString();
  assert.deepEqual(world.stdout.json, [{ event: "status", link: LINK, time }]);
});
