import assert from "node:assert/strict";
import { toHex, toUtf8 } from "../../src/base/bytes.ts";
import { NotFoundError, TroveError, UsageError } from "../../src/base/errors.ts";
import {
  DatNames,
  type DatNamesOptions,
  type ResolvedName,
} from "../../src/discovery/dat_names.ts";
import { parseDoh } from "../../src/discovery/doh_servers.ts";
import {
  type HttpsAnswer,
  type HttpsGetOptions,
  UnreachableError,
} from "../../src/io/https_get.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const ONE = "0123456789abcdef".repeat(4);
const TWO = "c1feb82a2b3ba065ffed9f6addcf19ac250793bcab748986a1b4272c62da20e6";

type Answer = string | number | Error | "silence" | { keys: string[]; ttl: number };

/** Two servers whose answers the test sets, and a resolver that asks them. */
class NameWorld {
  readonly clock = new VirtualClock();
  dns: Answer = { keys: [], ttl: 300 };
  file: Answer = 404;
  readonly asked: string[] = [];
  readonly options: HttpsGetOptions[] = [];
  readonly cacheFile: string;

  constructor(temp: TempFolder) {
    this.cacheFile = temp.join("cache/trove/names.json");
  }

  resolver(more: Partial<DatNamesOptions> = {}): DatNames {
    return new DatNames({
      timers: this.clock,
      wall: () => 1_000_000 + this.clock.now(),
      random: () => 0,
      doh: ["https://doh.example.net/query?x=y"],
      cacheFile: this.cacheFile,
      get: (url, options) => {
        this.asked.push(String(url));
        this.options.push(options);
        return this.#answer(url.hostname === "doh.example.net" ? this.dns : this.file, options);
      },
      ...more,
    });
  }

  #answer(answer: Answer, { signal }: HttpsGetOptions): Promise<HttpsAnswer> {
    if (answer === "silence") {
      return new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
        if (signal.aborted) reject(signal.reason);
      });
    }
    if (answer instanceof Error) return Promise.reject(answer);
    if (typeof answer === "number") {
      return Promise.resolve({ status: answer, body: new Uint8Array(0) });
    }
    const text = typeof answer === "string" ? answer : JSON.stringify({
      Status: 0,
      Answer: answer.keys.map((key) => ({ type: 16, TTL: answer.ttl, data: `"datkey=${key}"` })),
    });
    return Promise.resolve({ status: 200, body: toUtf8(text) });
  }

  /** Let time pass while promises settle. */
  async run(ms: number): Promise<void> {
    for (const end = this.clock.now() + ms; this.clock.now() < end;) {
      for (let i = 0; i < 20; i++) await Promise.resolve();
      this.clock.runTo(Math.min(end, this.clock.now() + 500));
    }
  }
}

function shown({ key, from, ttl, changedFrom, warnings }: ResolvedName): string {
  const changed = changedFrom === undefined ? "" : `, was ${toHex(changedFrom).slice(0, 4)}`;
  const warned = warnings.length === 0 ? "" : `, ${warnings.length} warning`;
  return `${toHex(key).slice(0, 4)} from ${from} for ${ttl}${changed}${warned}`;
}

Deno.test("a name is asked for in DNS first, and then of its own web server", async () => {
  using temp = tempFolder();
  const world = new NameWorld(temp);
  world.dns = { keys: [ONE], ttl: 300 };
  const found = await world.resolver().resolveName("dat://Example.org+5/path");
  assert.equal(shown(found), "0123 from dns for 300");
  assert.equal(found.version, 5);
  assert.deepEqual(world.asked, ["https://doh.example.net/query?x=y&name=example.org.&type=TXT"]);
  assert.equal(world.options[0].accept, "application/dns-json");
  assert.equal(world.options[0].maxBytes, 65_536);

  world.dns = { keys: [], ttl: 300 };
  world.file = `dat://${TWO}\nTTL=60\n`;
  assert.equal(shown(await world.resolver().resolveName("b.org")), "c1fe from file for 60");
  assert.equal(world.asked.at(-1), "https://b.org/.well-known/dat");
  assert.equal(world.options.at(-1)!.maxBytes, 4096);
  assert.equal(world.options.at(-1)!.isAllowed!("10.0.0.1"), false);
  assert.equal(world.options.at(-1)!.isAllowed!("8.8.8.8"), true);
  assert.equal(world.options[0].isAllowed!("10.0.0.1"), true, "the user chose that server");
});

