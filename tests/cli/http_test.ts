/** Archives over HTTP: `--http` beside a share, and `trove serve`, in this process over loopback. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { TemporaryFolders } from "../support/temporary_folders.ts";
import { runIn, shareIn, TestWorld } from "../support/test_world.ts";
import { assertSameBytes } from "../support/same_bytes.ts";
import { writeTree } from "../support/trees.ts";

const FILES = [
  { path: "a.txt", size: 10 },
  { path: "big.bin", size: 400_000 },
  { path: "empty", size: 0 },
  { path: "site/index.html", size: 30 },
  { path: "sub/<b>.txt", size: 5 },
];

/** `trove serve`, or another command that serves, until it is disposed of. */
class Serving implements AsyncDisposable {
  readonly #world: TestWorld;
  readonly #code: Promise<number>;

  private constructor(world: TestWorld, code: Promise<number>, readonly url: string) {
    this.#world = world;
    this.#code = code;
  }

  static async begin(world: TestWorld, ...args: readonly string[]): Promise<Serving> {
    world.clock.monotonicMs = undefined;
    const code = world.run(...args, "--json");
    const ended = code.then((code) => {
      throw new Error(`it ended with ${code}: ${world.stderr.text}`);
    });
    ended.catch(() => {});
    const { url } = await Promise.race([world.stdout.event("http"), ended]);
    return new Serving(world, code, url);
  }

