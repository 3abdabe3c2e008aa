/** The two halves of most end-to-end tests: somebody shares a folder, somebody clones it. */
import {
  type Exit,
  peer,
  type Process,
  type ProcessOptions,
  runTrove,
  trove,
} from "./processes.ts";

/** The generations of real peers: "6" is hyperdrive 9.14.5, "7" is 9.16.0. */
export const GENERATIONS = ["6", "7"] as const;
export type Generation = typeof GENERATIONS[number];

/** The name of a generation in test names. */
export const HYPERDRIVE = { "6": "hyperdrive 9.14.5", "7": "hyperdrive 9.16.0" } as const;

/** A process that serves an archive. */
export class Sharer implements AsyncDisposable {
  constructor(
    readonly process: Process,
    /** `dat://` and 64 hex digits. */
    readonly link: string,
    /** HOST:PORT to dial. */
    readonly address: string,
  ) {}

  /** The 64 hex digits alone. */
  get key(): string {
    return this.link.slice("dat://".length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]();
  }
}

/** Serve a folder with `trove share`. */
export async function shareWithTrove(
  folder: string,
  options: ProcessOptions,
  extra: readonly string[] = [],
  { deadlineMs }: { deadlineMs?: number } = {},
): Promise<Sharer> {
  const args = ["share", folder, "--port", "0", "--host", "127.0.0.1", "--json", ...extra];
  const process = await trove(args, options);
  try {
    const [{ link }, { host, port }] = await Promise.all([
      process.event("archive", { deadlineMs }),
      process.event("listening", { deadlineMs }),
    ]);
    return new Sharer(process, link, `${host}:${port}`);
  } catch (error) {
    await process[Symbol.asyncDispose]();
    throw error;
  }
}

/** Serve a folder, or other things, with a real peer. */
export async function shareWithPeer(
  program: "share_folder" | "share_paths",
  args: readonly string[],
  options: ProcessOptions,
): Promise<Sharer> {
  const process = await peer(program, args, options);
  try {
    const { key, port } = await process.event("listening");
    return new Sharer(process, `dat://${key}`, `127.0.0.1:${port}`);
  } catch (error) {
    await process[Symbol.asyncDispose]();
    throw error;
  }
}

/** The arguments of a `trove clone` from these addresses and nobody else. */
export function cloneArguments(
  link: string,
  folder: string,
  addresses: readonly string[],
  extra: readonly string[] = [],
): string[] {
  const peers = addresses.flatMap((address) => ["--peer", address]);
  return ["clone", link, folder, ...peers, "--json", ...extra];
}

/** Clone with trove and give how it ended. */
export function cloneWithTrove(
  sharers: readonly Pick<Sharer, "link" | "address">[],
  folder: string,
  options: ProcessOptions,
  extra: readonly string[] = [],
): Promise<Exit> {
  const addresses = sharers.map((sharer) => sharer.address);
  return runTrove(cloneArguments(sharers[0].link, folder, addresses, extra), options);
}
