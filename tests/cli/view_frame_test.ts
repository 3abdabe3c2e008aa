import assert from "node:assert/strict";
import type { TroveEvent } from "../../src/app/events.ts";
import { textWidth } from "../../src/cli/text_width.ts";
import { frame } from "../../src/cli/view_frame.ts";
import {
  afterEvent,
  afterNote,
  EMPTY_MODEL,
  type ViewModel,
  withoutOldNotes,
} from "../../src/cli/view_model.ts";

const LINK = `dat://${"ab".repeat(32)}`;

/** What strangers may call a file: clears the screen, ends the line, turns the writing around. */
const HOSTILE = "a\u001b[2Jb\nc\r\u009bd\u202ee";

function archive(writable: boolean, dir = "/home/ada/photos", version = 7): TroveEvent {
  return { event: "archive", link: LINK, discoveryKey: "cd", dir, writable, version };
}

function progress(blocks: number, downRate = 2_000_000): TroveEvent {
  return {
    ...{ event: "progress", blocks, blocksTotal: 100, bytes: blocks * 1e6, bytesTotal: 1e8 },
    ...{ peers: 2, downRate, upRate: 0 },
  } as TroveEvent;
}

const PEERS: TroveEvent = {
  event: "peers",
  links: [
    { address: "192.0.2.7:3282", downRate: 1_500_000, upRate: 0, roundTripMs: 12.4 },
    { address: "[2001:db8::1234:5678:9abc:def0]:3282", downRate: 500_000, upRate: 20_000 },
  ],
  downRate: 2_000_000,
  upRate: 20_000,
};

const IMPORTING: TroveEvent = {
  event: "importing",
  files: 12,
  bytes: 4e8,
  path: "2024/写真/a.jpg",
};

function modelOf(...events: readonly TroveEvent[]): ViewModel {
  return events.reduce<ViewModel>(afterEvent, EMPTY_MODEL);
}

function shown(model: ViewModel, columns = 80, rows = 24): string[] {
  return frame(model, { columns, rows, colour: false });
}

const FETCHING = modelOf(archive(false), progress(42), PEERS);

Deno.test("a download at 80 columns", () => {
  assert.deepEqual(shown({ ...FETCHING, hint: "Press Ctrl-C to stop" }), [
    "Fetching photos, version 7",
    LINK,
    "2 peers, down 2.0 MB/s, up 20 kB/s",
    "  192.0.2.7:3282                        down 1.5 MB/s  up 0 B/s       12 ms",
    "  [2001:db8::1234:5678:9abc:def0]:3282  down 500 kB/s  up 20 kB/s",
    "[=============------------------]  42%   42 MB of 100 MB  2.0 MB/s  29 s left",
    "Press Ctrl-C to stop",
  ]);
});

Deno.test("a download at 40 columns", () => {
  assert.deepEqual(shown(FETCHING, 40), [
    "Fetching photos, version 7",
    `dat://${"ab".repeat(6)}...${"ab".repeat(9)}`,
    "2 peers, down 2.0 MB/s, up 20 kB/s",
    "  192.0.2.7:3282      down 1.5 MB/s",
    "  [2001:db...0]:3282  down 500 kB/s",
    "[========-----------]  42%  29 s left",
  ]);
});

Deno.test("a download at 20 columns", () => {
  assert.deepEqual(shown(FETCHING, 20), [
    "Fetching photos,...",
    `dat://ab...${"ab".repeat(4)}`,
    "2 peers",
    "  192.0.2.7:3282",
    "  [2001:d...0]:3282",
    "[=====-------]  42%",
  ]);
});

Deno.test("an import shows what it is about, cut at its beginning", () => {
  const model = modelOf(archive(true), IMPORTING);
  assert.deepEqual(shown(model).slice(0, 1).concat(shown(model).slice(3)), [
    "Importing photos",
    "12 files, 400 MB  2024/写真/a.jpg",
  ]);
  assert.deepEqual(shown(model, 30).slice(3), ["12 files, 400 MB", "2024/写真/a.jpg"]);
  assert.deepEqual(shown(model, 14).slice(3), ["12 files, ...", "...写真/a.jpg"]);
  const done = afterEvent(model, {
    ...{ event: "imported", put: 12, deleted: 0, same: 0, skipped: 0, bytes: 4e8, seconds: 2 },
    version: 12,
  } as TroveEvent);
  assert.equal(shown(done)[0], "Opening photos, version 12");
});

const HEADS: readonly (readonly [ViewModel, string | undefined])[] = [
  [EMPTY_MODEL, undefined],
  [modelOf({ event: "listening", host: "::", port: 1 }), undefined],
  [modelOf(archive(false, "/c", 0)), "Looking for peers of c"],
  [
    modelOf(archive(true), { event: "listening", host: "::", port: 1 }),
    "Sharing photos, version 7",
  ],
  [modelOf(archive(false), progress(100)), "Complete: photos, version 7"],
  [
    modelOf(archive(false), { event: "listening", host: "::", port: 1 }, progress(100)),
    "Serving photos, version 7",
  ],
  [modelOf(archive(true), archive(false, "/other")), "Serving 2 archives"],
  [modelOf(archive(true), archive(false), { event: "removed", link: LINK, dir: "" }), "Looking "],
  [modelOf({ event: "feed", key: "ab", discoveryKey: "cd", dir: "/f", blocks: 0 }), "Looking for"],
];

