/**
 * What a job that runs again and again sees of a real peer's archive, one run after the other: each ends
 * with the right exit code, and the report and the outputs of GitHub Actions say the same.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { SmallDisk } from "../support/failures.ts";
import { type JsonLine, peer, type Process, runTrove } from "../support/processes.ts";
import { HYPERDRIVE, shareWithPeer } from "../support/sharing.ts";
import { copyTree } from "../support/archives.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { assertSameTree, digestTree, withoutModes, writeTree } from "../support/trees.ts";
import { readOutputs } from "../support/workflow.ts";

const MB = 1_000_000;

/** What one run told. */
interface Run {
  readonly report: JsonLine;
  /** Of GitHub Actions; none were set where it failed. */
  readonly outputs: Readonly<Record<string, string>>;
  readonly page: string;
}

/** A folder that a job mirrors into, and how often it did. */
class CronJob {
  readonly copy: string;
  readonly #home: string;
  readonly #temp: TempFolder;
  #runs = 0;

  constructor(temp: TempFolder) {
    this.#temp = temp;
    this.copy = temp.folder("copy");
    this.#home = temp.folder("home-of-job");
  }

  /** One run, which has to end with this exit code. */
  async run(
    { key, address }: { key: string; address: string },
    { code, timeout = "30s", wrapper }: {
      code: number;
      timeout?: string;
      wrapper?: readonly string[];
    },
  ): Promise<Run> {
    const [report, output, page] = ["report", "output", "page"].map((what) => {
      const file = this.#temp.join(`${what}-${this.#runs}`);
      if (what !== "report") Deno.writeTextFileSync(file, "");
      return file;
    });
    this.#runs++;
    const exit = await runTrove(
      ["mirror", key, this.copy, "--peer", address, "--timeout", timeout, "--report", report],
      {
        home: this.#home,
        env: { GITHUB_OUTPUT: output, GITHUB_STEP_SUMMARY: page },
        wrapper,
      },
    );
    assert.equal(exit.code, code, exit.stderr);
    const told: Run = {
      report: JSON.parse(Deno.readTextFileSync(report)),
      outputs: readOutputs(Deno.readTextFileSync(output)),
      page: Deno.readTextFileSync(page),
    };
    assert.equal(told.report.exitCode, code);
    assert.equal(told.report.link, `dat://${key}`);
    if (code === 0) {
      const { link, version, files, bytes } = told.report;
      assert.deepEqual(
        [told.outputs.link, told.outputs.version, told.outputs.files, told.outputs.bytes],
        [link, version, files, bytes].map(String),
      );
      assert.match(told.page, /^### Mirrored a Dat archive$/m);
    } else {
      assert.deepEqual(told.outputs, {}, "who failed has no outputs that a later step could take");
      assert.ok(told.page.includes(`Exit code ${code} (${told.report.error.code})`), told.page);
    }
    return told;
  }
}

/** A real peer's own folder, which it changes as it is told. */
class Origin implements AsyncDisposable {
  #version = 0;

  constructor(readonly process: Process, readonly key: string, readonly address: string) {}

  static async open(dir: string, home: string, gen: "6" | "7"): Promise<Origin> {
    const process = await peer("change_files", [dir, "--gen", gen], { home });
    const { key, port } = await process.event("listening");
    return new Origin(process, key, `127.0.0.1:${port}`);
  }

