/**
 * The campaign: 1,000 single bits turned anywhere in an archive and its folder. Either `verify` names
 * the place, or nothing that can be read is different; what is wrong is never handed out; and
 * `repair` with a healthy peer brings everything back.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { ArchiveView } from "../../src/app/archive_view.ts";
import { openArchive } from "../../src/app/open_archive.ts";
import { TroveError } from "../../src/base/errors.ts";
import { digest, prepareArchives, readAll, Snapshot } from "../support/damaged_archives.ts";
import { Random } from "../support/random.ts";
import { tempFolder } from "../support/temp.ts";
import { type JsonLine, runIn, type Shared, type TestWorld } from "../support/test_world.ts";

const FLIPS_PER_VARIANT = 250;

/** What is read from a damaged archive is what was there before, or an error; never other bytes. */
function assertNothingWrongIsRead(
  dir: string,
  world: TestWorld,
  before: Map<string, string>,
): void {
  const check = (name: string, bytes: Uint8Array | undefined) => {
    if (bytes === undefined) return;
    const [held, was] = JSON.parse(before.get(name) ?? "[false]");
    // A block that is not here for sure may still turn up where another one lies.
    if (held || was !== undefined) assert.equal(digest(bytes), was, name);
  };
  try {
    using archive = openArchive(dir, { world, access: "read" });
    const feeds = { metadata: archive.metadata, content: archive.content };
    const view = new ArchiveView(archive);
    try {
      for (const file of view.files()) {
        const was: string[] = JSON.parse(before.get(`file ${file.path}`) ?? "[]");
        let at = 0;
        try {
          for (const bytes of view.read(file)) {
            assert.equal(digest(bytes), was[at++], `bytes of ${file.path}`);
          }
        } catch (error) {
          if (!(error instanceof TroveError)) throw error;
        }
      }
    } catch (error) {
      if (!(error instanceof TroveError)) throw error;
    }
    for (const [name, feed] of Object.entries(feeds)) {
      for (let block = 0; block < (feed?.length ?? 0); block++) {
        check(`${name} block ${block}`, feed!.readVerified(block));
      }
    }
  } catch (error) {
    if (!(error instanceof TroveError)) throw error;
  }
}

/** Whether one of the records is about the place of the flip. */
function namesPlace(records: readonly JsonLine[], path: string, at: number): boolean {
  const about = (test: (record: JsonLine) => boolean) => records.some(test);
  const inRun = (record: JsonLine, index: number) =>
    record.index <= index && index < record.index + (record.count ?? 1);
  if (!path.startsWith(".dat/")) return about((record) => record.path === `/${path}`);
  const [feed, file] = path.slice(".dat/".length).split(".");
  const kind = (kinds: string[], index?: number) =>
    about((record) =>
      record.feed === feed && kinds.includes(record.kind) &&
      (index === undefined || inRun(record, index))
    );
  if (path === ".dat/trove.staged") return about((record) => /staged/.test(record.message));
  if (path === ".dat/trove.synced") return about((record) => record.path === "trove.synced");
  switch (file) {
    case "key":
      return kind(["key"]);
    case "latest":
      return about((record) => record.path === "metadata.latest");
    case "data":
      return kind(["block"]);
    case "tree":
      return at < 32 ? kind(["header"]) : kind(["node"], Math.floor((at - 32) / 40));
    case "signatures":
      return at < 32 ? kind(["header"]) : kind(["signature"], Math.floor((at - 32) / 64) + 1);
    case "bitfield": {
      if (at < 32) return kind(["header"]);
      const inPage = (at - 32) % 3584;
      if (inPage >= 3072) return kind(["index"]);
      const first = 8 * (inPage % 1024 + (inPage >= 2048 ? 1024 : 0));
      if (inPage < 1024) {
        // Of a working file that has the block, the file is named.
        return Array.from({ length: 8 }, (_, bit) => first + bit)
          .some((block) => kind(["block", "block-bit"], block)) ||
          about(({ kind }) => kind === "file");
      }
      return Array.from({ length: 8 }, (_, bit) => 8 * (inPage - 1024) + bit)
        .some((node) => kind(["node", "node-bit"], node));
    }
    default:
      return false;
  }
}

interface Variant {
  readonly name: string;
  readonly dir: string;
  readonly world: TestWorld;
  readonly peer: Shared;
}

async function campaign({ name, dir, world, peer }: Variant, flips: number): Promise<void> {
  const random = new Random(`bit flips ${name}`);
  const snapshot = new Snapshot(dir);
  const before = readAll(dir, world);
  assert.equal((await runIn(world, "verify", dir, "--json")).code, 0, `${name} is sound at first`);
  const paths = [...snapshot.files.keys()].filter((path) =>
    snapshot.files.get(path)!.bytes.length > 0
  );
  const tally = { named: 0, harmless: 0 };
  for (let flip = 0; flip < flips; flip++) {
    const path = paths[random.below(paths.length)];
    const bytes = snapshot.files.get(path)!.bytes.slice();
    // Bitfields are nearly all zeros; half of their flips hit what is set.
    const set = path.endsWith("bitfield") && flip % 2 === 0
      ? [...bytes.keys()].filter((at) => bytes[at] !== 0)
      : [];
    const at = set.length > 0 ? set[random.below(set.length)] : random.below(bytes.length);
    const bit = random.below(8);
    bytes[at] ^= 1 << bit;
    snapshot.write(path, bytes);
    const where = `${name}: bit ${bit} of byte ${at} of ${path} (flip ${flip})`;

    const verified = await runIn(world, "verify", dir, "--json");
    const records = verified.json.filter(({ event }) => event === "problem");
    const said = `${where}\n${verified.stdout}${verified.stderr}`;
    assert.ok(verified.code === 0 || verified.code === 5, said);
    if (verified.code === 0) {
      tally.harmless++;
      assert.deepEqual(readAll(dir, world), before, said);
    } else {
      tally.named++;
      assert.ok(namesPlace(records, path, at), said);
    }
    assertNothingWrongIsRead(dir, world, before);

    if (verified.code !== 0) {
      const repaired = await runIn(world, "repair", dir, "--json", "--peer", peer.address);
      const told = `${said}\nrepair:\n${repaired.stdout}${repaired.stderr}`;
      assert.equal(repaired.code, 0, told);
      assert.deepEqual(readAll(dir, world), before, told);
      for (const [path, { bytes }] of snapshot.files) {
        if (path.startsWith(".dat")) continue;
        assert.deepEqual(digest(Deno.readFileSync(join(dir, path))), digest(bytes), told);
      }
    }
    snapshot.restore();
  }
  assert.ok(tally.named > flips / 3, `${name}: ${JSON.stringify(tally)}`);
}

for (const history of [false, true]) {
  const label = history ? "keeps every version" : "has its files as content";
  Deno.test(`bits turned in an archive that ${label}, and in a clone of it`, async () => {
    using temp = tempFolder();
    const { owner, clone, worlds, peer } = await prepareArchives(temp, { history });
    await using _peer = peer;
    const [ownerWorld, cloneWorld] = worlds;
    await campaign(
      { name: `owner, ${label}`, dir: owner, world: ownerWorld, peer },
      FLIPS_PER_VARIANT,
    );
    await campaign(
      { name: `clone, ${label}`, dir: clone, world: cloneWorld, peer },
      FLIPS_PER_VARIANT,
    );
  });
}
