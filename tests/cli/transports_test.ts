/** `share` and `clone` over every transport, in this process. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { SocksServer } from "../support/socks_server.ts";
import { tempFolder } from "../support/temp.ts";
import { runIn, type Shared, shareIn, TestWorld } from "../support/test_world.ts";
import { assertSameTree, digestTree, writeTree } from "../support/trees.ts";

const FILES = [{ path: "large", size: 500_000 }, { path: "sub/small", size: 5 }];

/** A shared folder, and the command lines that clone it. */
class Pair implements AsyncDisposable {
  readonly #temp = tempFolder();
  readonly #folder = this.#temp.folder("folder");
  readonly reader = new TestWorld(this.#temp, { home: "reader", running: true });
  #shared: Shared | undefined;
  #clones = 0;

  path(name: string): string {
    return this.#temp.join(name);
  }

  /** Where else than on its TCP port it listens. */
  async share(...extra: string[]): Promise<Shared> {
    writeTree(this.#folder, FILES, "transports");
    return this.#shared = await shareIn(new TestWorld(this.#temp), this.#folder, ...extra);
  }

  /** Clone, and see that the folder is the same. Gives the addresses of the peers it met. */
  async clone(...extra: string[]): Promise<string[]> {
    const copy = `copy${++this.#clones}`;
    const ran = await runIn(
      this.reader,
      "clone",
      this.#shared!.link,
      copy,
      ...["--json", "--timeout", "20s", ...extra],
    );
    assert.equal(ran.code, 0, ran.stderr);
    assertSameTree(digestTree(join(this.reader.cwd(), copy)), digestTree(this.#folder));
    return ran.json.filter(({ event, state }) => event === "peer" && state === "connected")
      .map(({ address }) => address);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#shared?.[Symbol.asyncDispose]();
    this.#temp[Symbol.dispose]();
  }
}

/** The second place where somebody listens. */
async function place(shared: Shared, transport: string) {
  return await shared.world.stdout.waitFor(({ json }) =>
    json.find((line) => line.event === "listening" && line.transport === transport)
  );
}

Deno.test("share --host unix:PATH serves on a Unix socket, which is gone afterwards", async () => {
  await using pair = new Pair();
  const path = pair.path("trove.sock");
  const shared = await pair.share("--host", `unix:${path}`);
  const { host, port } = await place(shared, "unix");
  assert.deepEqual([host, port], [`unix:${path}`, 0]);
  assert.deepEqual(await pair.clone("--peer", `unix:${path}`), [`unix:${path}`]);
  await shared[Symbol.asyncDispose]();
  assert.throws(() => Deno.lstatSync(path), Deno.errors.NotFound);
});

Deno.test("share --ws serves over WebSocket beside TCP, and both through a SOCKS proxy", async () => {
  await using pair = new Pair();
  const shared = await pair.share("--ws", "0");
  const { host, port } = await place(shared, "ws");
  assert.equal(host, "127.0.0.1");
  const url = `ws://${host}:${port}/`;
  assert.deepEqual(await pair.clone("--peer", url), [url]);
  assert.deepEqual(await pair.clone("--peer", shared.address), [shared.address]);

  const tcpPort = Number(shared.address.split(":")[1]);
  const names = new Map([["peer.invalid", tcpPort], ["ws.invalid", port]]);
  await using proxy = new SocksServer({ user: "me", password: "secret", names });
  const through = ["--proxy", `socks5://me:secret@127.0.0.1:${proxy.port}`];
  await pair.clone(...through, "--peer", `peer.invalid:${tcpPort}`);
  await pair.clone(...through, "--peer", "ws://ws.invalid/");
  pair.reader.environment.set("TROVE_PROXY", `socks5h://me:secret@127.0.0.1:${proxy.port}`);
  await pair.clone("--peer", shared.address);
  assert.deepEqual([...new Set(proxy.asked)], [
    ...[`peer.invalid:${tcpPort}`, "ws.invalid:80", shared.address],
  ]);
});

Deno.test("clone --down takes the time that it has to", async () => {
  await using pair = new Pair();
  const shared = await pair.share("--up", "20mb");
  const began = performance.now();
  await pair.clone("--peer", shared.address, "--down", "500kb");
  // 500 kB and what goes with them, less what may come at once in the beginning.
  assert.ok(performance.now() - began > 900);
});

const USAGE: readonly (readonly [readonly string[], RegExp])[] = [
  [["share", "--stdio", "--port", "0"], /--stdio.*--port/],
  [["share", "--stdio", "--ws", "0"], /--stdio.*--ws/],
  [["clone", "LINK", "--stdio", "--host", "::1"], /--stdio.*--host/],
  [["share", "--host", "unix:"], /"unix:" as a socket/],
  [["share", "--up", "fast"], /"fast" as a rate/],
  [["share", "--down", "0"], /"0" as a rate/],
  [["share", "--proxy", "http://p:1"], /as a proxy.*socks5/],
  [["repair", "--stdio"], /unknown option/i],
];

for (const [args, mentions] of USAGE) {
  Deno.test(`trove ${args.join(" ")} is a usage error`, async () => {
    using temp = tempFolder();
    const { code, stdout, stderr } = await runIn(new TestWorld(temp), ...args);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, mentions);
  });
}

Deno.test("with --stdio nothing is printed on stdout, errors and JSON included", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const { code, stdout, stderr } = await runIn(world, "share", "missing", "--stdio", "--json");
  assert.deepEqual([code, stdout], [9, ""]);
  assert.equal(JSON.parse(stderr.split("\n")[0]).event, "error");
  world.stdin.isTerminal = true;
  const typed = await runIn(world, "share", "--stdio");
  assert.deepEqual([typed.code, typed.stdout], [2, ""]);
  assert.match(typed.stderr, /on a terminal/);
});