  /** Put or delete files, and give the version that this made. */
  async change(...changes: readonly unknown[][]): Promise<number> {
    for (const change of [...changes, ["tell"]]) await this.process.tell(JSON.stringify(change));
    const isNewer = ({ version }: JsonLine) => version > this.#version;
    const { version } = await this.process.event("told", { matches: isNewer });
    return this.#version = version;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]();
  }
}

Deno.test(`a job sees an archive of ${HYPERDRIVE["7"]} come, stay, change, rot and vanish`, async () => {
  using temp = tempFolder();
  const job = new CronJob(temp);
  const dir = temp.folder("origin");
  const assertMirrored = () =>
    assertSameTree(withoutModes(digestTree(job.copy)), withoutModes(digestTree(dir)));
  let last: number;
  await using origin = await Origin.open(dir, temp.folder("home"), "7");
  const first = await origin.change(["put", "/a", 200_000, "one"], ["put", "/b/c", 10, "two"]);
  {
    const { report, outputs } = await job.run(origin, { code: 0 });
    const { version, files, bytes, changed, versionBefore } = report;
    assert.deepEqual([version, files, bytes, versionBefore], [first, 2, 200_010, undefined]);
    assert.deepEqual([changed.added, changed.changed, changed.deleted], [2, 0, 0]);
    assert.equal(outputs.changed, "true");
    assert.deepEqual(JSON.parse(outputs["changed-files"]).sort(), ["a", "b/c"]);
    assertMirrored();
  }
  {
    const { report, outputs } = await job.run(origin, { code: 0 });
    assert.deepEqual([report.version, report.versionBefore], [first, first]);
    assert.equal(outputs.changed, "false");
    assert.ok(report.downloadedBytes < 1000, "nothing is fetched twice");
  }
  const second = await origin.change(["put", "/a", 100_000, "new"], ["delete", "/b/c"]);
  {
    const { report, outputs } = await job.run(origin, { code: 0 });
    assert.deepEqual([report.version, report.versionBefore], [second, first]);
    const { changed } = report;
    assert.deepEqual([changed.added, changed.changed, changed.deleted], [0, 1, 1]);
    assert.equal(outputs.changed, "true");
    last = report.files;
    assert.deepEqual(readFiles(job.copy), readFiles(dir));
  }
  {
    const { mtime } = Deno.statSync(join(job.copy, "a"));
    const bytes = Deno.readFileSync(join(job.copy, "a"));
    bytes[70_000] ^= 1;
    Deno.writeFileSync(join(job.copy, "a"), bytes);
    Deno.utimeSync(join(job.copy, "a"), mtime!, mtime!);
    const { report, outputs } = await job.run(origin, { code: 0 });
    assert.deepEqual([report.version, report.files, report.repaired], [second, last, 1]);
    assert.equal(outputs.changed, "true");
    assert.deepEqual(readFiles(job.copy), readFiles(dir));
  }
  origin.process.signal("SIGKILL");
  await origin.process.exit;
  const { report } = await job.run(origin, { code: 3, timeout: "1s" });
  assert.equal(report.error.code, "no-peers");
  assert.deepEqual(readFiles(job.copy), readFiles(dir), "what was mirrored stays");
});

/** Names and bytes of the files of a folder, without what may stay of folders that are empty now. */
function readFiles(dir: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const [path, item] of digestTree(dir)) {
    if (Deno.statSync(join(dir, path)).isFile) files[path] = JSON.stringify({ ...item, mode: 0 });
  }
  return files;
}

Deno.test("a deadline that comes while a real peer still sends ends with 4, and the next run goes on", async () => {
  using temp = tempFolder();
  const job = new CronJob(temp);
  const [dir, home] = [temp.folder("origin"), temp.folder("home")];
  writeTree(dir, [{ path: "large", size: 4 * MB }, { path: "small", size: 10 }], "deadline");
  let fetched: number;
  {
    await using slow = await shareWithPeer("share_folder", [dir, "--rate", `${MB}`], { home });
    const { report } = await job.run(slow, { code: 4, timeout: "2s" });
    assert.equal(report.error.code, "incomplete");
    assert.equal(digestTree(job.copy).has("large"), false);
    fetched = report.downloadedBytes;
    assert.ok(fetched > 200_000 && fetched < 4 * MB, `${fetched} bytes`);
  }
  await using origin = await shareWithPeer("share_folder", [dir], { home });
  const { report } = await job.run(origin, { code: 0 });
  assert.ok(report.downloadedBytes < 4.1 * MB - fetched / 2, "what had come is kept");
  assertSameTree(withoutModes(digestTree(job.copy)), withoutModes(digestTree(dir)));
});

Deno.test("another history of hyperdrive 9.14.5 ends with 8, and a full disk with 6; nothing is lost", async () => {
  using temp = tempFolder();
  const job = new CronJob(temp);
  using disk = new SmallDisk(job.copy, 4 * MB);
  const { wrapper } = disk;
  const [dir, fork, home] = [temp.folder("origin"), temp.join("fork"), temp.folder("home")];
  {
    await using origin = await Origin.open(dir, home, "6");
    await origin.change(["put", "/a", 1000, "both"]);
    assert.equal((await job.run(origin, { code: 0, wrapper })).report.files, 1);
  }
  copyTree(dir, fork);
  {
    await using origin = await Origin.open(dir, home, "6");
    const version = await origin.change(["put", "/b", 1000, "one"]);
    assert.equal((await job.run(origin, { code: 0, wrapper })).report.version, version);
  }
  const before = readFiles(job.copy);
  {
    await using forked = await Origin.open(fork, home, "6");
    await forked.change(["put", "/b", 1000, "two"], ["put", "/c", 1000, "two"]);
    const { report } = await job.run(forked, { code: 8, wrapper });
    assert.equal(report.error.code, "fork");
    assert.deepEqual(readFiles(job.copy), before);
  }
  await using origin = await Origin.open(dir, home, "6");
  await origin.change(["put", "/large", 6 * MB, "large"]);
  const { report } = await job.run(origin, { code: 6, wrapper });
  assert.equal(report.error.code, "storage");
  assert.deepEqual(readFiles(job.copy), before);
  disk.grow(20 * MB);
  await job.run(origin, { code: 0, wrapper: disk.wrapper });
  assert.deepEqual(readFiles(job.copy), readFiles(dir));
});
