/** Which archives of many are open, under a clock that the test sets and without any socket. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ArchiveHost } from "../../src/app/archive_host.ts";
import type { TroveEvent } from "../../src/app/events.ts";
import type { Wanted } from "../../src/app/hosted_archive.ts";
import { lockArchive } from "../../src/app/archive_lock.ts";
import { archivePaths } from "../../src/app/archive_folder.ts";
import { createArchive } from "../../src/app/open_archive.ts";
import {
  IDLE_MS,
  MAX_FETCHING,
  MAX_OPEN,
  REOPEN_MS,
  RETRY_MS,
  STALL_MS,
} from "../../src/app/seed_limits.ts";
import { SeedNews } from "../../src/app/seed_news.ts";
import { Synchronizer } from "../../src/app/synchronizer.ts";
import { toHex } from "../../src/base/bytes.ts";
import { discoveryKey } from "../../src/crypto/hash.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { TestWorld } from "../support/test_world.ts";

const nameOf = ({ key }: Wanted) => toHex(discoveryKey(key));

/** A host whose clock stands still, and all that it tells. */
class Hosting implements AsyncDisposable {
  readonly events: TroveEvent[] = [];
  readonly world: TestWorld;
  readonly host: ArchiveHost;
  readonly doubted: string[] = [];

  constructor(readonly temp: TempFolder, options: { peers?: readonly string[] } = {}) {
    const world = this.world = new TestWorld(temp);
    const news = new SeedNews(world, (event) => this.events.push(event));
    const director = { onReport() {} };
    // It does not run: what it would dial stays undialled.
    const sync = new Synchronizer({ world, director, live: true, persistent: true });
    const { peers = [] } = options;
    const onDoubt = (dir: string) => this.doubted.push(dir);
    this.host = new ArchiveHost({ world, sync, news, peers, choices: {}, onDoubt });
  }

  /** An archive of our own in a new folder. */
  make(name: string): Wanted {
    const dir = this.temp.join(name);
    using archive = createArchive(dir, this.world);
    return { key: archive.metadata.publicKey, dir, isLink: false };
  }

  /** A link that nobody has so far. */
  link(n: number): Wanted {
    const key = new Uint8Array(32).fill(7);
    new DataView(key.buffer).setUint32(0, n);
    return { key, dir: this.temp.join("store", String(n)), isLink: true };
  }

  async serve(...wanted: Wanted[]): Promise<void> {
    this.host.setWanted(wanted);
    await this.host.lookAtAdded();
  }

  isOpen(wanted: Wanted): boolean {
    return this.host.find(nameOf(wanted)) !== undefined;
  }

  pass(ms: number): void {
    this.world.clock.monotonicMs! += ms;
    this.host.onTick();
  }