  /** A request, and all of the answer. */
  async ask(path: string, init: RequestInit = {}) {
    const response = await fetch(new URL(path, this.url), { redirect: "manual", ...init });
    const bytes = new Uint8Array(await response.arrayBuffer());
    const { status, headers } = response;
    return { status, headers, bytes, text: new TextDecoder().decode(bytes) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#world.heard();
    this.#world.raise("SIGINT");
    assert.equal(await this.#code, 0, this.#world.stderr.text);
  }
}

/** A folder with an archive that nobody serves. */
async function photos(temp: TempFolder): Promise<{ dir: string; link: string; owner: TestWorld }> {
  const dir = temp.folder("photos");
  writeTree(dir, FILES, "first");
  const owner = new TestWorld(temp);
  const { code, json } = await runIn(owner, "share", dir, "--exit", "--json");
  assert.equal(code, 0);
  return { dir, link: json[0].link, owner };
}

Deno.test("serve shows files whole and in part, with tags that say when they are others", async () => {
  using temp = tempFolder();
  const { dir, link, owner } = await photos(temp);
  await using serving = await Serving.begin(owner, "serve", dir, "--port", "0");
  const big = Deno.readFileSync(join(dir, "big.bin"));
  const whole = await serving.ask("/big.bin");
  assert.equal(whole.status, 200);
  assertSameBytes(whole.bytes, big);
  assert.equal(whole.headers.get("Content-Type"), "application/octet-stream");
  assert.equal(whole.headers.get("Hyperdrive-Key"), link.slice("dat://".length));
  assert.equal(whole.headers.get("X-Content-Type-Options"), "nosniff");
  const tag = whole.headers.get("ETag")!;
  assert.match(tag, /^"[0-9a-f]{32}"$/);
  for (const [from, to] of [[0, 1], [65_535, 65_537], [100_000, 399_999], [399_999, 400_000]]) {
    const headers = { Range: `bytes=${from}-${to - 1}` };
    const part = await serving.ask("/big.bin", { headers });
    assert.equal(part.status, 206);
    assert.equal(part.headers.get("Content-Range"), `bytes ${from}-${to - 1}/400000`);
    assertSameBytes(part.bytes, big.subarray(from, to));
  }
  const other = { Range: "bytes=0-1", "If-Range": '"another"' };
  assert.equal((await serving.ask("/big.bin", { headers: other })).status, 200);
  const beyond = await serving.ask("/a.txt", { headers: { Range: "bytes=10-" } });
  assert.deepEqual([beyond.status, beyond.headers.get("Content-Range")], [416, "bytes */10"]);
  const same = await serving.ask("/big.bin", { headers: { "If-None-Match": `"x", ${tag}` } });
  assert.deepEqual([same.status, same.bytes.length], [304, 0]);
  assert.equal((await serving.ask("/a.txt", { headers: { "If-Match": tag } })).status, 412);
  const head = await serving.ask("/big.bin", { method: "HEAD" });
  assert.deepEqual([head.status, head.headers.get("Content-Length")], [200, "400000"]);
  assert.deepEqual(await serving.ask("/empty").then(({ status, text }) => [status, text]), [
    200,
    "",
  ]);
});

Deno.test("serve shows folders, and sends nobody anywhere else", async () => {
  using temp = tempFolder();
  const { dir, link, owner } = await photos(temp);
  await using serving = await Serving.begin(owner, "serve", dir, "--port", "0");
  const key = link.slice("dat://".length);
  const root = await serving.ask("/");
  assert.match(root.text, /<a href="\.\/sub\/">sub\/<\/a>[^]*<a href="\.\/a\.txt">/);
  assert.match(root.headers.get("Content-Security-Policy")!, /default-src 'none'/);
  assert.match((await serving.ask("/sub/")).text, /&lt;b&gt;\.txt/);
  const index = Deno.readTextFileSync(join(dir, "site/index.html"));
  assert.equal((await serving.ask("/site/")).text, index);
  assert.match((await serving.ask("/site/?viewSource")).text, /index\.html/);
  const moved = await serving.ask("/sub?x=1");
  assert.deepEqual([moved.status, moved.headers.get("Location")], [308, "/sub/?x=1"]);
  const listed = await serving.ask("/sub/", { headers: { Accept: "application/json" } });
  assert.deepEqual(JSON.parse(listed.text).entries.map(({ name }: { name: string }) => name), [
    "<b>.txt",
  ]);
  for (const path of ["/nothing", "/sub/nothing/", "/.dat/metadata.key", "/a.txt/x"]) {
    assert.equal((await serving.ask(path)).status, 404, path);
  }
  for (const path of ["/%zz", "/sub%2f", "/a%00"]) {
    assert.equal((await serving.ask(path)).status, 400, path);
  }
  const post = await serving.ask("/a.txt", { method: "POST", body: "x" });
  assert.deepEqual([post.status, post.headers.get("Allow")], [405, "GET, HEAD"]);
  assert.equal((await serving.ask("/.well-known/dat")).text, `${link}\nTTL=3600\n`);
  const upper = await serving.ask(`/${key.toUpperCase()}/a.txt`);
  assert.deepEqual([upper.status, upper.headers.get("Location")], [308, `/${key}/a.txt`]);
  assert.equal((await serving.ask(`/${"0".repeat(64)}/`)).status, 404);
});

Deno.test("serve answers to its own name alone", async () => {
  using temp = tempFolder();
  const { dir, owner } = await photos(temp);
  await using serving = await Serving.begin(owner, "serve", dir, "--port", "0");
  const { port } = new URL(serving.url);
  const ask = async (host: string) => {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
    const request = `GET /a.txt HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    await conn.write(new TextEncoder().encode(request));
    return (await new Response(conn.readable).text()).split("\r\n")[0];
  };
  assert.match(await ask(`localhost:${port}`), /200/);
  assert.match(await ask("evil.example"), /421/);
  assert.match(await ask(`evil.example:${port}`), /421/);
});

Deno.test("serve has every version, and what dat.json says of the web", async () => {
  using temp = tempFolder();
  const { dir, link, owner } = await photos(temp);
  const manifest = { web_root: "/site", fallback_page: "/lost.html" };
  Deno.writeTextFileSync(join(dir, "dat.json"), JSON.stringify(manifest));
  Deno.writeTextFileSync(join(dir, "site/lost.html"), "lost");
  owner.clock.wallMs += 60_000;
  assert.equal((await runIn(owner, "share", dir, "--exit", "--json")).code, 0);
  await using serving = await Serving.begin(owner, "serve", dir, "--port", "0");
  const index = Deno.readTextFileSync(join(dir, "site/index.html"));
  assert.equal((await serving.ask("/")).text, index);
  const lost = await serving.ask("/nothing");
  assert.deepEqual([lost.status, lost.text], [404, "lost"]);
  // The manifest came with version 6.
  assert.match((await serving.ask("/?version=5")).text, /big\.bin/);
  const pinned = await serving.ask(`/${link.slice("dat://".length)}+1/a.txt`);
  assertSameBytes(pinned.bytes, Deno.readFileSync(join(dir, "a.txt")));
  assert.match(pinned.headers.get("Cache-Control")!, /immutable/);
  assert.equal((await serving.ask("/a.txt?version=0")).status, 404);
  assert.equal((await serving.ask("/?version=0")).status, 200);
  for (const [version, status] of [["99", 404], ["-1", 400], ["abc", 400], ["1e1", 400]]) {
    assert.equal((await serving.ask(`/?version=${version}`)).status, status, String(version));
  }
});

Deno.test("share --http shows what was just added, and who waits for it hears of it", async () => {
  using temp = tempFolder();
  const dir = temp.folder("photos");
  writeTree(dir, FILES, "first");
  const world = new TestWorld(temp);
  const where = ["--host", "127.0.0.1", "--port", "0", "--http=0"];
  await using serving = await Serving.begin(world, "share", dir, ...where);
  await world.stdout.event("listening");
  const waiting = serving.ask("/new.txt?wait=7");
  Deno.writeTextFileSync(join(dir, "new.txt"), "new");
  assert.equal((await waiting).text, "new");
});

Deno.test("whoever leaves in the middle of a file keeps nothing open", async () => {
  using temp = tempFolder();
  const { dir, owner } = await photos(temp);
  Deno.writeFileSync(join(dir, "huge"), new Uint8Array(30_000_000));
  assert.equal((await runIn(owner, "share", dir, "--exit", "--json")).code, 0);
  await using serving = await Serving.begin(owner, "serve", dir, "--port", "0");
  const response = await fetch(new URL("/huge", serving.url));
  const reader = response.body!.getReader();
  assert.ok(!(await reader.read()).done);
  await reader.cancel();
  assert.equal((await serving.ask("/a.txt")).status, 200);
});

Deno.test("serve fetches of a link what somebody looks at, and leaves nothing behind", async () => {
  using temp = tempFolder();
  const { dir, link } = await photos(temp);
  await using shared = await shareIn(new TestWorld(temp), dir);
  const reader = new TestWorld(temp, { home: "reader", running: true });
  using folders = new TemporaryFolders();
  {
    const args = ["serve", link, "--port", "0", "--peer", shared.address];
    await using serving = await Serving.begin(reader, ...args);
    const big = Deno.readFileSync(join(dir, "big.bin"));
    const part = await serving.ask("/big.bin", { headers: { Range: "bytes=300000-300009" } });
    assertSameBytes(part.bytes, big.subarray(300_000, 300_010));
    assertSameBytes((await serving.ask("/big.bin")).bytes, big);
    assert.match((await serving.ask("/")).text, /big\.bin/);
  }
  folders.assertGone();
});

Deno.test("serve keeps several archives apart, each in the folder of its key", async () => {
  using temp = tempFolder();
  const { dir, link, owner } = await photos(temp);
  const other = temp.folder("music");
  writeTree(other, [{ path: "song.html", size: 9 }], "other");
  const { json } = await runIn(owner, "share", other, "--exit", "--json");
  const keys = [link, json[0].link].map((text) => text.slice("dat://".length));
  const world = new TestWorld(temp, { home: "home" });
  await using serving = await Serving.begin(world, "serve", dir, other, "--port", "0");
  const root = new URL("/", serving.url).href;
  const index = await (await fetch(root)).text();
  for (const key of keys) assert.ok(index.includes(`href="./${key}/"`));
  const song = await serving.ask(`/${keys[1]}/song.html`);
  assert.equal(song.status, 200);
  const policy = song.headers.get("Content-Security-Policy")!;
  assert.match(policy, /^sandbox /);
  assert.doesNotMatch(policy, /allow-same-origin|allow-top-navigation/);
  assert.equal((await serving.ask(`/${keys[0]}/song.html`)).status, 404);
  assert.equal((await serving.ask("/a.txt")).status, 404);
});

Deno.test("a file that was changed on disk is not shown as what was signed", async () => {
  using temp = tempFolder();
  const { dir, owner } = await photos(temp);
  Deno.writeTextFileSync(join(dir, "a.txt"), "0123456789");
  await using serving = await Serving.begin(owner, "serve", dir, "--port", "0");
  const answer = await serving.ask("/a.txt");
  assert.equal(answer.status, 502);
  assert.ok(!answer.text.includes(dir));
});
