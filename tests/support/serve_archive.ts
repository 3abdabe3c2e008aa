/** An open archive served over loopback as it is, without an import. */
import { CONTENT, METADATA } from "../../src/app/clone_archive.ts";
import type { Archive } from "../../src/app/open_archive.ts";
import { Synchronizer } from "../../src/app/synchronizer.ts";
import { loopbackListener } from "./connections.ts";
import type { TestWorld } from "./test_world.ts";

export class Served implements AsyncDisposable {
  constructor(
    readonly link: string,
    /** HOST:PORT to dial. */
    readonly address: string,
    readonly sync: Synchronizer,
    readonly running: Promise<void>,
  ) {}

  async [Symbol.asyncDispose](): Promise<void> {
    this.sync.stop();
    await this.running;
  }
}

/** Serve an archive until the result is disposed. The world's clock has to run. */
export function serveArchive(archive: Archive, world: TestWorld): Served {
  const listener = loopbackListener();
  const { port } = listener.addr;
  const director = { onReport() {} };
  const sync = new Synchronizer({ world, director, live: true, persistent: true, listener });
  sync.join(METADATA, archive.metadata, METADATA);
  sync.join(CONTENT, archive.content!, METADATA);
  return new Served(archive.link, `127.0.0.1:${port}`, sync, sync.run());
}
