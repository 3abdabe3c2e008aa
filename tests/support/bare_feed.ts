/** Feeds by themselves in folders, made and served in this process. */
import { join } from "node:path";
import { keyPair } from "../../src/crypto/sign.ts";
import { DataFile } from "../../src/io/data_file.ts";
import { FeedStore } from "../../src/io/feed_store.ts";
import { openFile } from "../../src/io/random_access.ts";
import { Random } from "./random.ts";
import type { TestWorld } from "./test_world.ts";

/** Open a feed's files as whoever has its secret key; the key file is written too. */
export function openOwnFeed(dir: string, seed: string): FeedStore {
  const file = (name: string) => openFile(join(dir, name), { access: "write" });
  const { publicKey, secretKey } = keyPair(new Random(`key ${seed}`).bytes(32));
  Deno.mkdirSync(dir, { recursive: true });
  Deno.writeFileSync(join(dir, "key"), publicKey);
  return FeedStore.open({
    files: {
      tree: file("tree"),
      signatures: file("signatures"),
      bitfield: file("bitfield"),
      blocks: new DataFile(file("data")),
    },
    publicKey,
    secretKey,
    access: "write",
  });
}

/** A feed that is served by `trove share` in this process. */
export class SharedFeed implements AsyncDisposable {
  constructor(
    readonly world: TestWorld,
    /** HOST:PORT to dial. */
    readonly address: string,
    readonly code: Promise<number>,
  ) {}

  async [Symbol.asyncDispose](): Promise<void> {
    this.world.raise("SIGTERM");
    await this.code;
  }
}

/** Serve the feed in a folder until the result is disposed. The world has to be a fresh one. */
export async function shareFeedIn(world: TestWorld, dir: string): Promise<SharedFeed> {
  const code = world.run("share", dir, "--host", "127.0.0.1", "--port", "0", "--json");
  const ended = code.then((code) => {
    throw new Error(`share ended with ${code}: ${world.stderr.text}`);
  });
  // Once it is ready its end is no failure, and nobody waits for it here.
  ended.catch(() => {});
  const { host, port } = await Promise.race([world.stdout.event("listening"), ended]);
  return new SharedFeed(world, `${host}:${port}`, code);
}
