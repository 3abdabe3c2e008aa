/** A relay on the loopback that counts what passes through it. */

export class Meter implements Disposable {
  readonly address: string;
  /** Bytes from the program behind it, and to it. */
  down = 0;
  up = 0;
  readonly #listener: Deno.TcpListener;
  readonly #target: { hostname: string; port: number };
  readonly #open = new Set<Deno.TcpConn>();

  /** @param target HOST:PORT of the program behind it. */
  constructor(target: string) {
    const colon = target.lastIndexOf(":");
    this.#target = { hostname: target.slice(0, colon), port: Number(target.slice(colon + 1)) };
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.address = `127.0.0.1:${this.#listener.addr.port}`;
    void this.#accept();
  }

  async #accept(): Promise<void> {
    for await (const conn of this.#listener) void this.#relay(conn);
  }

  async #relay(near: Deno.TcpConn): Promise<void> {
    const far = await Deno.connect(this.#target);
    this.#open.add(near).add(far);
    await Promise.allSettled([
      pass(near, far, (bytes) => this.up += bytes),
      pass(far, near, (bytes) => this.down += bytes),
    ]);
    for (const conn of [near, far]) this.#close(conn);
  }

  #close(conn: Deno.TcpConn): void {
    if (this.#open.delete(conn)) conn.close();
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    for (const conn of [...this.#open]) this.#close(conn);
  }
}

async function pass(
  from: Deno.TcpConn,
  to: Deno.TcpConn,
  count: (bytes: number) => void,
): Promise<void> {
  const piece = new Uint8Array(64 * 1024);
  for (let read = await from.read(piece); read !== null; read = await from.read(piece)) {
    for (let at = 0; at < read;) at += await to.write(piece.subarray(at, read));
    count(read);
  }
  await to.closeWrite();
}
