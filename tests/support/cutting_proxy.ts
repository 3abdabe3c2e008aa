/**
 * A proxy between two peers on loopback that resets their connection after given numbers of bytes, and
 * counts what it passed on.
 *
 * A reset is what a router that forgot a connection sends, and worse than an end: what the receiving
 * system has and its program did not read yet is thrown away. It needs `node:net`, for `Deno.TcpConn`
 * only ends connections.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export class CuttingProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #cuts: number[];
  readonly #open = new Set<Socket>();
  #down = 0;
  #made = 0;

  private constructor(target: string, cuts: readonly number[]) {
    const { hostname, port } = new URL(`tcp://${target}`);
    this.#target = { host: hostname, port: Number(port) };
    this.#cuts = [...cuts].sort((a, b) => a - b);
    this.#server = createServer({ noDelay: true }, (client) => this.#join(client));
  }

  /**
   * @param target HOST:PORT of the peer behind it.
   * @param cuts After how many bytes from there, counted over all connections, one is cut.
   */
  static async listen(target: string, cuts: readonly number[]): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(target, cuts);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  /** Where to dial instead of the target. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /**
   * Bytes from the target that were sent on to the one who dialled, whether that one read them or a
   * reset threw them away. What the proxy read beyond the place of a cut never left it: that the
   * target wrote so far ahead is because both are on one machine, and no line carried it.
   */
  get bytesDown(): number {
    return this.#down;
  }

  /** Connections that were cut. */
  get cutsMade(): number {
    return this.#made;
  }

  #join(client: Socket): void {
    const server = connect({ ...this.#target, noDelay: true });
    for (const [socket, other] of [[client, server], [server, client]]) {
      this.#open.add(socket);
      // Nobody is there, or one of the two went away: that is what the other gets to see.
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        this.#open.delete(socket);
        if (!other.destroyed) other.end();
      });
    }
    client.pipe(server);
    server.on("data", (piece) => this.#passDown(piece as Uint8Array, server, client));
    server.on("end", () => client.end());
  }

  /** Send a piece on, or as much of it as there is up to the next cut, before more is read. */
  #passDown(piece: Uint8Array, server: Socket, client: Socket): void {
    const left = (this.#cuts[0] ?? Infinity) - this.#down;
    const passed = piece.subarray(0, left);
    this.#down += passed.length;
    const isCut = left <= piece.length;
    if (isCut) this.#cuts.shift();
    server.pause();
    client.write(passed, () => {
      if (!isCut) return server.resume();
      this.#made++;
      client.resetAndDestroy();
      server.resetAndDestroy();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = [...this.#open].map((socket) => once(socket, "close"));
    for (const socket of this.#open) socket.destroy();
    this.#server.close();
    await Promise.all([once(this.#server, "close"), ...closed]);
  }
}
