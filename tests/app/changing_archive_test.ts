/** An archive that its owner changes while it is cloned. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { mapWorkingFiles } from "../../src/app/checkout.ts";
import { CONTENT, METADATA } from "../../src/app/clone_archive.ts";
import { importFolder } from "../../src/app/import_folder.ts";
import { createArchive } from "../../src/app/open_archive.ts";
import { Synchronizer } from "../../src/app/synchronizer.ts";
import { loopbackListener } from "../support/connections.ts";
import { tempFolder } from "../support/temp.ts";
import { TestWorld } from "../support/test_world.ts";
import { assertSameTree, digestTree, withoutModes, writeTree } from "../support/trees.ts";

Deno.test("a clone follows an archive whose files come and go while it is fetched", async () => {
  using temp = tempFolder();
  const folder = temp.folder("folder");
  writeTree(folder, [{ path: "large", size: 48_000_000 }, { path: "small", size: 10 }], "before");
  const owner = new TestWorld(temp, { running: true });
  using archive = createArchive(folder, owner);
  const options = { world: owner, emit: () => {}, signal: new AbortController().signal };
  await importFolder(archive, options);
  mapWorkingFiles(archive);

  const listener = loopbackListener();
  const { port } = listener.addr;
  const director = { onReport() {} };
  const sync = new Synchronizer({ world: owner, director, live: true, persistent: true, listener });
  sync.join(METADATA, archive.metadata, METADATA);
  sync.join(CONTENT, archive.content!, METADATA);
  const sharing = sync.run();

  const reader = new TestWorld(temp, { home: "reader", running: true });
  const peer = `127.0.0.1:${port}`;
  // No faster, or all of it would be here before anything is gone.
  const slowly = ["--peer", peer, "--down", "30mb", "--json"];
  const cloning = reader.run("clone", archive.link, "copy", ...slowly);
  await Promise.race([reader.stdout.event("progress"), cloning]);

  // The blocks of the large file are gone from one moment to the next.
  owner.clock.wallMs += 60_000;
  Deno.removeSync(join(folder, "large"));
  writeTree(folder, [{ path: "new", size: 200_000 }], "after");
  const metadataLength = archive.metadata.length;
  const contentLength = archive.content!.length;
  await importFolder(archive, options);
  mapWorkingFiles(archive);
  sync.input({ kind: "appended", feed: METADATA, start: metadataLength });
  sync.input({ kind: "appended", feed: CONTENT, start: contentLength });

  assert.equal(await cloning, 0, reader.stderr.text);
  const copy = join(reader.cwd(), "copy");
  assertSameTree(withoutModes(digestTree(copy)), withoutModes(digestTree(folder)));
  sync.stop();
  await sharing;
});
