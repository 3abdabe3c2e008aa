import assert from "node:assert/strict";
import * as fc from "fast-check";
import { IncompleteError } from "../../../src/base/errors.ts";
import { runItems } from "../../../src/core/archive/steps.ts";
import { walkFiles } from "../../../src/core/archive/walk.ts";
import { operations, writeHistory } from "./histories.ts";
import { loaderOf, plainStat, recordedArchives } from "./recorded.ts";

const byPath = (a: { path: string }, b: { path: string }) => a.path < b.path ? -1 : 1;

for (const archive of recordedArchives()) {
  Deno.test(`walkFiles() lists every version of ${archive.name} as recorded`, () => {
    const load = loaderOf(archive);
    for (const { version, tree } of archive.versions) {
      const files = [...runItems(walkFiles(version), load)];
      const found = files.map(({ path, seq, stat }) => ({ path, seq, ...plainStat(stat) }));
      assert.deepEqual(found.sort(byPath), [...tree].sort(byPath), `version ${version}`);
    }
  });
}

Deno.test("walkFiles() yields what a plain map holds, per folder in code-unit order", () => {
  fc.assert(
    fc.property(operations(), (ops) => {
      const { versions, load } = writeHistory(ops);
      for (const [version, model] of versions.entries()) {
        const files = [...runItems(walkFiles(version), load)];
        assert.deepEqual(files.map(({ path, seq }) => [path, seq]), model.visible());
        assert.ok(files.every(({ seq, stat }) => stat.size === seq));
      }
    }),
    { seed: 1 },
  );
});

Deno.test("walkFiles() asks for each entry once", () => {
  fc.assert(
    fc.property(operations(60), (ops) => {
      const { blocks, load } = writeHistory(ops);
      const asked: number[] = [];
      const files = runItems(walkFiles(blocks.length - 1), (seq) => {
        asked.push(seq);
        return load(seq);
      });
      assert.ok([...files].length <= asked.length);
      assert.equal(new Set(asked).size, asked.length);
    }),
    { seed: 2 },
  );
});

Deno.test("walkFiles() leaves out a file whose path became a folder, and gives it back", () => {
  const { load } = writeHistory([
    { op: "put", path: "/a" },
    { op: "put", path: "/a/below" },
    { op: "del", path: "/a/below" },
  ]);
  const paths = (version: number) =>
    [...runItems(walkFiles(version), load)].map((file) => file.path);
  assert.deepEqual(paths(2), ["/a/below"]);
  assert.deepEqual(paths(3), ["/a"]);
});

Deno.test("walkFiles() yields a file that replaced a folder before what was in the folder", () => {
  const { load } = writeHistory([{ op: "put", path: "/a/x" }, { op: "put", path: "/a" }]);
  const files = [...runItems(walkFiles(2), load)];
  assert.deepEqual(files.map(({ path, seq }) => [path, seq]), [["/a", 2], ["/a/x", 1]]);
});

Deno.test("walkFiles() of a version that is not here says so", () => {
  assert.throws(() => [...runItems(walkFiles(7), () => undefined)], IncompleteError);
  assert.deepEqual([...runItems(walkFiles(0), () => undefined)], []);
});
