/** Dialling and listening on Unix sockets: names in the file system instead of ports. */
import { TroveError, UsageError } from "../base/errors.ts";
import { type Connection, SocketConnection } from "./connection.ts";
import type { ConnectionSource } from "./peer_listener.ts";

const PERMISSIONS = "--allow-read and --allow-write";

/** Something may come between finding a socket that nobody serves and taking its place. */
const MAX_TRIES = 3;

/** Open a connection to the socket of that name. */
export async function openUnix(path: string): Promise<Connection> {
  // Deno has no way to give this one up, and needs none: the system answers at once.
  const conn = await Deno.connect({ transport: "unix", path });
  return new SocketConnection(conn, `unix:${path}`);
}

class UnixSource implements ConnectionSource {
  readonly addr: ConnectionSource["addr"];
  readonly #listener: Deno.UnixListener;
  readonly #remote: string;

  constructor(listener: Deno.UnixListener, path: string) {
    this.#listener = listener;
    this.#remote = `unix:${path}`;
    this.addr = { transport: "unix", hostname: this.#remote, port: 0 };
  }

  async accept(): Promise<Connection> {
    return new SocketConnection(await this.#listener.accept(), this.#remote);
  }

  /** The system takes the name away with it. */
  close(): void {
    this.#listener.close();
  }
}

/**
 * Listen on a socket of that name. One that a killed process left behind is replaced; nothing else
 * ever is.
 *
 * @throws {UsageError} If the name is taken by something else, or cannot be made.
 */
export async function listenUnix(path: string): Promise<ConnectionSource> {
  for (let tries = 1;; tries++) {
    try {
      return new UnixSource(Deno.listen({ transport: "unix", path }), path);
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse) || tries >= MAX_TRIES) {
        throw new UsageError(`Cannot listen on "${path}": ${whyNot(error)}`, { cause: error });
      }
    }
    await removeStale(path);
  }
}

function whyNot(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such folder";
  if (error instanceof Deno.errors.NotCapable) return `not permitted (run with ${PERMISSIONS})`;
  return error instanceof Error ? error.message : String(error);
}

/** Take away a socket that nobody serves any more. @throws {UsageError} If it is not one. */
async function removeStale(path: string): Promise<void> {
  let before: Deno.FileInfo;
  try {
    before = Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return; // gone meanwhile
    throw error;
  }
  // What a symbolic link leads to is somebody else's business.
  if (!before.isSocket) {
    throw new UsageError(`Cannot listen on "${path}": there is something else of that name`, {
      hint: "choose another name, or remove it first",
    });
  }
  try {
    (await openUnix(path)).close();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    if (error instanceof Deno.errors.ConnectionRefused) return removeIfSame(path, before);
    throw new UsageError(`Cannot listen on "${path}": ${whyNot(error)}`, { cause: error });
  }
  throw new UsageError(`Cannot listen on "${path}": another program listens there`, {
    hint: "choose another name",
  });
}

function removeIfSame(path: string, before: Deno.FileInfo): void {
  try {
    const { isSocket, ino, dev } = Deno.lstatSync(path);
    if (isSocket && ino === before.ino && dev === before.dev) Deno.removeSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw new TroveError(`Cannot remove the socket "${path}" that nobody serves`, { cause: error });
  }
}