  warnings(): string[] {
    return this.events.flatMap((event) => event.event === "warning" ? [event.code] : []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.host.end();
  }
}

Deno.test("an archive is opened when somebody asks, closed when left alone, and opened again", async () => {
  using temp = tempFolder();
  await using hosting = new Hosting(temp);
  const { host } = hosting;
  const [one, other] = [hosting.make("one"), hosting.make("other")];
  await hosting.serve(one, other);
  assert.equal(host.openArchives, 0);
  assert.deepEqual(
    hosting.events.map(({ event, link }) => [event, link !== undefined]),
    [["archive", true], ["archive", true]],
  );
  assert.deepEqual(host.find(nameOf(one)), one.key);
  assert.equal(host.openArchives, 1);
  hosting.pass(IDLE_MS - 1);
  assert.equal(host.openArchives, 1);
  hosting.pass(1);
  assert.equal(host.openArchives, 0);
  await host.settle();
  assert.ok(hosting.isOpen(one));
  assert.ok(hosting.isOpen(other));
  assert.equal(host.openArchives, 2);
  assert.deepEqual(hosting.warnings(), []);
});

Deno.test("nobody gets an archive that is not among them", async () => {
  using temp = tempFolder();
  await using hosting = new Hosting(temp);
  await hosting.serve(hosting.make("one"));
  assert.equal(hosting.host.find("ab".repeat(32)), undefined);
  assert.equal(hosting.host.openArchives, 0);
});

Deno.test("no more archives are open than may be: the one that was left alone longest is closed", async () => {
  using temp = tempFolder();
  await using hosting = new Hosting(temp);
  const all = Array.from({ length: MAX_OPEN + 2 }, (_, n) => hosting.link(n));
  await hosting.serve(...all);
  for (const [n, wanted] of all.entries()) {
    hosting.world.clock.monotonicMs = n; // later ones were left alone later
    assert.ok(hosting.isOpen(wanted));
    assert.ok(hosting.host.openArchives <= MAX_OPEN);
  }
  assert.equal(hosting.host.openArchives, MAX_OPEN);
  await hosting.host.settle();
  const handles = openHandles();
  assert.ok(hosting.isOpen(all[2]), "was open already");
  assert.ok(openHandles() <= handles);
  assert.ok(hosting.isOpen(all[0]), "is opened again");
  assert.equal(hosting.host.openArchives, MAX_OPEN);
});

Deno.test("what is taken off the list is closed, and the rest stays open", async () => {
  using temp = tempFolder();
  await using hosting = new Hosting(temp);
  const [one, other] = [hosting.make("one"), hosting.make("other")];
  await hosting.serve(one, other);
  assert.ok(hosting.isOpen(one) && hosting.isOpen(other));
  hosting.events.length = 0;
  await hosting.serve(other);
  assert.deepEqual(hosting.events.map(({ event }) => event), ["removed"]);
  assert.equal(hosting.host.openArchives, 1);
  assert.ok(!hosting.isOpen(one));
  assert.ok(hosting.isOpen(other));
  await hosting.serve(one, other);
  await hosting.host.settle();
  assert.ok(hosting.isOpen(one));
});

Deno.test("a damaged archive is told of once, tried again later, and takes no other down", async () => {
  using temp = tempFolder();
  await using hosting = new Hosting(temp);
  const [good, bad] = [hosting.make("good"), hosting.make("bad")];
  const tree = join(bad.dir, ".dat", "metadata.tree");
  const whole = Deno.readFileSync(tree);
  Deno.truncateSync(tree, 32);
  await hosting.serve(bad, good);
  assert.deepEqual(hosting.warnings(), ["storage"]);
  assert.equal(hosting.host.whyUseless, undefined);
  hosting.pass(RETRY_MS);
  assert.ok(!hosting.isOpen(bad));
  assert.ok(hosting.isOpen(good));
  assert.deepEqual(hosting.warnings(), ["storage"], "it is told once");
  assert.ok(hosting.doubted.includes(bad.dir));
  Deno.writeFileSync(tree, whole);
  assert.ok(!hosting.isOpen(bad), "not tried again at once");
  hosting.pass(RETRY_MS);
  assert.ok(hosting.isOpen(bad));
});

Deno.test("a folder that vanished or holds another archive is not served as the one it was", async () => {
  using temp = tempFolder();
  await using hosting = new Hosting(temp);
  const [gone, swapped, other] = ["gone", "swapped", "other"].map((name) => hosting.make(name));
  await hosting.serve(gone, swapped);
  Deno.removeSync(gone.dir, { recursive: true });
  Deno.removeSync(swapped.dir, { recursive: true });
  Deno.renameSync(other.dir, swapped.dir);
  assert.ok(!hosting.isOpen(gone));
  assert.ok(!hosting.isOpen(swapped));
  assert.deepEqual(hosting.warnings().sort(), ["not-found", "storage"]);
});

Deno.test("one of our own is served beside whoever writes to it", async () => {
  using temp = tempFolder();
  await using hosting = new Hosting(temp);
  const own = hosting.make("own");
  await hosting.serve(own);
  using _lock = lockArchive(archivePaths(own.dir), hosting.world);
  assert.ok(hosting.isOpen(own));
  assert.deepEqual(hosting.warnings(), []);
});

Deno.test("a clone that another process writes is served as it is, and tried again", async () => {
  using temp = tempFolder();
  await using hosting = new Hosting(temp);
  const clone = hosting.link(1);
  await hosting.serve(clone);
  assert.ok(hosting.isOpen(clone));
  hosting.pass(IDLE_MS);
  await hosting.host.settle();
  {
    using _lock = lockArchive(archivePaths(clone.dir), hosting.world);
    assert.ok(hosting.isOpen(clone));
    assert.deepEqual(hosting.warnings(), ["locked"]);
  }
  hosting.pass(REOPEN_MS);
  assert.equal(hosting.host.openArchives, 0);
  await hosting.host.settle();
  assert.ok(hosting.isOpen(clone));
  assert.throws(() => lockArchive(archivePaths(clone.dir), hosting.world), /has it open/);
});

Deno.test("links are fetched a few at a time, and those that get nowhere make room", async () => {
  using temp = tempFolder();
  await using hosting = new Hosting(temp, { peers: ["127.0.0.1:1"] });
  const { host } = hosting;
  const all = Array.from({ length: 2 * MAX_FETCHING }, (_, n) => hosting.link(n));
  await hosting.serve(...all);
  hosting.pass(0);
  assert.equal(host.openArchives, MAX_FETCHING);
  assert.deepEqual(all.map(isLocked), all.map((_, n) => n < MAX_FETCHING));
  hosting.pass(STALL_MS);
  await hosting.host.settle();
  assert.equal(host.openArchives, MAX_FETCHING);
  assert.deepEqual(all.map(isLocked), all.map((_, n) => n >= MAX_FETCHING));
});

function isLocked({ dir }: Wanted): boolean {
  return existsSync(archivePaths(dir).lock);
}

function openHandles(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}
