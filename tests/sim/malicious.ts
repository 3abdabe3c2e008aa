/**
 * Archives that their owner signed to do harm, cloned, brought up to date and checked out into folders
 * with traps in them. Every call to the file system is watched: none that changes anything, or opens
 * anything, goes outside of the folder and the home, whatever the permissions would allow.
 */
import assert from "node:assert/strict";
import { dirname, join, resolve } from "node:path";
import { CraftedArchive } from "../support/crafted_archive.ts";
import { type DiskCall, DiskHooks } from "../support/disk_hooks.ts";
import { serveArchive } from "../support/serve_archive.ts";
import type { TempFolder } from "../support/temp.ts";
import { runIn, TestWorld } from "../support/test_world.ts";
import { CaseRandom } from "./mutate.ts";

/** Names that mean something to some system, or to us. */
const NAMES = [
  ...[
    "..",
    ".",
    "",
    "...",
    "~",
    "a",
    "b",
    "link",
    "folder",
    "A",
    "a ",
    "a.",
    "con",
    "C:",
    "nul.txt",
  ],
  ...[".dat", ".DAT", ".dat ", ".d\u200cat", "metadata.key", "content.data", "trove.staging", "0"],
  ...[
    "..\\..\\x",
    "\\\\server\\x",
    "%2e%2e",
    "..%2f",
    "x\0y",
    "\u202e",
    "\n",
    "$HOME",
    "-rf",
    "`id`",
  ],
  ...["trove.lock", "trove.checkout", "secret_keys", "n".repeat(255), "n".repeat(256)],
];
const PATHS = 40;

/** Try one such archive. @throws {AssertionError} If anything is touched that should not be. */
export async function tryMalicious(temp: TempFolder, seed: number): Promise<void> {
  const random = new CaseRandom(seed);
  const outside = temp.folder("outside");
  Deno.writeTextFileSync(join(outside, "file"), "not yours");
  using owner = new CraftedArchive(temp, { history: true });
  owner.put("/first", "first");
  for (let n = 0; n < PATHS; n++) owner.put(anyPath(random, temp), `content ${n}`);
  const copy = temp.folder("copy");
  setTraps(copy, outside, random);
  {
    await using served = serveArchive(owner.archive, new TestWorld(temp, { running: true }));
    const world = new TestWorld(temp, { home: "home-of-cloner", running: true });
    const inside = [copy, temp.join("home-of-cloner"), temp.join("target")];
    const peer = ["--peer", served.address, "--json", "--timeout", "5s"];
    const commands = [
      ["clone", served.link, copy, "--overwrite", ...peer],
      ["pull", copy, ...peer],
      ["checkout", "/", "--dir", copy, "--to", temp.join("target"), "--json"],
      ["verify", copy, "--json"],
      ["repair", copy, ...peer],
    ];
    const seen: string[] = [];
    {
      using _hooks = new DiskHooks([""], {
        before: (call) => {
          if (!isAllowed(call, inside, temp)) seen.push(`${call.kind} ${call.path}`);
        },
      });
      for (const command of commands) await runIn(world, ...command);
    }
    assert.deepEqual(seen, [], `seed ${seed}`);
  }
  assert.deepEqual([...Deno.readDirSync(outside)].map(({ name }) => name), ["file"]);
  assert.equal(Deno.readTextFileSync(join(outside, "file")), "not yours");
}

/** Whether a call may be made: what is looked at only may lie above, on the way to the folder. */
function isAllowed(call: DiskCall, inside: readonly string[], temp: TempFolder): boolean {
  const paths = "to" in call ? [call.path, call.to] : [call.path];
  return paths.every((path) => {
    const isInside = inside.some((folder) => path === folder || path.startsWith(`${folder}/`));
    // The other side of the connection is in this process as well.
    const isOwners = path.startsWith(temp.join("owner"));
    if (isInside || isOwners) return resolve(path) === path;
    return (call.kind === "look" || call.kind === "list") &&
      inside.some((folder) => folder.startsWith(path) || dirname(path) === dirname(folder));
  });
}

function anyPath(random: CaseRandom, temp: TempFolder): string {
  const names = Array.from({ length: 1 + random.below(5) }, () => random.pick(NAMES));
  const path = `/${names.join("/")}`;
  switch (random.below(8)) {
    case 0:
      return `/${temp.join("outside")}/made`;
    case 1:
      return `${"/..".repeat(random.below(12))}${temp.join("outside")}/made`;
    case 2:
      return `/link/${random.pick(NAMES)}`;
    default:
      return path;
  }
}

/** Links that lead out, where the archive's names will go. */
function setTraps(copy: string, outside: string, random: CaseRandom): void {
  const traps: readonly [string, string][] = [
    ["link", outside],
    ["a", join(outside, "file")],
    ["b", ".."],
    ["A", outside],
    ["~", "/"],
  ];
  for (const [name, target] of traps) {
    if (random.below(2) === 0) Deno.symlinkSync(target, join(copy, name));
  }
}
