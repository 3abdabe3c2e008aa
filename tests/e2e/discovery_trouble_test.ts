/**
 * What finding peers is to withstand: sharers that move, many archives at once, ways of finding that
 * are all dead, somebody who has waited enough. One network and one test for all of it, as most of it
 * is waiting.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { QUESTIONS_PER_MINUTE } from "../../src/discovery/mdns_topic.ts";
import { importInto } from "../support/imported.ts";
import type { LabHost } from "../support/lab_host.ts";
import { assertSameContents, LabPeers, report } from "../support/lab_peers.ts";
import { NetLab, netLabAvailable } from "../support/net_lab.ts";
import type { JsonLine, Process } from "../support/processes.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { TestWorld } from "../support/test_world.ts";
import { writeTree } from "../support/trees.ts";

/** Archives that are served at once. */
const ARCHIVES = 20;

/** How long a clone is to look for peers that are not there. */
const TIMEOUT_SECONDS = 10;

interface Ground {
  readonly temp: TempFolder;
  readonly lab: NetLab;
  readonly peers: LabPeers;
}

/** The version that a share imported, once there is one of at least that many files. */
async function imported(sharing: Process, files: number): Promise<number> {
  const { version } = await sharing.event("imported", {
    matches: ({ version }) => version >= files,
  });
  return version;
}

/**
 * A live clone follows its sharer to another process and port, and to another address. What hangs in
 * the air after that is noticed after 20 seconds without a word.
 */
async function followsTheSharer({ lab, peers }: Ground): Promise<void> {
  const owner = lab.host("owner");
  const [folder, home, copy] = [peers.folder(), peers.home(), peers.place()];
  const share = (...args: string[]) =>
    peers.trove(owner, ["share", folder, "--json", ...args], { home });
  const first = await share();
  const { link } = await first.event("archive");
  const before = await imported(first, 1);
  await using clone = await peers.trove(lab.host("reader"), [
    "clone",
    link,
    copy,
    "--live",
    "--json",
  ]);
  const synced = (version: number) =>
    clone.event("synced", { matches: (line) => line.version === version });
  await synced(before);

  first.signal("SIGKILL");
  await first.exit;
  Deno.writeTextFileSync(join(folder, "while it was away"), "1");
  await using second = await share("--port", "4000");
  const restarted = performance.now();
  await synced(await imported(second, before + 1));
  tell("a live clone after a restart at another port", restarted);

  await owner.cable.move({ number: 77 });
  Deno.writeTextFileSync(join(folder, "after it had moved"), "2");
  const moved = performance.now();
  await synced(await imported(second, before + 2));
  tell("a live clone after a move to another address", moved);
  assertSameContents(copy, folder);
}

/**
 * Many archives of one process are found by their links, and cost little when all is done.
 *
 * @param idle What to count its packets during, after that.
 */
async function findsMany({ temp, lab, peers }: Ground, idle: Promise<void>): Promise<void> {
  const world = new TestWorld(temp);
  const folders = Array.from({ length: ARCHIVES }, (_, n) => temp.folder("archives", `${n}`));
  for (const [n, folder] of folders.entries()) {
    writeTree(folder, [{ path: "file", size: 10_000 }], `archive ${n}`);
    await importInto(folder, world);
  }
  const seeder = lab.host("seeder");
  await seeder.run(["nft", COUNTED]);
  const mdns = ["--discovery", "mdns", "--json"];
  await using seed = await peers.trove(seeder, ["seed", ...folders, ...mdns]);
  await seed.event("listening");
  const archives = seed.lines.filter(({ event }) => event === "archive");
  assert.equal(archives.length, ARCHIVES);
  const startedAt = performance.now();
  {
    const links = archives.map(({ link }) => link);
    const args = ["seed", ...links, "--store", peers.place(), ...mdns];
    await using copies = await peers.trove(lab.host("keeper"), args);
    for (const { link, dir } of archives) {
      const isThis = (line: JsonLine) => line.link === link;
      await copies.event("synced", { matches: isThis });
      assertSameContents((await copies.event("archive", { matches: isThis })).dir, dir);
    }
    tell(`${ARCHIVES} archives fetched by their links`, startedAt);
    copies.signal("SIGINT");
    await copies.ended();
  }
  const [before, since] = [await multicastPackets(seeder), performance.now()];
  await idle;
  const minutes = (performance.now() - since) / 60_000;
  const packets = await multicastPackets(seeder) - before;
  const usual = ARCHIVES * QUESTIONS_PER_MINUTE * minutes;
  console.log(`${packets} packets in ${minutes.toFixed(1)} min, ${usual.toFixed(0)} on average`);
  // They start at the same time, so their questions come in waves.
  assert.ok(packets <= usual + 2 * ARCHIVES, `${packets} packets in ${minutes} minutes`);
}

