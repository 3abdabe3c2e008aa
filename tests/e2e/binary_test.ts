/** That the compiled program has everything in it, may do what it needs and no more, and works. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { compile, compileFlags, sumLine, TARGETS } from "../../tools/compile.ts";
import { COMMANDS } from "../../src/cli/commands.ts";
import { BittorrentNetwork } from "../support/dht.ts";
import { baseRuntime, readCompiled, TARGET } from "../support/compiled.ts";
import { HyperswarmNetwork } from "../support/hyperswarm_dht.ts";
import { type Process, type ProcessOptions, startProgram } from "../support/processes.ts";
import { tempFolder } from "../support/temp.ts";
import { assertSameTree, digestTree, writeTree } from "../support/trees.ts";

/** A program of the right format that is certainly there. */
const STAND_IN = "/bin/true";

const runtime = await baseRuntime();

/** What to put in front of the arguments. */
class Program {
  constructor(readonly command: readonly string[], readonly options: ProcessOptions) {}

  start(...args: readonly string[]): Promise<Process> {
    const name = `binary ${args.join(" ")}`;
    return startProgram(name, [...this.command, ...args], { ...this.options, stdin: "null" });
  }

  async run(...args: readonly string[]) {
    await using process = await this.start(...args);
    return await process.ended();
  }
}

/** Everything that a binary is for, once. */
async function useProgram(program: Program, folder: string, copy: string): Promise<void> {
  assert.match((await program.run("--version")).stdout, /^\d+\.\d+\.\d+\n$/);
  const { lines } = await program.run("doctor", "--self-test", "--json");
  const states = lines.map(({ check, state }) => `${check} ${state}`);
  assert.deepEqual(states.slice(-3), ["folder ok", "storage ok", "loopback ok"]);
  assert.equal(states.length, 7, "nothing is missing here, WebAssembly included");
  writeTree(folder, [{ path: "a/file", size: 200_000 }, { path: "b", size: 10 }], "binary");
  await using sharer = await program.start(
    ...["share", folder, "--host", "127.0.0.1", "--port", "0", "--json"],
  );
  const [{ link }, { port }] = await Promise.all([
    sharer.event("archive"),
    sharer.event("listening"),
  ]);
  await program.run("mirror", link, copy, "--peer", `127.0.0.1:${port}`, "--select", "**/*");
  assertSameTree(digestTree(copy), digestTree(folder));
  // The packages of both DHTs are in it, too.
  await using torrents = await BittorrentNetwork.open(1);
  await using hyper = await HyperswarmNetwork.open(1);
  const { lines: checks } = await program.run(
    ...["doctor", "--json", "--discovery", "dht,hyperswarm", "--allow-private"],
    ...["--bootstrap", `dht=${torrents.bootstrap}`, "--bootstrap", `hyperswarm=${hyper.bootstrap}`],
    ...["--host", "127.0.0.1", "--port", "0"],
  );
  for (const way of ["dht", "hyperswarm"]) {
    const found = checks.find(({ check }) => check === way);
    assert.equal(found?.state, "ok", JSON.stringify(checks));
  }
}

Deno.test({
  name: "compiled for Linux, all of the program is embedded, and what is embedded works",
  ignore: Deno.build.os !== "linux",
  async fn() {
    using temp = tempFolder();
    const before = Deno.env.get("DENORT_BIN");
    Deno.env.set("DENORT_BIN", STAND_IN);
    try {
      await Promise.all(
        ["trove-linux-x64", "trove-linux-arm64"].map((name) =>
          compile(TARGETS[name], temp.join(name))
        ),
      );
    } finally {
      if (before === undefined) Deno.env.delete("DENORT_BIN");
      else Deno.env.set("DENORT_BIN", before);
    }
    const { permissions, v8Flags, entry, files } = readCompiled(temp.join("trove-linux-x64"));
    assert.deepEqual([...readCompiled(temp.join("trove-linux-arm64")).files.keys()].length, 2);
    const allowed = Object.entries(permissions).filter(([name, value]) =>
      name.startsWith("allow_") && value !== null && name !== "allow_import"
    );
    assert.deepEqual(allowed.map(([name]) => name.slice("allow_".length)).sort(), [
      ...["env", "net", "read", "sys", "write"],
    ]);
    assert.deepEqual(permissions.deny_import, [], "no module is fetched, from nowhere");
    assert.equal(permissions.prompt, false);
    assert.ok((permissions.allow_env as string[]).length > 10, "names of variables, and no others");
    for (
      const flag of [
        "--max-semi-space-size=4",
        "--min-semi-space-size=4",
        "--heap-growing-percent=30",
      ]
    ) {
      assert.ok(v8Flags.includes(flag), flag);
    }
    const program = new TextDecoder().decode(files.get(entry));
    for (const name of COMMANDS.keys()) assert.ok(program.includes(`usage: "${name}`), name);
    assert.ok(program.length < 4e6, "packages that are not used are not in it");
    // The same text with the same permissions; only the runtime is the one that runs the tests.
    const main = temp.join("embedded.mjs");
    Deno.writeFileSync(main, files.get(entry)!);
    const flags = compileFlags().filter((flag) => flag !== "--bundle");
    const command = [Deno.execPath(), "run", "--no-config", ...flags, main];
    const binary = new Program(command, { home: temp.folder("home"), cwd: temp.path });
    await useProgram(binary, temp.folder("folder"), temp.join("copy"));
  },
});

Deno.test({
  name: runtime === undefined
    ? "NOT RUN, for no base runtime of Deno is at hand: the binary shares, mirrors and tests itself"
    : "the binary shares, mirrors and tests itself",
  ignore: runtime === undefined,
  async fn() {
    using temp = tempFolder();
    const binary = temp.join(Deno.build.os === "windows" ? "trove.exe" : "trove");
    await compile(TARGET, binary);
    const options = { home: temp.folder("home"), cwd: temp.path };
    await useProgram(new Program([binary], options), temp.folder("folder"), temp.join("copy"));
  },
});

Deno.test("every system that is released for has a target, and sums are as sha256sum has them", () => {
  using temp = tempFolder();
  assert.deepEqual(Object.keys(TARGETS), [
    ...["trove-linux-x64", "trove-linux-arm64", "trove-macos-x64", "trove-macos-arm64"],
    "trove-windows-x64.exe",
  ]);
  Deno.writeTextFileSync(join(temp.path, "abc"), "abc");
  assert.equal(
    sumLine(temp.path, "abc"),
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  abc\n",
  );
});
