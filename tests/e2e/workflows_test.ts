/** The action and the jobs of docs/ci.md, step by step, with a shell in the runner's place. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { denoDirectory, QUIET, runTrove, trove } from "../support/processes.ts";
import { Sharer, shareWithTrove } from "../support/sharing.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { assertSameTree, digestTree, writeTree } from "../support/trees.ts";
import {
  type Action,
  interpolations,
  type Job,
  readYaml,
  Runner,
  type RunnerOptions,
  type Step,
  type Workflow,
  workflowsOf,
} from "../support/workflow.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const PAGE = Deno.readTextFileSync(join(ROOT, "docs/ci.md"));
const ACTION = readYaml<Action>(Deno.readTextFileSync(join(ROOT, "action.yml")));
const WORKFLOWS = join(ROOT, ".github/workflows");

/** A job of the page, about this archive and these peers. */
function jobOf(name: string, link: string, peers: Readonly<Record<string, string>> = {}): Job {
  let page = PAGE.replaceAll("dat://…", link);
  for (const [host, address] of Object.entries(peers)) {
    page = page.replaceAll(`${host}.example.org:3282`, address);
  }
  const workflow = workflowsOf(page).get(name);
  assert.ok(workflow !== undefined, `docs/ci.md shows a workflow called ${name}`);
  const [job] = Object.values(workflow.jobs);
  return job;
}

async function runner(
  temp: TempFolder,
  options: Partial<RunnerOptions> & { readonly peer?: string } = {},
): Promise<{ runner: Runner; workspace: string }> {
  const workspace = temp.folder("workspace");
  const env: Record<string, string> = {
    ...QUIET,
    HOME: temp.folder("home-of-runner"),
    PATH: Deno.env.get("PATH") ?? "",
    DENO_DIR: await denoDirectory(),
    DENO_NO_UPDATE_CHECK: "1",
    TROVE_HOST: "127.0.0.1",
    TROVE_PORT: "0",
  };
  // In the field it would be found by the link.
  if (options.peer !== undefined) env.TROVE_PEER = options.peer;
  const nothing = () => {};
  const made = new Runner({
    workspace,
    temp: temp.folder("temp-of-runner"),
    env,
    action: { name: "OWNER/trove", definition: ACTION, folder: ROOT.replace(/\/$/, "") },
    others: {
      "denoland/setup-deno": nothing,
      "actions/cache/restore": nothing,
      "actions/cache/save": nothing,
      ...options.others,
    },
    secrets: options.secrets,
  });
  return { runner: made, workspace };
}