/** Counts what a host sends by multicast. */
const COUNTED = "add table inet counted; " +
  "add chain inet counted out { type filter hook output priority 0; }; " +
  "add rule inet counted out udp dport 5353 counter";

async function multicastPackets(host: LabHost): Promise<number> {
  const { nftables } = JSON.parse(
    await host.run(["nft", "-j", "list", "table", "inet", "counted"]),
  );
  const [packets] = nftables.flatMap(({ rule }: Rule) =>
    rule?.expr.flatMap(({ counter }) => counter === undefined ? [] : [counter.packets]) ?? []
  );
  return packets;
}

interface Rule {
  readonly rule?: { readonly expr: readonly { readonly counter?: { readonly packets: number } }[] };
}

/** Where nothing works it is said what, a peer that is named is met all the same, and one can leave. */
async function saysWhatFailed({ lab, peers }: Ground): Promise<void> {
  const [mute, deaf, other] = ["mute", "deaf", "other"].map((name) => lab.host(name));
  await mute.run(["nft", MUTE]);
  await using shared = await peers.share("trove", mute);
  const { link, process: sharing } = shared;

  const leaves = async () => {
    await using clone = await peers.trove(other, ["clone", link, peers.place()]);
    await clone.says(/Looking for peers: BitTorrent DHT/);
    const stoppedAt = performance.now();
    clone.signal("SIGINT");
    const { stderr, stdout } = await clone.ended(130);
    tell("Ctrl-C while peers are looked for", stoppedAt);
    assert.ok(performance.now() - stoppedAt < 5000);
    assert.equal(stdout, `${link}\n`);
    assert.match(stderr, /\nerror: Stopped before the job was done; .+\n$/);
  };
  const givesUp = async () => {
    const args = ["clone", link, peers.place(), "--timeout", `${TIMEOUT_SECONDS}s`];
    await using clone = await peers.trove(deaf, args);
    await clone.says(/Listening/);
    const startedAt = performance.now();
    const { stderr } = await clone.ended(3);
    const seconds = (performance.now() - startedAt) / 1000;
    tell(`a clone with --timeout ${TIMEOUT_SECONDS}s`, startedAt);
    assert.ok(seconds > TIMEOUT_SECONDS - 0.5 && seconds < TIMEOUT_SECONDS + 5, `${seconds} s`);
    const last = stderr.trimEnd().split("\n").at(-1)!;
    assert.match(last, /^error: Cannot find a peer that has this archive \(tried for 10 s\): /);
    assert.match(last, /local network: asked once, nobody answered; /);
    assert.match(last, /DNS servers: cannot resolve discovery1\.datprotocol\.com and discovery2\./);
    assert.match(last, /BitTorrent DHT: cannot resolve bootstrap1\.datprotocol\.com, .* more; /);
    assert.match(last, /Hyperswarm DHT: cannot resolve bootstrap1\.hyperdht\.org, .* more; /);
  };
  await Promise.all([leaves(), givesUp(), sharing.says(/warning: Nobody can find this/)]);
  await peers.clone("trove", deaf, shared, ["--peer", mute.address]);
  sharing.signal("SIGINT");
  const { stderr } = await sharing.ended();
  const warnings = stderr.split("\n").filter((line) => line.startsWith("warning:"));
  // That multicast fails too is sometimes known a moment later.
  if (/Only the local network can/.test(warnings[0])) warnings.shift();
  assert.equal(warnings.length, 1, stderr);
  for (const way of ["local network", "DNS servers", "BitTorrent DHT", "Hyperswarm DHT"]) {
    assert.ok(warnings[0].includes(`${way}: `), warnings[0]);
  }
}

/** No packet but those of TCP leaves the host. */
const MUTE = "add table inet mute; " +
  "add chain inet mute out { type filter hook output priority 0; }; " +
  "add rule inet mute out meta l4proto udp drop";

function tell(what: string, startedAt: number): void {
  report({ [what]: (performance.now() - startedAt) / 1000 });
}

/** All of them to their ends, also when one of them fails. */
async function together(tasks: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(tasks)).find(({ status }) => status === "rejected");
  if (failed?.status === "rejected") throw failed.reason;
}

Deno.test({
  name: "sharers are followed, many archives are found, and what fails is told",
  ignore: !netLabAvailable({ filters: true }),
  async fn() {
    using temp = tempFolder();
    await using lab = await NetLab.open({
      lan: { hosts: ["owner", "reader", "seeder", "keeper"] },
      off: { hosts: ["mute", "deaf", "other"], multicast: false },
    });
    const ground = { temp, lab, peers: new LabPeers(temp) };
    const following = followsTheSharer(ground);
    await together([following, findsMany(ground, following), saysWhatFailed(ground)]);
    assert.deepEqual(await lab.strays(), []);
  },
});
