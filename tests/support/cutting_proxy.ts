/**
 * A proxy between two peers on loopback that cuts their connection after given numbers of bytes, and
 * counts what it passed on.
 */

export class CuttingProxy implements AsyncDisposable {
  /** Where to dial instead of the target. */
  readonly address: string;
  readonly #listener: Deno.TcpListener;
  readonly #target: Deno.ConnectOptions;
  readonly #cuts: number[];
  readonly #open = new Set<Deno.Conn>();
  readonly #tasks = new Set<Promise<void>>();
  readonly #accepting: Promise<void>;
  #down = 0;
  #made = 0;

  /**
   * @param target HOST:PORT of the peer behind it.
   * @param cuts After how many bytes from there, counted over all connections, one is cut.
   */
  constructor(target: string, cuts: readonly number[] = []) {
    const { hostname, port } = new URL(`tcp://${target}`);
    this.#target = { hostname, port: Number(port) };
    this.#cuts = [...cuts].sort((a, b) => a - b);
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.address = `127.0.0.1:${this.#listener.addr.port}`;
    this.#accepting = this.#accept();
  }

  /** Bytes that came from the target and were passed on. */
  get bytesDown(): number {
    return this.#down;
  }

  /** Connections that were cut. */
  get cutsMade(): number {
    return this.#made;
  }

  async #accept(): Promise<void> {
    for await (const client of this.#listener) {
      const task = this.#join(client).finally(() => this.#tasks.delete(task));
      this.#tasks.add(task);
    }
  }

  async #join(client: Deno.Conn): Promise<void> {
    this.#open.add(client);
    try {
      const server = await Deno.connect(this.#target);
      this.#open.add(server);
      try {
        // What was passed on before the cut arrives: how much that is does not depend on the load.
        const cut = async () => {
          this.#close(server);
          await client.closeWrite();
        };
        const up = this.#pass(client, server).catch(() => drain(client));
        await Promise.all([up, this.#passDown(server, client, cut)]);
      } finally {
        this.#close(server);
      }
    } catch {
      // Nobody is there, or one of the two went away: that is what the other gets to see.
    } finally {
      this.#close(client);
    }
  }

  /** From the one who dialled: nothing is counted. */
  async #pass(from: Deno.Conn, to: Deno.Conn): Promise<void> {
    const piece = new Uint8Array(64 * 1024);
    for (let count = await from.read(piece); count !== null; count = await from.read(piece)) {
      await writeAll(to, piece.subarray(0, count));
    }
    await to.closeWrite();
  }

  async #passDown(from: Deno.Conn, to: Deno.Conn, cut: () => Promise<void>): Promise<void> {
    const piece = new Uint8Array(64 * 1024);
    for (let count = await from.read(piece); count !== null; count = await from.read(piece)) {
      const left = (this.#cuts[0] ?? Infinity) - this.#down;
      const passed = Math.min(count, left);
      this.#down += passed;
      if (passed > 0) await writeAll(to, piece.subarray(0, passed));
      if (left > count) continue;
      this.#cuts.shift();
      this.#made++;
      return await cut();
    }
    await to.closeWrite();
  }

  #close(conn: Deno.Conn): void {
    if (this.#open.delete(conn)) conn.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const conn of [...this.#open]) this.#close(conn);
    await Promise.all([this.#accepting.catch(() => {}), ...this.#tasks]);
  }
}

/** Read until the other end closes: what it goes on saying is for nobody. */
async function drain(from: Deno.Conn): Promise<void> {
  const piece = new Uint8Array(64 * 1024);
  while (await from.read(piece) !== null);
}

async function writeAll(to: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await to.write(rest));
}