Deno.test("DNS over HTTPS can be switched off, and is not asked for private names", async () => {
  using temp = tempFolder();
  const world = new NameWorld(temp);
  world.file = `dat://${TWO}`;
  await world.resolver({ doh: [] }).resolveName("example.org");
  const names = world.resolver({ allowPrivate: true });
  await names.resolveName("dat://db.internal");
  assert.deepEqual(world.asked, [
    "https://example.org/.well-known/dat",
    "https://db.internal/.well-known/dat",
  ]);
  assert.equal(world.options[1].isAllowed!("10.0.0.1"), true);
  await assert.rejects(world.resolver().resolveName("dat://db.internal"), UsageError);
  assert.equal(world.asked.length, 2);
});

Deno.test("an answer holds as long as it says, in other processes as well", async () => {
  using temp = tempFolder();
  const world = new NameWorld(temp);
  world.dns = { keys: [ONE], ttl: 300 };
  const names = world.resolver();
  await names.resolveName("example.org");
  await world.run(299_000);
  assert.equal(shown(await names.resolveName("example.org")), "0123 from cache for 1");
  assert.equal(shown(await world.resolver().resolveName("example.org")), "0123 from cache for 1");
  assert.equal(world.asked.length, 1);
  await world.run(1000);
  assert.equal(shown(await names.resolveName("example.org")), "0123 from dns for 300");
  assert.equal(world.asked.length, 2);
});

Deno.test("an answer that says 0 is asked for each time", async () => {
  using temp = tempFolder();
  const world = new NameWorld(temp);
  world.dns = { keys: [ONE], ttl: 0 };
  const names = world.resolver();
  await names.resolveName("example.org");
  assert.equal(shown(await names.resolveName("example.org")), "0123 from dns for 0");
  assert.equal(world.asked.length, 2);
});

Deno.test("who asks for the same name meanwhile gets the same answer", async () => {
  using temp = tempFolder();
  const world = new NameWorld(temp);
  world.dns = { keys: [ONE], ttl: 300 };
  const names = world.resolver();
  const all = await Promise.all(["example.org", "example.org+3"].map((t) => names.resolveName(t)));
  assert.deepEqual(all.map(({ version }) => version), [undefined, 3]);
  assert.equal(world.asked.length, 1);
});

Deno.test("a name with several keys has the one that all peers choose, and a warning", async () => {
  using temp = tempFolder();
  const world = new NameWorld(temp);
  world.dns = { keys: [ONE, TWO], ttl: 300 };
  const found = await world.resolver().resolveName("example.org");
  assert.equal(shown(found), "c1fe from dns for 300, 1 warning");
  assert.match(found.warnings[0], /has 2 keys/);
});

Deno.test("a name that leads to another archive than before is told", async () => {
  using temp = tempFolder();
  const world = new NameWorld(temp);
  world.dns = { keys: [ONE], ttl: 1 };
  await world.resolver().resolveName("example.org");
  await world.run(5000);
  world.dns = { keys: [TWO], ttl: 1 };
  const found = await world.resolver().resolveName("example.org");
  assert.equal(shown(found), "c1fe from dns for 1, was 0123");
  await world.run(5000);
  assert.equal(shown(await world.resolver().resolveName("example.org")), "c1fe from dns for 1");
});

const NOT_FOUND: Record<string, { dns?: Answer; doh?: string[]; file: Answer }> = {
  "neither record nor file": { file: 404 },
  "no record and no web server": { file: new UnreachableError("no such host") },
  "no file, where DNS is not asked": { doh: [], file: 410 },
};
for (const [what, { dns, doh, file }] of Object.entries(NOT_FOUND)) {
  Deno.test(`there is no archive of a name with ${what}: remembered for a minute`, async () => {
    using temp = tempFolder();
    const world = new NameWorld(temp);
    Object.assign(world, { file }, dns === undefined ? {} : { dns });
    const options = doh === undefined ? {} : { doh };
    const ask = () => world.resolver(options).resolveName("example.org");
    await assert.rejects(ask(), NotFoundError);
    const { length } = world.asked;
    await world.run(59_000);
    await assert.rejects(ask(), NotFoundError);
    assert.equal(world.asked.length, length);
    await world.run(1000);
    await assert.rejects(ask(), NotFoundError);
    assert.equal(world.asked.length, 2 * length);
  });
}

