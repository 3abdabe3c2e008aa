/**
 * Disks and clocks that fail: an operation is run again and again from the same state, each time
 * with another one of its calls failing, until there is no such call. It ends in good order, with one
 * line that says what could not be done or as if nothing had been; and when the disk is well again
 * the same command completes.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type DiskCall, DiskHooks, isChange } from "../support/disk_hooks.ts";
import type { TempFolder } from "../support/temp.ts";
import type { Ran } from "../support/test_world.ts";
import { type Operation, type OperationName, prepareOperation } from "./disk_operations.ts";
import { CaseRandom } from "./mutate.ts";
import { WriteLog } from "./write_log.ts";

/** What goes wrong at a call. */
interface Fault {
  /** Which calls count. */
  readonly counts: (call: DiskCall) => boolean;
  /** Whether the calls after it fail as well. */
  readonly lasts: boolean;
  readonly error: (call: DiskCall) => Error;
}

const isKind = (...kinds: readonly DiskCall["kind"][]) => (call: DiskCall) =>
  kinds.includes(call.kind);

const system = (text: string, code: string) => () => Object.assign(new Error(text), { code });
const brokenDisk = system("Input/output error (os error 5)", "EIO");
const fullDisk = system("No space left on device (os error 28)", "ENOSPC");
const denied = () => new Deno.errors.PermissionDenied("Permission denied (os error 13)");

const FAULTS = {
  read: { counts: isKind("read"), lasts: false, error: brokenDisk },
  write: { counts: isKind("write", "truncate"), lasts: false, error: brokenDisk },
  rename: { counts: isKind("rename", "link", "remove", "mkdir"), lasts: false, error: brokenDisk },
  fsync: { counts: isKind("sync"), lasts: false, error: brokenDisk },
  open: { counts: isKind("open"), lasts: false, error: denied },
  look: { counts: isKind("look", "list"), lasts: false, error: brokenDisk },
  full: {
    // What takes no room still works.
    counts: (call) => call.kind === "write" || call.kind === "mkdir",
    lasts: true,
    error: fullDisk,
  },
  denied: { counts: isChange, lasts: true, error: denied },
  gone: { counts: () => true, lasts: true, error: brokenDisk },
} as const satisfies Record<string, Fault>;

export const FAULT_NAMES = [...Object.keys(FAULTS), "replaced", "clock"] as readonly FaultName[];
export type FaultName = keyof typeof FAULTS | "replaced" | "clock";

/** Exit codes of a command that meets a fault: it went on, or says what was wrong with what. */
/** Failures of one kind: then it is known to be bad. */
const MOST_BAD = 3;

const GOOD_CODES = [0, 2, 3, 4, 5, 6, 7, 8, 9];

export interface FaultRun {
  readonly seed: number;
  /** Every so many calls one fails; the first of them is drawn. */
  readonly every: number;
  /** Told of each run: nothing, or what was wrong. */
  readonly onRun: (failure?: Error) => void;
  /** Whether to go on. */
  readonly goesOn: () => boolean;
}

/** Let an operation meet a fault at every place of it. */
export async function meetFaults(
  name: OperationName,
  fault: FaultName,
  temp: TempFolder,
  { seed, every, onRun, goesOn }: FaultRun,
): Promise<void> {
  const options = { seed: `${name} ${seed}`, scale: "tiny" } as const;
  await using operation = await prepareOperation(name, temp, options);
  const outside = temp.folder("outside");
  Deno.writeTextFileSync(join(outside, "file"), "not yours");
  using start = new WriteLog([operation.dir, operation.home]);
  start[Symbol.dispose]();
  const random = new CaseRandom(seed);
  let bad = 0;
  for (let at = 1 + random.below(every); goesOn(); at += every) {
    try {
      start.replay(0, "nothing", random);
      let met: boolean;
      if (fault === "clock") met = await jumpClock(operation, at, random);
      else if (fault === "replaced") met = await replaceFiles(operation, at, outside, random);
      else met = await failAt(operation, at, FAULTS[fault]);
      onRun();
      if (!met) return;
    } catch (error) {
      const where = `${name}, ${fault} at call ${at}, seed ${seed}`;
      onRun(new Error(`${where}: ${(error as Error).message}`, { cause: error }));
      if (++bad === MOST_BAD) return;
    }
  }
}

/** Whether there was such a call. */
async function failAt(operation: Operation, at: number, fault: Fault): Promise<boolean> {
  let calls = 0;
  {
    using _hooks = new DiskHooks([operation.dir, operation.home], {
      before(call) {
        if (!fault.counts(call)) return;
        calls++;
        if (calls === at || fault.lasts && calls > at) throw fault.error(call);
      },
    });
    assertGoodEnd(await operation.run());
  }
  await operation.recover();
  await operation.checkDone();
  return calls >= at;
}

/** In front of a change, something else takes the place of a file or folder. */
async function replaceFiles(
  operation: Operation,
  at: number,
  outside: string,
  random: CaseRandom,
): Promise<boolean> {
  let changes = 0;
  {
    using _hooks = new DiskHooks([operation.dir], {
      before(call) {
        if (isChange(call) && ++changes === at) replaceOne(operation.dir, outside, random);
      },
    });
    assertGoodEnd(await operation.run());
  }
  // A folder that is swapped for a link between a look and the call after it can still have a name
  // made where the link leads: `finish_file.ts` says why. Nothing that is there is changed.
  assert.equal(Deno.readTextFileSync(join(outside, "file")), "not yours");
  for (const { name } of [...Deno.readDirSync(outside)]) {
    if (name !== "file") Deno.removeSync(join(outside, name), { recursive: true });
  }
  return changes >= at;
}

function replaceOne(dir: string, outside: string, random: CaseRandom): void {
  // Whoever may write into the folder of the feeds decides where they lie: that is not looked into.
  const isFeed = (path: string) => /\.dat($|\/(metadata|content|trove\.[a-z]+$))/.test(path);
  const paths = [...walk(dir)].filter((path) => !isFeed(path)).sort();
  if (paths.length === 0) return;
  const path = random.pick(paths);
  Deno.removeSync(path, { recursive: true });
  switch (random.below(5)) {
    case 0:
      return Deno.symlinkSync(join(outside, "file"), path);
    case 1:
      return Deno.symlinkSync(outside, path);
    case 2:
      return Deno.mkdirSync(path);
    case 3:
      return Deno.writeTextFileSync(path, "somebody else's");
    default: // it is gone
  }
}

function* walk(dir: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(dir)) {
    yield join(dir, name);
    if (isDirectory) yield* walk(join(dir, name));
  }
}

/** The clock of the wall jumps at every look at it, years to and fro; the other one is steady. */
async function jumpClock(operation: Operation, at: number, random: CaseRandom): Promise<boolean> {
  const { clock } = operation.world;
  const { wallMs } = clock;
  let looks = 0;
  clock.wall = () => {
    looks++;
    if (looks % at === 0) clock.wallMs = 1000 * random.below(4_000_000_000);
    return clock.wallMs;
  };
  try {
    const { code, stderr } = await operation.run();
    assert.equal(code, 0, stderr);
  } finally {
    Reflect.deleteProperty(clock, "wall");
    clock.wallMs = wallMs;
  }
  await operation.checkDone();
  return looks >= at;
}

function assertGoodEnd({ code, stdout, stderr }: Ran): void {
  const said = `exit code ${code}\n${stdout.slice(-800)}\n${stderr.slice(-800)}`;
  assert.ok(GOOD_CODES.includes(code), said);
  assert.doesNotMatch(stderr, /^\s+at |\bundefined\b|\[object /m, said);
}
