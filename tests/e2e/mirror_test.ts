/** `trove mirror` as a job runs it: a source that vanishes, a disk that is too small. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { SmallDisk } from "../support/failures.ts";
import { type Exit, type JsonLine, runTrove, trove } from "../support/processes.ts";
import { type Sharer, shareWithTrove } from "../support/sharing.ts";
import { tempFolder } from "../support/temp.ts";
import { assertSameTree, digestTree, writeTree } from "../support/trees.ts";

const MB = 1_000_000;

function mirrorArguments(
  { link, address }: Pick<Sharer, "link" | "address">,
  copy: string,
  report: string,
  timeout: string,
): string[] {
  return [
    ...["mirror", link, copy, "--peer", address, "--json"],
    ...["--report", report, "--timeout", timeout],
  ];
}

/** What a run reported, which has to be what it ended with. */
function reportOf(exit: Exit, file: string): JsonLine {
  const report = JSON.parse(Deno.readTextFileSync(file));
  assert.equal(report.exitCode, exit.code, exit.stderr);
  return report;
}

Deno.test("a mirror whose source is killed ends with 4, and goes on when it is back", async () => {
  using temp = tempFolder();
  const [folder, copy, report] = [temp.folder("folder"), temp.join("copy"), temp.join("report")];
  const [owner, home, page] = [
    temp.folder("home-of-sharer"),
    temp.folder("home"),
    temp.join("page"),
  ];
  writeTree(folder, [{ path: "large", size: 8 * MB }, { path: "small", size: 10 }], "vanished");
  let downloaded: number;
  {
    await using sharer = await shareWithTrove(folder, { home: owner }, ["--up", "2mb"]);
    const args = mirrorArguments(sharer, copy, report, "4s");
    await using mirror = await trove(args, { home, env: { GITHUB_STEP_SUMMARY: page } });
    await mirror.event("progress", { matches: ({ bytes }) => bytes > MB });
    sharer.process.signal("SIGKILL");
    const exit = await mirror.exit;
    assert.equal(exit.code, 4, exit.stderr);
    const { error, version, planned, downloadedBytes } = reportOf(exit, report);
    assert.deepEqual([error.code, version, planned.added], ["incomplete", undefined, 2]);
    downloaded = downloadedBytes;
    assert.ok(downloaded > 0 && downloaded < 8 * MB);
    assert.match(Deno.readTextFileSync(page), /Exit code 4 \(incomplete\)/);
    assert.equal(digestTree(copy).has("large"), false, "no half of a file under its name");
  }
  await using sharer = await shareWithTrove(folder, { home: owner });
  const exit = await runTrove(mirrorArguments(sharer, copy, report, "30s"), { home });
  assert.equal(exit.code, 0, exit.stderr);
  assertSameTree(digestTree(copy), digestTree(folder));
  assert.ok(reportOf(exit, report).downloadedBytes < 8 * MB, "what was here is kept");
});

Deno.test("a mirror that does not fit is refused before any of it is fetched", async () => {
  using temp = tempFolder();
  const [folder, copy, report] = [temp.folder("folder"), temp.folder("copy"), temp.join("report")];
  const home = temp.folder("home");
  using disk = new SmallDisk(copy, 4 * MB);
  writeTree(folder, [{ path: "large", size: 6 * MB }, { path: "small", size: 10 }], "full");
  await using sharer = await shareWithTrove(folder, { home: temp.folder("home-of-sharer") });
  const args = mirrorArguments(sharer, copy, report, "30s");
  const full = await runTrove(args, { home, wrapper: disk.wrapper });
  assert.equal(full.code, 6, full.stderr);
  assert.equal(full.stderr.trimEnd().split("\n").length, 1, full.stderr);
  const { error, downloadedBytes } = reportOf(full, report);
  assert.equal(error.code, "storage");
  assert.equal(digestTree(copy).size, 0);
  // Where nothing can be mounted the limit is one of single files, which nobody can ask for.
  if (disk.wrapper.length === 0) {
    assert.match(error.message, /6\.0 MB and some more are needed and [34]\.\d MB are free/);
    assert.ok(downloadedBytes < 1000, "entries alone");
    assert.throws(() => Deno.lstatSync(join(copy, ".dat/trove.staging")), Deno.errors.NotFound);
  }
  disk.grow(20 * MB);
  const exit = await runTrove(args, { home, wrapper: disk.wrapper });
  assert.equal(exit.code, 0, exit.stderr);
  assertSameTree(digestTree(copy), digestTree(folder));
});
