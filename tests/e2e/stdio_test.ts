/** Two trove processes that are joined by their standard input and output, as by ssh. */
import assert from "node:assert/strict";
import { denoDirectory } from "../support/processes.ts";
import { troveCommand } from "../support/trove_command.ts";
import { tempFolder } from "../support/temp.ts";
import { assertSameTree, digestTree, writeTree } from "../support/trees.ts";

/** A process whose input and output somebody else connects. */
async function spawn(home: string, ...args: string[]): Promise<Deno.ChildProcess> {
  const [program, ...rest] = [...troveCommand(), ...args];
  return new Deno.Command(program, {
    args: rest,
    env: { DENO_DIR: await denoDirectory(), NO_COLOR: "1", HOME: home },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function text(stream: ReadableStream<Uint8Array>): Promise<string> {
  return await new Response(stream).text();
}

/** Join the two and wait for both to end. Gives what each said on stderr. */
async function join(one: Deno.ChildProcess, other: Deno.ChildProcess): Promise<string[]> {
  // Whichever ends first leaves the other's pipe broken, as a closed ssh connection does.
  const pipes = [one.stdout.pipeTo(other.stdin), other.stdout.pipeTo(one.stdin)].map((pipe) =>
    pipe.catch(() => {})
  );
  const said = await Promise.all([text(one.stderr), text(other.stderr)]);
  const [a, b] = await Promise.all([one.status, other.status]);
  await Promise.all(pipes);
  assert.deepEqual([a.code, b.code], [0, 0], said.join("\n"));
  return said;
}

Deno.test("share --stdio and clone --stdio, joined by pipes, sync completely and both end", async () => {
  using temp = tempFolder();
  const [folder, copy] = [temp.folder("folder"), temp.join("copy")];
  const [home, other] = [temp.folder("home"), temp.folder("other")];
  writeTree(folder, [{ path: "large", size: 3_000_000 }, { path: "s", size: 9 }], "stdio");
  const creating = await spawn(home, "create", folder, "--json");
  await creating.stdin.close();
  const created = JSON.parse((await text(creating.stdout)).split("\n")[0]);
  await text(creating.stderr);
  await creating.status;

  const [shared, cloned] = await join(
    // It imports first, and so is silent for a while.
    await spawn(home, "share", folder, "--stdio", "--json"),
    await spawn(other, "clone", created.link, copy, "--stdio"),
  );
  const events = shared.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
  assert.deepEqual(
    events.map(({ event }) => event).filter((event) => event !== "progress"),
    ["archive", "imported", "peer", "uploaded", "peer"],
  );
  assert.match(cloned, /Complete: version 2, 2 files/);
  assertSameTree(digestTree(copy), digestTree(folder));

  writeTree(folder, [{ path: "more", size: 100_000 }], "more");
  await join(
    await spawn(home, "share", folder, "--stdio"),
    await spawn(other, "pull", copy, "--stdio", "--quiet"),
  );
  assertSameTree(digestTree(copy), digestTree(folder));
});