const FAILED: Record<string, { dns: Answer; doh?: string[]; file: Answer; message: RegExp }> = {
  "DNS fails and there is no file": { dns: 500, file: 404, message: /answers 500.*no \/.well-kn/ },
  "DNS fails and there is no web server": {
    dns: new UnreachableError("no such host"),
    file: new UnreachableError("no such host"),
    message: /DNS over HTTPS: no such host; its web server: no such host/,
  },
  "the file is none": { dns: { keys: [], ttl: 1 }, file: "<html>", message: /no dat:\/\/ link/ },
  "the web server redirects": { dns: 500, file: 302, message: /redirect, which is not followed/ },
  "the web server fails": { dns: 500, file: 503, message: /answers 503/ },
  "the address is private": {
    dns: 500,
    file: new TroveError("it leads to 10.0.0.1, which is not a public address"),
    message: /leads to 10/,
  },
  "there is no web server, and DNS is not asked": {
    dns: 404,
    doh: [],
    file: new UnreachableError("connection refused"),
    message: /: its web server: connection refused$/,
  },
};
for (const [what, { dns, doh, file, message }] of Object.entries(FAILED)) {
  Deno.test(`a name cannot be looked up where ${what}: remembered for 5 s`, async () => {
    using temp = tempFolder();
    const world = new NameWorld(temp);
    Object.assign(world, { dns, file });
    const options = doh === undefined ? {} : { doh };
    const ask = () => world.resolver(options).resolveName("example.org");
    const failed = (error: unknown) => {
      assert.ok(error instanceof TroveError && !(error instanceof NotFoundError));
      assert.match(error.message, message);
      return true;
    };
    await assert.rejects(ask(), failed);
    const { length } = world.asked;
    await world.run(4900);
    await assert.rejects(ask(), failed);
    assert.equal(world.asked.length, length);
    await world.run(100);
    world.dns = { keys: [ONE], ttl: 5 };
    world.file = `dat://${ONE}\nTTL=5`;
    assert.match(shown(await ask()), /^0123 from .* for 5$/);
  });
}

Deno.test("two silent servers take four seconds, and none takes more than two", async () => {
  using temp = tempFolder();
  const world = new NameWorld(temp);
  Object.assign(world, { dns: "silence", file: "silence" });
  const asking = assert.rejects(world.resolver().resolveName("example.org"), /no answer in 2 s/);
  await world.run(1500);
  assert.equal(world.asked.length, 1);
  await world.run(1000);
  assert.equal(world.asked.length, 2);
  await world.run(2000);
  await asking;
  assert.equal(world.clock.timers, 0);
});

Deno.test("what was known is taken with a warning when nobody can be asked", async () => {
  using temp = tempFolder();
  const world = new NameWorld(temp);
  world.dns = { keys: [ONE], ttl: 60 };
  await world.resolver().resolveName("example.org");
  await world.run(100_000);
  Object.assign(world, { dns: 500, file: 500 });
  const found = await world.resolver().resolveName("example.org");
  assert.equal(shown(found), "0123 from old for 0, 1 warning");
  assert.match(found.warnings[0], /cannot be looked up .*; the link that it had 1 m 40 s ago is/);
  const { length } = world.asked;
  assert.equal(shown(await world.resolver().resolveName("example.org")), shown(found));
  assert.equal(world.asked.length, length, "and nobody is bothered for a while");
  await world.run(6000);
  world.dns = { keys: [TWO], ttl: 60 };
  assert.match(shown(await world.resolver().resolveName("example.org")), /^c1fe .*, was 0123$/);
});

Deno.test("what was known is not taken when the owner took it back", async () => {
  using temp = tempFolder();
  const world = new NameWorld(temp);
  world.dns = { keys: [ONE], ttl: 0 };
  await world.resolver().resolveName("example.org");
  world.dns = { keys: [], ttl: 0 };
  await assert.rejects(world.resolver().resolveName("example.org"), NotFoundError);
});

Deno.test("a look-up can be ended, and is not taken for a failure", async () => {
  using temp = tempFolder();
  const world = new NameWorld(temp);
  world.dns = "silence";
  const stop = new AbortController();
  const asking = world.resolver().resolveName("example.org", stop.signal);
  stop.abort(new Error("enough"));
  await assert.rejects(asking, /enough/);
  world.dns = { keys: [ONE], ttl: 60 };
  assert.equal(shown(await world.resolver().resolveName("example.org")), "0123 from dns for 60");
  assert.equal(world.clock.timers, 0);
});

Deno.test("without a place to keep it, an answer holds within the process", async () => {
  using temp = tempFolder();
  const world = new NameWorld(temp);
  world.dns = { keys: [ONE], ttl: 60 };
  Deno.writeTextFileSync(temp.join("file"), "");
  for (const cacheFile of [undefined, temp.join("file/names.json")]) {
    const names = world.resolver({ cacheFile });
    await names.resolveName("example.org");
    assert.equal(shown(await names.resolveName("example.org")), "0123 from cache for 60");
  }
});

Deno.test("servers of DNS over HTTPS are URLs, or off", () => {
  assert.deepEqual(parseDoh("off"), []);
  assert.deepEqual(parseDoh("https://a.org/x, https://b.org/"), [
    "https://a.org/x",
    "https://b.org/",
  ]);
  for (const text of ["", " ", "http://a.org/", "a.org", "https://a.org off"]) {
    assert.throws(() => parseDoh(text), UsageError, text);
  }
  using temp = tempFolder();
  assert.throws(() => new NameWorld(temp).resolver({ doh: ["nonsense"] }), UsageError);
});
