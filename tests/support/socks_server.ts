/** A SOCKS 5 proxy on loopback, with a phone book of its own instead of a resolver. */
import { fromUtf8 } from "../../src/base/bytes.ts";

export interface SocksOptions {
  /** Accept only these. */
  readonly user?: string;
  readonly password?: string;
  /** Ports on loopback by the names that clients may ask for. */
  readonly names?: ReadonlyMap<string, number>;
}

export class SocksServer implements AsyncDisposable {
  readonly port: number;
  /** What clients asked for, `host:port`. */
  readonly asked: string[] = [];
  readonly #listener: Deno.TcpListener;
  readonly #options: SocksOptions;
  readonly #running: Promise<void>;
  readonly #open = new Set<Deno.Conn>();

  constructor(options: SocksOptions = {}) {
    this.#options = options;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = this.#listener.addr.port;
    this.#running = this.#accept();
  }

  async #accept(): Promise<void> {
    const talks: Promise<void>[] = [];
    for await (const conn of this.#listener) talks.push(this.#talk(conn).catch(() => {}));
    await Promise.all(talks);
  }

  async #talk(conn: Deno.Conn): Promise<void> {
    this.#open.add(conn);
    try {
      const to = await this.#negotiate(conn);
      if (to === undefined) return;
      const remote = await Deno.connect({ hostname: "127.0.0.1", port: to });
      this.#open.add(remote);
      try {
        // A name as the bound address: the longest form of an answer.
        const name = new TextEncoder().encode("bound.example");
        await conn.write(Uint8Array.of(5, 0, 0, 3, name.length, ...name, 1, 2));
        await Promise.all([relay(conn, remote), relay(remote, conn)]);
      } finally {
        close(remote);
      }
    } finally {
      close(conn);
    }
  }

  async #negotiate(conn: Deno.Conn): Promise<number | undefined> {
    const [, count] = await take(conn, 2);
    const methods = [...await take(conn, count)];
    const { user, password, names } = this.#options;
    const method = user === undefined ? 0 : 2;
    await conn.write(Uint8Array.of(5, methods.includes(method) ? method : 0xff));
    if (!methods.includes(method)) return undefined;
    if (method === 2) {
      const given: string[] = [];
      await take(conn, 1);
      for (let i = 0; i < 2; i++) given.push(fromUtf8(await take(conn, (await take(conn, 1))[0])));
      const right = given[0] === user && given[1] === password;
      await conn.write(Uint8Array.of(1, right ? 0 : 1));
      if (!right) return undefined;
    }
    const [, , , kind] = await take(conn, 4);
    const length = kind === 1 ? 4 : kind === 4 ? 16 : (await take(conn, 1))[0];
    const bytes = await take(conn, length);
    const [high, low] = await take(conn, 2);
    const port = high << 8 | low;
    const host = kind === 3 ? fromUtf8(bytes) : [...bytes].join(".");
    this.asked.push(`${host}:${port}`);
    const to = kind === 3 ? names?.get(host) : port;
    if (to === undefined) await conn.write(Uint8Array.of(5, 4, 0, 1, 0, 0, 0, 0, 0, 0));
    return to;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const conn of this.#open) close(conn);
    await this.#running;
  }
}

async function take(conn: Deno.Conn, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const count = await conn.read(bytes.subarray(at));
    if (count === null) throw new Error("the client hung up");
    at += count;
  }
  return bytes;
}

async function relay(from: Deno.Conn, to: Deno.Conn): Promise<void> {
  const piece = new Uint8Array(65536);
  for (let count = await from.read(piece); count !== null; count = await from.read(piece)) {
    for (let at = 0; at < count;) at += await to.write(piece.subarray(at, count));
  }
  await to.closeWrite();
}

function close(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // Closed already.
  }
}
