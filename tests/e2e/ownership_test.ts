/** An owner's folder that was copied, and real peers of both generations that serve the other one. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { archiveBytes, copyTree } from "../support/archives.ts";
import { runPeer, runTrove } from "../support/processes.ts";
import {
  type Generation,
  GENERATIONS,
  HYPERDRIVE,
  shareWithPeer,
  shareWithTrove,
} from "../support/sharing.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";

const SERVE = ["--host", "127.0.0.1", "--port", "0", "--json", "--no-watch"];

interface Owner {
  readonly dir: string;
  readonly home: string;
}

/** A folder shared with trove, and a copy of folder and secret key. */
async function twoOwners(temp: TempFolder): Promise<[Owner, Owner]> {
  const [a, b] = ["a", "b"].map((name) => ({
    dir: temp.folder(`folder-${name}`),
    home: temp.folder(`home-${name}`),
  }));
  for (const name of ["first", "second"]) Deno.writeTextFileSync(join(a.dir, name), name);
  {
    await using _shared = await shareWithTrove(a.dir, { home: a.home });
  }
  copyTree(a.dir, b.dir);
  copyTree(a.home, b.home);
  return [a, b];
}

/** Append with the real peer, as its owner. */
async function appendWithPeer({ dir, home }: Owner, gen: Generation, name: string): Promise<void> {
  await runPeer("own_folder", [dir, "--gen", gen, "--write", `${name}=${name}`, "--no-list"], {
    home,
  });
}

/** Share the copy with trove beside a real peer that serves the original; gives how that ended. */
async function shareBeside(a: Owner, b: Owner, gen: Generation) {
  const args = [a.dir, "--gen", gen, "--no-import", "--trace"];
  await using peer = await shareWithPeer("share_folder", args, { home: a.home });
  const share = ["share", b.dir, "--peer", peer.address, "--timeout", "2s", ...SERVE];
  const exit = await runTrove(share, { home: b.home });
  const uploads = peer.process.lines.filter(({ event }) => event === "uploaded");
  assert.deepEqual(uploads, [], "comparing fetches no block");
  return exit;
}

for (const gen of GENERATIONS) {
  Deno.test(`trove share goes on beside ${HYPERDRIVE[gen]} with the same or an older version`, async () => {
    using temp = tempFolder();
    const [a, b] = await twoOwners(temp);
    for (const name of ["third", "fourth"]) {
      Deno.writeTextFileSync(join(b.dir, name), name);
      const exit = await shareBeside(a, b, gen);
      assert.equal(exit.code, 0, exit.stderr);
      assert.equal(exit.lines.find(({ event }) => event === "imported")?.put, 1);
      assert.deepEqual(exit.lines.filter(({ code }) => code === "not-compared"), []);
    }
  });

  Deno.test(`trove share refuses beside ${HYPERDRIVE[gen]} with newer versions, or others`, async () => {
    using temp = tempFolder();
    const [a, b] = await twoOwners(temp);
    await appendWithPeer(a, gen, "of-a");
    Deno.writeTextFileSync(join(b.dir, "of-b"), "of-b");
    const before = archiveBytes(b.dir);
    const newer = await shareBeside(a, b, gen);
    assert.equal(newer.code, 8, newer.stderr);
    assert.match(newer.lines.at(-1)!.message, /has 1 newer version, signed elsewhere/);
    assert.deepEqual(archiveBytes(b.dir), before);

    {
      await using _alone = await shareWithTrove(b.dir, { home: b.home });
    }
    const split = archiveBytes(b.dir);
    const forked = await shareBeside(a, b, gen);
    assert.equal(forked.code, 8, forked.stderr);
    assert.match(forked.lines.at(-1)!.message, /another history \(version 3 there, 3 here\)/);
    assert.deepEqual(archiveBytes(b.dir), split);
  });
}
