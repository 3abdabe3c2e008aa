/** That a live clone is, after every pause, what a real peer's archive is that keeps changing. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { peer, type Process, trove } from "../support/processes.ts";
import { Random } from "../support/random.ts";
import { cloneArguments, GENERATIONS, HYPERDRIVE } from "../support/sharing.ts";
import { tempFolder } from "../support/temp.ts";

const CHANGES = 250;
const PAUSES = 10;
const DEADLINE_MS = 30_000;
const SIZES = [1, 5, 100, 3000, 65_536, 65_537, 200_000];

type Order = readonly (string | number)[];

/** Files by path with size and text, and folders made on purpose; and how to get there. */
class Script {
  readonly files = new Map<string, { size: number; text: string }>();
  readonly #random: Random;
  #changes = 0;

  constructor(seed: string) {
    this.#random = new Random(seed);
  }

  /** The orders that make up one change. */
  next(): Order[] {
    this.#changes++;
    const what = this.#random.below(20);
    const path = this.#any();
    if (what < 9 || path === undefined) return [this.#put(this.#newPath())];
    if (what < 13) return [this.#put(path)];
    if (what < 16) return [this.#delete(path)];
    // A rename is a delete and a put: real peers know no other.
    if (what < 19) {
      const file = this.files.get(path)!;
      return [this.#delete(path), this.#put(this.#newPath(), file)];
    }
    const folder = path.slice(0, path.lastIndexOf("/") + 1);
    const inside = [...this.files.keys()].filter((path) => path.startsWith(folder));
    // The root goes never, and others not while they are most of what there is.
    if (folder === "/" || inside.length > 12) return [this.#delete(path)];
    return inside.map((path) => this.#delete(path));
  }

  /** The origin has no others. */
  keepOnly(paths: readonly string[]): void {
    for (const path of this.files.keys()) {
      if (!paths.includes(path)) this.files.delete(path);
    }
    assert.equal(this.files.size, paths.length);
  }

  #any(): string | undefined {
    const paths = [...this.files.keys()];
    return paths[this.#random.below(Math.max(1, paths.length))];
  }

  #newPath(): string {
    const folder = ["", "/a", "/b", "/b/deep", "/c/é"][this.#random.below(5)];
    return `${folder}/f${this.#changes}`;
  }

  #put(path: string, same?: { size: number; text: string }): Order {
    const size = same?.size ?? SIZES[this.#random.below(SIZES.length)];
    const text = same?.text ?? `change ${this.#changes} `;
    this.files.set(path, { size, text });
    return ["put", path, size, text];
  }

  #delete(path: string): Order {
    this.files.delete(path);
    return ["delete", path];
  }
}

/** Every file below a folder with its bytes, and every folder. */
function treeOf(dir: string): Map<string, Uint8Array> {
  const tree = new Map<string, Uint8Array>();
  const walk = (below: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(join(dir, below))) {
      const path = `${below}/${name}`;
      if (path === "/.dat") continue;
      if (!isDirectory) tree.set(path, Deno.readFileSync(join(dir, path)));
      else walk(path);
      if (isDirectory) tree.set(`${path}/`, new Uint8Array(0));
    }
  };
  walk("");
  return tree;
}

function assertTree(dir: string, { files }: Script): void {
  const tree = treeOf(dir);
  const folders = new Set<string>();
  for (const path of files.keys()) {
    for (let end = path.indexOf("/", 1); end > 0; end = path.indexOf("/", end + 1)) {
      folders.add(path.slice(0, end + 1));
    }
  }
  assert.deepEqual([...tree.keys()].sort(), [...files.keys(), ...folders].sort());
  for (const [path, { size, text }] of files) {
    assert.ok(Buffer.alloc(size, text).equals(tree.get(path)!), `"${path}" has other bytes`);
  }
}

/** Wait until the clone says that a version is complete. */
async function synced(clone: Process, version: number): Promise<void> {
  await clone.event("synced", {
    matches: (line) => line.version === version,
    deadlineMs: DEADLINE_MS,
  });
}

for (const gen of GENERATIONS) {
  const inFolder = gen === "7";
  Deno.test(`a live clone follows ${HYPERDRIVE[gen]}, ${inFolder ? "and each of the two is killed and started again" : "in memory"}`, async () => {
    using temp = tempFolder();
    const copy = temp.join("copy");
    const script = new Script(`live ${gen}`);
    const from = { home: temp.folder("home of the origin") };
    const at = { home: temp.folder("home") };
    const args = inFolder ? [temp.folder("origin"), "--gen", gen] : ["--gen", gen];
    await using stack = new AsyncDisposableStack();
    let origin = stack.use(await peer("change_files", args, from));
    const { key, port } = await origin.event("listening");
    const address = `127.0.0.1:${port}`;
    const stay = ["--port", "0", "--host", "127.0.0.1"];
    const begin = cloneArguments(`dat://${key}`, copy, [address], ["--live", ...stay]);
    let clone = stack.use(await trove(begin, at));
    for (let pause = 0; pause < PAUSES; pause++) {
      for (let i = 0; i < CHANGES / PAUSES; i++) {
        for (const order of script.next()) await origin.tell(JSON.stringify(order));
      }
      if (inFolder && pause === 6) {
        clone.signal("SIGKILL");
        await clone.exit;
        clone = stack.use(await trove(["sync", copy, "--peer", address, "--json", ...stay], at));
      }
      const before = origin.lines.length;
      await origin.tell('["tell"]');
      const { version, paths } = await origin.event("told", {
        matches: (line) => origin.lines.indexOf(line) >= before,
      });
      script.keepOnly(paths);
      await synced(clone, version);
      assertTree(copy, script);
      if (inFolder && pause === 3) {
        origin.signal("SIGKILL");
        await origin.exit;
        origin = stack.use(await peer("change_files", [...args, "--port", `${port}`], from));
        await origin.event("listening");
      }
    }
    clone.signal("SIGTERM");
    await clone.ended(0);
    assert.throws(() => Deno.lstatSync(join(copy, ".dat", "trove.staging")), Deno.errors.NotFound);
  });
}