for (const [model, head] of HEADS) {
  Deno.test(`the first line of a view is: ${head}`, () => {
    const [first] = shown(model);
    if (head === undefined) assert.equal(first, undefined);
    else assert.ok(first.startsWith(head), first);
  });
}

Deno.test("peers come and go without waiting for their figures", () => {
  let model = modelOf(archive(true), { event: "peer", state: "connected", address: "192.0.2.9:1" });
  assert.deepEqual(shown(model).slice(2), ["1 peer", "  192.0.2.9:1  down 0 B/s     up 0 B/s"]);
  model = afterEvent(model, { event: "peer", state: "disconnected", address: "192.0.2.9:1" });
  assert.deepEqual(shown(model).slice(2), ["No peers"]);
});

Deno.test("of a crowd the busiest are shown, and how many more there are", () => {
  const links = Array.from({ length: 100 }, (_, n) => ({
    ...{ address: `192.0.2.${n}:1`, downRate: n % 50 === 7 ? 1000 : 0, upRate: 0 },
  }));
  const model = modelOf(archive(true), { event: "peers", links, downRate: 2000, upRate: 0 });
  const lines = shown(model);
  assert.deepEqual(lines.slice(3, 5).map((line) => line.trim().split(" ")[0]), [
    "192.0.2.7:1",
    "192.0.2.57:1",
  ]);
  assert.equal(lines.at(-1), "  ... and 94 more");
  assert.ok(lines.length <= 16);
});

Deno.test("warnings are counted, and minor ones are not", () => {
  const warning: TroveEvent = { event: "warning", code: "skipped", message: "m" };
  const model = modelOf(archive(true), warning, { ...warning, minor: true }, warning);
  assert.ok(shown(model).includes("No peers, 2 warnings"));
});

Deno.test("remarks are shown, the newest five, until their time has come", () => {
  let model: ViewModel = modelOf(archive(true));
  for (let n = 0; n < 9; n++) model = afterNote(model, `remark ${n}`, 1000 * n);
  assert.deepEqual(shown(model).slice(3), [4, 5, 6, 7, 8].map((n) => `  remark ${n}`));
  assert.deepEqual(shown(withoutOldNotes(model, 6500)).slice(3), ["  remark 7", "  remark 8"]);
});

Deno.test("local work is a bar, and what it is about", () => {
  const model = { ...EMPTY_MODEL, work: { share: 0.5, text: "5 MB of 10 MB", tail: "a/b.txt" } };
  assert.deepEqual(shown(model, 60), [
    `[${"=".repeat(19)}${"-".repeat(18)}]  50%  5 MB of 10 MB`,
    "a/b.txt",
  ]);
});

/** Everything at once, with what strangers may have made of it. */
const FULL: ViewModel = {
  ...modelOf(archive(true, `/d/写真${HOSTILE}`), { event: "listening", host: "::", port: 1 }),
  ...{ links: PEERS.links, downRate: 9e9, upRate: 9e9, warnings: 1234 },
  progress: progress(1, 3) as ViewModel["progress"],
  importing: { ...IMPORTING, path: `写真${HOSTILE}`.repeat(20) } as ViewModel["importing"],
  work: { share: 0.999, text: HOSTILE, tail: HOSTILE.repeat(9) },
  notes: [{ text: `写真${HOSTILE}`, until: 0 }],
  hint: "Press Ctrl-C to stop",
};

Deno.test("at any size every line leaves a column free and a line is free below", () => {
  for (let columns = 1; columns <= 130; columns++) {
    for (const rows of [1, 2, 3, 5, 8, 24]) {
      const lines = shown(FULL, columns, rows);
      assert.ok(lines.length <= Math.max(0, rows - 1), `${lines.length} lines in ${rows}`);
      for (const line of lines) {
        assert.ok(textWidth(line) <= Math.max(1, columns - 1), `${columns} columns: ${line}`);
        assert.doesNotMatch(line, /\p{Cc}|\u202e/u);
      }
    }
  }
});

Deno.test("where there is room for little the bar and what is being done stay", () => {
  const lines = shown(FETCHING, 80, 3);
  assert.equal(lines.length, 2);
  assert.equal(lines[0], "Fetching photos, version 7");
  assert.match(lines[1], /^\[=+-+\] +42%/);
});

Deno.test("colours change nothing else", () => {
  for (const columns of [20, 40, 80]) {
    const coloured = frame(FULL, { columns, rows: 24, colour: true });
    assert.ok(coloured.some((line) => line.includes("\u001b[32m")));
    // deno-lint-ignore no-control-regex -- the colours
    const plain = coloured.map((line) => line.replace(/\u001b\[\d+m/g, ""));
    assert.deepEqual(plain, shown(FULL, columns));
  }
});
