/** A name that a DNS over HTTPS server of the test's own knows, with the permissions of the task. */
import assert from "node:assert/strict";
import { type HttpsServer, startHttps, TEST_CERT_PATH } from "../support/https_server.ts";
import { runTrove } from "../support/processes.ts";
import { cloneArguments, shareWithTrove } from "../support/sharing.ts";
import { tempFolder } from "../support/temp.ts";
import { assertSameTree, digestTree, writeTree } from "../support/trees.ts";

Deno.test("trove clone finds an archive by its name, and by the name's cache afterwards", async () => {
  using temp = tempFolder();
  const folder = temp.folder("folder");
  writeTree(folder, [{ path: "a", size: 100_000 }], "names");
  await using sharer = await shareWithTrove(folder, { home: temp.folder("home") });
  const asked: string[] = [];
  const server: HttpsServer = startHttps((request) => {
    const url = new URL(request.url);
    asked.push(`${url.pathname} ${url.searchParams} ${request.headers.get("accept")}`);
    const data = `"datkey=${sharer.key}"`;
    return Response.json({ Status: 0, Answer: [{ name: "x.", type: 16, TTL: 600, data }] });
  });
  await using _ = server;
  const env = {
    TROVE_DOH: `${server.origin}/dns-query`,
    DENO_CERT: TEST_CERT_PATH,
    XDG_CACHE_HOME: temp.join("cache"),
  };
  const clone = async (dir: string, origin: string) => {
    const args = cloneArguments("dat://example.org/a", temp.join(dir), [sharer.address]);
    const { code, stderr, lines } = await runTrove(args, { home: temp.folder("other"), env });
    assert.equal(code, 0, stderr);
    const resolved = lines.find(({ event }) => event === "resolved");
    assert.deepEqual([resolved?.link, resolved?.from], [sharer.link, origin]);
    assertSameTree(digestTree(temp.join(dir)), digestTree(folder));
  };
  await clone("first", "dns");
  await clone("second", "cache");
  assert.deepEqual(asked, ["/dns-query name=example.org.&type=TXT application/dns-json"]);
  assert.deepEqual([...Deno.readDirSync(temp.join("cache/trove"))].map(({ name }) => name), [
    "names.json",
  ]);
});
