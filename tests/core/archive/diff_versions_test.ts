import assert from "node:assert/strict";
import * as fc from "fast-check";
import { encodeChildren } from "../../../src/core/archive/children.ts";
import {
  changedFiles,
  diffVersions,
  type ReportedChange,
} from "../../../src/core/archive/diff_versions.ts";
import type { Entry } from "../../../src/core/archive/entry.ts";
import { type LoadEntry, runItems } from "../../../src/core/archive/steps.ts";
import { walkFiles } from "../../../src/core/archive/walk.ts";
import { compareWalked, operations, statOf, writeHistory } from "./histories.ts";
import { loaderOf, recordedArchives, recordedTrees } from "./recorded.ts";

function walked(version: number, load: LoadEntry): Map<string, number> {
  return new Map([...runItems(walkFiles(version), load)].map((file) => [file.path, file.seq]));
}

/** `type path seq` of every change from one listing to another, in the order of a walk. */
function expectedChanges(before: Map<string, number>, after: Map<string, number>): string[] {
  const paths = [...new Set([...before.keys(), ...after.keys()])].sort(compareWalked);
  return paths.flatMap((path) => {
    if (before.get(path) === after.get(path)) return [];
    return [
      ...before.has(path) ? [`del ${path} ${before.get(path)}`] : [],
      ...after.has(path) ? [`put ${path} ${after.get(path)}`] : [],
    ];
  });
}

for (const tree of recordedTrees()) {
  Deno.test(`diffVersions() of ${tree.name} reports what was recorded, in that order`, () => {
    for (const { from, to, diff } of tree.diffs) {
      const changes = [...runItems(diffVersions(from, to), loaderOf(tree))];
      assert.deepEqual(changes.map(({ type, path, seq }) => ({ type, path, seq })), diff);
    }
  });
}

for (const archive of recordedArchives()) {
  Deno.test(`changedFiles() leads from every version of ${archive.name} to the last`, () => {
    const listings = archive.versions.map(({ version, tree }) => ({
      version,
      files: new Map(tree.map((file) => [file.path, file.seq])),
    }));
    const last = listings[listings.length - 1];
    for (const { version, files } of listings) {
      const changes = [...runItems(changedFiles(version, last.version), loaderOf(archive))];
      const found = changes.map(({ type, path, seq }) => `${type} ${path} ${seq}`);
      assert.deepEqual(found, expectedChanges(files, last.files));
    }
  });
}

Deno.test("changedFiles() is what differs between two walks, both ways", () => {
  fc.assert(
    fc.property(operations(), fc.nat(30), fc.nat(30), (ops, a, b) => {
      const { blocks, load } = writeHistory(ops);
      const [from, to] = [a % blocks.length, b % blocks.length];
      const changes = [...runItems(changedFiles(from, to), load)];
      assert.deepEqual(
        changes.map(({ type, path, seq }) => `${type} ${path} ${seq}`),
        expectedChanges(walked(from, load), walked(to, load)),
      );
      assert.ok(changes.every(({ stat, seq }) => stat.size === seq));
    }),
    { seed: 1, numRuns: 300 },
  );
});

Deno.test("diffVersions() and changedFiles() agree where no file has others below it", () => {
  const flat = operations().map((ops) => ops.map((op) => ({ ...op, path: op.path + "/file" })));
  fc.assert(
    fc.property(flat, fc.nat(30), fc.nat(30), (ops, a, b) => {
      const { blocks, load } = writeHistory(ops.filter(({ path }) => path.split("/").length === 4));
      const [from, to] = [a % blocks.length, b % blocks.length];
      const reported = [...runItems(diffVersions(from, to), load)];
      const changed = [...runItems(changedFiles(from, to), load)];
      const key = ({ type, path, seq }: { type: string; path: string; seq: number }) =>
        `${type} ${path} ${seq}`;
      assert.deepEqual(reported.map(key).sort(), changed.map(key).sort());
    }),
    { seed: 2 },
  );
});

Deno.test("a delete that is not in its own lists, but the child next to it, is seen", () => {
  // In entry 3 the root names entry 2 for /b, whose lists still have /b/d.
  const lists = [[[1], [1], [1]], [[2], [1, 2], [2]], [[2], [2]]];
  const entries = ["/b/d", "/b/c", "/b/d"].map((path, i): Entry => ({
    seq: i + 1,
    path,
    stat: i < 2 ? statOf(i + 1) : undefined,
    paths: encodeChildren(lists[i], i + 1),
  }));
  const load = (seq: number) => entries[seq - 1];
  assert.deepEqual([...walked(3, load).keys()], ["/b/c"]);
  for (const changes of [changedFiles(2, 3), diffVersions(2, 3)]) {
    const found = [...runItems<ReportedChange>(changes, load)];
    assert.deepEqual(found.map(({ type, path, seq }) => [type, path, seq]), [["del", "/b/d", 1]]);
  }
});

Deno.test("changedFiles() asks for what differs only, and not for its neighbours", () => {
  const paths = Array.from({ length: 40 }, (_, i) => `/${i % 4}/${i}`);
  const { load } = writeHistory([
    ...paths.map((path) => ({ op: "put" as const, path })),
    { op: "put", path: "/0/0" },
  ]);
  const asked = new Set<number>();
  const changes = [...runItems(changedFiles(40, 41), (seq) => {
    asked.add(seq);
    return load(seq);
  })];
  assert.deepEqual(changes.map(({ type, seq }) => [type, seq]), [["del", 1], ["put", 41]]);
  // The heads, the folder's newest entry before, and the file's own old one.
  assert.deepEqual([...asked].sort((a, b) => a - b), [1, 37, 40, 41]);
});
