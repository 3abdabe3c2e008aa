/** An owner's archive that lost files: it goes on where it was, or not at all. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openArchive } from "../../src/app/open_archive.ts";
import { rootHash } from "../../src/crypto/hash.ts";
import { verify } from "../../src/crypto/sign.ts";
import { archiveBytes } from "../support/archives.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { runIn, shareIn, TestWorld } from "../support/test_world.ts";

/** What happens to a file: its size in bytes afterwards, or that it is gone. */
type Loss = readonly [file: string, size: number | "gone"];

interface Case {
  readonly name: string;
  readonly losses: readonly Loss[];
  /** Goes on as if nothing had happened, or ends with this exit code. */
  readonly code: 0 | 6;
}

const feedLosses = (feed: "metadata" | "content"): Case[] => [
  ...(["gone", 0, 32, 1000] as const).map((size): Case => ({
    name: `${feed}.bitfield is ${size === "gone" ? size : `cut to ${size} bytes`}`,
    losses: [[`${feed}.bitfield`, size]],
    code: 0,
  })),
  {
    name: `${feed}.tree is gone`,
    losses: [[`${feed}.tree`, "gone"]],
    code: 6,
  },
  {
    name: `${feed}.signatures are gone`,
    losses: [[`${feed}.signatures`, "gone"]],
    code: 6,
  },
  {
    name: `${feed}.bitfield and .signatures are gone`,
    losses: [[`${feed}.bitfield`, "gone"], [`${feed}.signatures`, "gone"]],
    code: 6,
  },
  {
    name: `${feed}.bitfield and .tree are gone`,
    losses: [[`${feed}.bitfield`, "gone"], [`${feed}.tree`, "gone"]],
    code: 6,
  },
  {
    name: `${feed}.bitfield, .tree and .signatures are gone`,
    losses: [
      ...[[`${feed}.bitfield`, "gone"], [`${feed}.tree`, "gone"]] as const,
      [`${feed}.signatures`, "gone"],
    ],
    code: 6,
  },
];

const CASES: readonly Case[] = [...feedLosses("metadata"), ...feedLosses("content")];

/** A folder with an archive of three files, each of a version. */
async function ownedFolder(temp: TempFolder): Promise<string> {
  const dir = temp.folder("folder");
  for (const name of ["a", "b", "c"]) Deno.writeTextFileSync(join(dir, name), `this is ${name}`);
  await using _shared = await shareIn(new TestWorld(temp), dir);
  return dir;
}

/** What is signed for each length of a feed. */
function signedRoots(dir: string, temp: TempFolder): Map<string, string> {
  const world = new TestWorld(temp);
  using archive = openArchive(dir, { world, access: "write" });
  const signed = new Map<string, string>();
  for (
    const [name, feed] of [["metadata", archive.metadata], ["content", archive.content!]] as const
  ) {
    const signature = feed.signature(feed.length)!;
    assert.ok(verify(rootHash(feed.roots), signature, feed.publicKey));
    signed.set(`${name} ${feed.length}`, signature.toHex());
  }
  return signed;
}

for (const { name, losses, code } of CASES) {
  Deno.test(`an owner's archive whose ${name} ${code === 0 ? "goes on" : "is not begun anew"}`, async () => {
    using temp = tempFolder();
    const dir = await ownedFolder(temp);
    const whole = signedRoots(dir, temp);
    const kept = archiveBytes(dir);
    for (const [file, size] of losses) {
      const path = join(dir, ".dat", file);
      if (size === "gone") Deno.removeSync(path);
      else Deno.truncateSync(path, size);
    }
    Deno.writeTextFileSync(join(dir, "later"), "a file that would be a new version");

    const world = new TestWorld(temp, { running: true });
    const serve = ["--host", "127.0.0.1", "--port", "0", "--timeout", "1ms", "--json"];
    const ran = await runIn(world, "share", dir, ...serve);
    // 8 where what was served before tells, 6 where the files do.
    assert.ok(code === 0 ? ran.code === 0 : [6, 8].includes(ran.code), ran.stdout);
    if (code === 0) {
      const after = signedRoots(dir, temp);
      assert.deepEqual([...after.keys()], ["metadata 5", "content 4"]);
      for (const [feed, length] of [["metadata", 4], ["content", 3]] as const) {
        using archive = openArchive(dir, { world: new TestWorld(temp), access: "read" });
        const store = feed === "metadata" ? archive.metadata : archive.content!;
        assert.equal(store.signature(length)?.toHex(), whole.get(`${feed} ${length}`));
      }
    } else {
      assert.match(ran.json.at(-1)!.message, /^Cannot /);
      // Nothing was signed: what is left of signatures, nodes and entries is what was there.
      const after = archiveBytes(dir);
      for (const file of Object.keys(kept)) {
        if (losses.some(([lost]) => lost === file) || file.endsWith(".bitfield")) continue;
        assert.equal(after[file], kept[file], file);
      }
      for (const [file] of losses) assert.ok((after[file] ?? "").length <= 2 * 32, file);
    }
  });
}