Deno.test("the job that mirrors fetches, tells what changed, and has nothing to do at first again", async () => {
  using temp = tempFolder();
  const folder = temp.folder("folder");
  writeTree(folder, [
    ...[{ path: "a file", size: 100_000 }, { path: "b", size: 10 }],
    ...[{ path: "drafts/c", size: 10 }, { path: "x.tmp", size: 10 }],
  ], "workflow");
  await using sharer = await shareWithTrove(folder, { home: temp.folder("home-of-sharer") });
  const saved: unknown[] = [];
  const others = { "actions/cache/save": (inputs: unknown) => void saved.push(inputs) };
  const job = jobOf("Mirror", sharer.link);
  const { runner: shell, workspace } = await runner(temp, { peer: sharer.address, others });
  const first = await shell.run(job);
  assert.ok(first.ok, JSON.stringify([...first.steps]));
  const { "changed-files": changedFiles, ...outputs } = first.steps.get("mirror")!.outputs;
  assert.deepEqual(outputs, {
    ...{ link: sharer.link, version: "4", files: "2", bytes: "100010", changed: "true" },
  });
  assert.deepEqual(JSON.parse(changedFiles), ["a file", "b"]);
  assert.equal(first.steps.get("3")!.log, "Version 4 is here\n");
  assert.deepEqual(
    JSON.parse(Deno.readTextFileSync(join(workspace, "changed.json"))),
    ["a file", "b"],
  );
  assert.deepEqual(readdirSync(join(workspace, "data")).sort(), [".dat", "a file", "b"]);
  assert.equal(JSON.parse(Deno.readTextFileSync(join(workspace, "mirror.json"))).exitCode, 0);
  assert.match(first.summary, /### Mirrored a Dat archive\n[^]*\| Version \| 4 \|/);
  assert.deepEqual(saved, [{ path: "data", key: "data-1" }]);
  const second = await shell.run(job);
  assert.ok(second.ok);
  assert.equal(second.steps.get("mirror")!.outputs.changed, "false");
  assert.equal(second.steps.get("3")!.outcome, "skipped");
});

Deno.test("a job whose archive cannot be reached fails, keeps its cache, and says why", async () => {
  using temp = tempFolder();
  using nobody = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${nobody.addr.port}`;
  nobody.close();
  const saved: unknown[] = [];
  const others = { "actions/cache/save": (inputs: unknown) => void saved.push(inputs) };
  const job = jobOf("Mirror", `dat://${"ab".repeat(32)}`);
  const hasty = JSON.parse(JSON.stringify(job).replace('"10m"', '"1s"'));
  const { runner: shell } = await runner(temp, { peer: address, others });
  const { ok, steps, summary } = await shell.run(hasty);
  assert.equal(ok, false);
  assert.equal(steps.get("mirror")!.outcome, "failure");
  assert.match(steps.get("mirror")!.log, /^error: /m);
  assert.equal(steps.get("3")!.outcome, "skipped");
  assert.equal(saved.length, 1);
  assert.match(summary, /Exit code 3 \(no-peers\)/);
});

Deno.test("the job that publishes goes on with the archive, and ends when a peer has it", async () => {
  using temp = tempFolder();
  const [folder, home] = [temp.folder("folder"), temp.folder("home-of-owner")];
  writeTree(folder, [{ path: "old", size: 10 }, { path: "page", size: 20 }], "before");
  const store = temp.folder("store");
  // A machine that serves the archive for good, and has not the secret key.
  await using seed = await startSeed(folder, { home, store, temp });
  const { stdout: key } = await runTrove(["keys", "export", folder], { home });
  const TROVE_SECRET_KEY = key.trim();
  assert.match(TROVE_SECRET_KEY, /^[0-9a-f]{128}$/);
  const others = {
    "actions/checkout": ({ path }: Readonly<Record<string, unknown>>) => {
      const files = [{ path: "page", size: 30 }, { path: "new/page", size: 40 }];
      writeTree(temp.folder(`workspace/${path}/public`), files, "after");
    },
  };
  const { runner: shell, workspace } = await runner(temp, {
    others,
    secrets: { TROVE_SECRET_KEY },
  });
  const { ok, steps } = await shell.run(jobOf("Publish", seed.link, { seed: seed.address }));
  assert.ok(ok, JSON.stringify([...steps]));
  for (const { log } of steps.values()) assert.ok(!log.includes(TROVE_SECRET_KEY));
  const published = digestTree(join(workspace, "source/public"));
  assertSameTree(digestTree(join(store, seed.key)), published);
  assert.deepEqual(readdirSync(join(workspace, "..", "home-of-runner")), [".dat"]);
  assert.equal(existsSync(join(workspace, "..", "home-of-runner", ".dat/secret_keys")), false);
});

/** A seed that has fetched a folder's archive from its owner, who is gone then. */
async function startSeed(
  folder: string,
  { home, store, temp }: { home: string; store: string; temp: TempFolder },
): Promise<Sharer> {
  await using owner = await shareWithTrove(folder, { home });
  const args = ["seed", owner.link, "--store", store, "--peer", owner.address, "--json"];
  const listen = ["--host", "127.0.0.1", "--port", "0"];
  const seed = await trove([...args, ...listen], { home: temp.folder("home-of-seed") });
  const { host, port } = await seed.event("listening");
  await seed.event("synced");
  return new Sharer(seed, owner.link, `${host}:${port}`);
}

Deno.test("the job that verifies a mirror takes a good one, and fails for one that is behind", async () => {
  using temp = tempFolder();
  const [folder, home] = [temp.folder("folder"), temp.folder("home")];
  writeTree(folder, [{ path: "a", size: 100 }], "one");
  await using origin = await shareWithTrove(folder, { home });
  const first = ["mirror", origin.link, temp.join("old"), "--peer", origin.address];
  assert.equal((await runTrove(first, { home: temp.folder("other") })).code, 0);
  await using mirror = await shareWithTrove(temp.join("old"), { home: temp.folder("other") }, [
    "--no-import",
  ]);
  const job = jobOf("Verify my mirror", origin.link, {
    origin: origin.address,
    mirror: mirror.address,
  });
  {
    const { runner: shell } = await runner(temp);
    const { ok, steps } = await shell.run(job);
    assert.ok(ok, JSON.stringify([...steps]));
  }
  const updated = origin.process.event("imported", { matches: ({ version }) => version === 2 });
  writeTree(folder, [{ path: "b", size: 100 }], "two");
  await updated;
  Deno.removeSync(temp.join("workspace"), { recursive: true });
  const { runner: shell } = await runner(temp);
  const hasty = JSON.parse(JSON.stringify(job).replaceAll('"15m"', '"3s"'));
  const { ok, steps } = await shell.run(hasty);
  assert.equal(ok, false);
  assert.equal(steps.get("origin")!.outputs.version, "2");
  assert.equal(steps.get("mirror")!.outcome, "failure");
  assert.match(steps.get("mirror")!.log, /version 2/);
});

Deno.test("no value that somebody gives an action becomes a part of a command", async () => {
  using temp = tempFolder();
  const { runner: shell, workspace } = await runner(temp);
  const evil = `dat://x"; touch pwned; $(touch pwned) \`touch pwned\` '${"\n"}touch pwned`;
  const inputs = Object.fromEntries(Object.keys(ACTION.inputs).map((name) => [name, evil]));
  const { ok } = await shell.run({ steps: [{ uses: "OWNER/trove@v1", with: inputs }] });
  assert.equal(ok, false);
  const option = { link: "--help", dir: "--version" };
  const { steps } = await shell.run({ steps: [{ uses: "OWNER/trove@v1", with: option }] });
  assert.equal(steps.get("0")!.outcome, "failure");
  assert.match(steps.get("0")!.log, /"--help"/, "it is a link, and none that is understood");
  assert.deepEqual(readdirSync(workspace), []);
});

/** All steps of all jobs, of the page, of the action and of this project's own workflows. */
function allSteps(): [where: string, steps: readonly Step[]][] {
  const own = readdirSync(WORKFLOWS).map((name): [string, Workflow] => [
    name,
    readYaml<Workflow>(Deno.readTextFileSync(join(WORKFLOWS, name))),
  ]);
  return [
    ["action.yml", ACTION.runs.steps],
    ...[...workflowsOf(PAGE), ...own].flatMap(([where, { jobs }]) =>
      Object.values(jobs).map(({ steps }): [string, readonly Step[]] => [where, steps])
    ),
  ];
}

Deno.test("every script of every job is shell, has no expression in it, and names what is there", async () => {
  const tasks = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json"))).tasks;
  let scripts = 0;
  for (const [where, steps] of allSteps()) {
    assert.deepEqual(interpolations(steps), [], where);
    for (const { run } of steps) {
      if (run === undefined) continue;
      scripts++;
      const args = ["-n", "-c", run];
      const { success, stderr } = await new Deno.Command("bash", { args }).output();
      assert.ok(success, `${where}: ${new TextDecoder().decode(stderr)}`);
      for (const [, task] of run.matchAll(/deno task (?:--quiet )?(\S+)/g)) {
        assert.ok(task in tasks, `${where} runs the task ${task}`);
      }
      if (run.includes(".ci/run")) assert.ok(existsSync(join(ROOT, ".ci/run")));
    }
  }
  assert.ok(scripts >= 10, `${scripts} scripts`);
});
