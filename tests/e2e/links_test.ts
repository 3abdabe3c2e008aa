/** Archives of real peers, read by their link: nothing is kept of them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { runTrove, trove } from "../support/processes.ts";
import { assertSameBytes } from "../support/same_bytes.ts";
import { cloneWithTrove, HYPERDRIVE, shareWithPeer } from "../support/sharing.ts";
import { tempFolder } from "../support/temp.ts";
import { assertSameTree, digestTree, writeTree } from "../support/trees.ts";

const FILES = [{ path: "a.txt", size: 10 }, { path: "sub/big", size: 500_000 }];

Deno.test(`trove reads by its link what ${HYPERDRIVE[7]} shares`, async () => {
  using temp = tempFolder();
  const dir = temp.folder("folder");
  writeTree(dir, FILES, "first");
  await using sharer = await shareWithPeer("share_folder", [dir, "--gen", "7"], {
    home: temp.folder("home-of-sharer"),
  });
  const home = temp.folder("home-of-reader");
  const from = ["--peer", sharer.address, "--json"];
  const listed = await runTrove(["ls", "-r", sharer.link, ...from], { home });
  assert.deepEqual(listed.lines.map(({ path }) => path), ["/a.txt", "/sub/big"]);
  const serving = await trove(["serve", sharer.link, "--port", "0", ...from], { home });
  {
    await using _serving = serving;
    const { url } = await serving.event("http");
    const headers = { Range: "bytes=400000-400009" };
    const part = await fetch(new URL("/sub/big", url), { headers });
    const big = Deno.readFileSync(join(dir, "sub/big"));
    assertSameBytes(new Uint8Array(await part.arrayBuffer()), big.subarray(400_000, 400_010));
    const whole = await fetch(new URL("/sub/big", url));
    assertSameBytes(new Uint8Array(await whole.arrayBuffer()), big);
  }
  const copy = temp.folder("copy");
  const { code, stderr } = await cloneWithTrove([sharer], copy, { home }, ["--no-upload"]);
  assert.equal(code, 0, stderr);
  assertSameTree(digestTree(copy), digestTree(dir));
});
